/**
 * What could come next on a command line: commands, flags, fixed choices, and the names of users and roles.
 *
 * Everything is read from the commands themselves. A placeholder says what a value is: `<user>`, `<policy>` and the
 * other {@link NAME_KINDS} are names that the running server knows, `<FILE>`, `<DIR>` and `<PATH>` the shell completes.
 *
 * @module
 */

import type { Argument, CommandUnknownOpts, Option } from "@commander-js/extra-typings";

/** One thing that could come next. */
export interface Candidate {
  readonly value: string;
  readonly description: string;
}

/** What the server has names of; also the placeholders that stand for them. */
const NAME_KINDS = ["user", "role", "policy", "entity", "group", "oidc-key", "oidc-role"] as const;

/** One of {@link NAME_KINDS}. */
export type NameKind = (typeof NAME_KINDS)[number];

/** Where names come from. */
export interface NameSource {
  /** The names that the server knows which the global options of the line lead to. */
  names(kind: NameKind, globals: Readonly<Record<string, string>>): Promise<readonly string[]>;
}

/** What completes a line: candidates, or the shell's own completion of file names. */
export type Completion = readonly Candidate[] | "files";

const FILE_PLACEHOLDERS: ReadonlySet<string> = new Set(["FILE", "DIR", "PATH"]);

interface Position {
  readonly command: CommandUnknownOpts;
  /** How many arguments the command has already. */
  readonly argumentCount: number;
  /** The option whose value comes next. */
  readonly pending: Option | undefined;
  readonly globals: Readonly<Record<string, string>>;
}

/**
 * Completes a line.
 *
 * @param words The words after the program's name; the last is the one being typed, and may be empty. Bash splits
 *   `--user=al` at the `=` into three words.
 */
export async function complete(
  root: CommandUnknownOpts,
  words: readonly string[],
  source: NameSource,
): Promise<Completion> {
  const typed = words.filter((word) => word !== "=");
  const last = words.at(-1) === "=" ? "" : typed.pop() ?? "";
  const at = walk(root, typed);
  if (at.pending !== undefined) return await optionValues(at.pending, last, at.globals, source);
  const inline = /^(--[a-z0-9-]+)=(.*)$/s.exec(last);
  if (inline !== null) return await inlineValues(at, inline[1]!, inline[2]!, source);
  if (last.startsWith("-")) return startingWith(last, flagsOf(at.command));
  const commands = at.command.commands.filter(isVisible).map((c) => candidate(c.name(), c.description()));
  if (commands.length > 0) return startingWith(last, commands);
  const argument = at.command.registeredArguments[at.argumentCount];
  if (argument === undefined) return [];
  return await values(argument.name(), argument.argChoices, last, at.globals, source);
}

function walk(root: CommandUnknownOpts, words: readonly string[]): Position {
  let command = root;
  let argumentCount = 0;
  let pending: Option | undefined;
  const globals: Record<string, string> = {};
  for (const word of words) {
    if (pending !== undefined) {
      globals[pending.long ?? ""] = word;
      pending = undefined;
      continue;
    }
    const sub = command.commands.find((candidate) => candidate.name() === word);
    if (word.startsWith("-")) pending = valueOptionNamed(command, word);
    else if (sub !== undefined) command = sub;
    else argumentCount++;
  }
  return { command, argumentCount, pending, globals };
}

function valueOptionNamed(command: CommandUnknownOpts, flag: string): Option | undefined {
  return optionsOf(command).find((option) => option.long === flag && option.required);
}

/** A command's own options, then those of every command. */
function optionsOf(command: CommandUnknownOpts): Option[] {
  const inherited = command.parent === null ? [] : optionsOf(command.parent);
  return [...command.options, ...inherited];
}

function flagsOf(command: CommandUnknownOpts): Candidate[] {
  const flags = optionsOf(command).filter((option) => !option.hidden && option.long !== "--version");
  return [
    ...flags.map((option) => candidate(option.long ?? "", option.description)),
    candidate("--help", "print help"),
  ];
}

async function inlineValues(at: Position, flag: string, prefix: string, source: NameSource): Promise<Completion> {
  const option = valueOptionNamed(at.command, flag);
  const found = option === undefined ? [] : await optionValues(option, prefix, at.globals, source);
  if (found === "files") return [];
  return found.map(({ value, description }) => candidate(`${flag}=${value}`, description));
}

function optionValues(
  option: Option,
  prefix: string,
  globals: Readonly<Record<string, string>>,
  source: NameSource,
): Promise<Completion> {
  const placeholder = /<([^>]+)>/.exec(option.flags)?.[1] ?? "";
  return values(placeholder, option.argChoices, prefix, globals, source);
}

async function values(
  placeholder: string,
  choices: Argument["argChoices"],
  prefix: string,
  globals: Readonly<Record<string, string>>,
  source: NameSource,
): Promise<Completion> {
  if (choices !== undefined) return startingWith(prefix, choices.map((choice) => candidate(choice, "")));
  if (FILE_PLACEHOLDERS.has(placeholder)) return "files";
  const kind = NAME_KINDS.find((one) => one === placeholder);
  if (kind === undefined) return [];
  const names = await source.names(kind, globals);
  return startingWith(prefix, names.map((name) => candidate(name, kind)));
}

function isVisible(command: CommandUnknownOpts): boolean {
  return command.name() !== "complete";
}

function startingWith(prefix: string, candidates: readonly Candidate[]): Candidate[] {
  return candidates.filter(({ value }) => value.startsWith(prefix));
}

function candidate(value: string, description: string): Candidate {
  return { value, description };
}
