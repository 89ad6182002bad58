/**
 * A wrong command line, in the same words as every other error.
 *
 * @module
 */

import type { CommanderError, CommandUnknownOpts } from "@commander-js/extra-typings";
import { VaultError } from "../vault/errors.ts";

const SUGGESTION = /\n\(Did you mean (.+)\?\)$/;

/** Whether a command was given `--version`, as if it had one: commander would leave it undone, and end well. */
export function isVersionOfCommand(
  { code }: CommanderError,
  args: readonly string[],
  root: CommandUnknownOpts,
): boolean {
  return code === "commander.version" && commandNamed(args, root) !== root;
}

/** Turns what commander threw (`error: unknown command 'tokn'` and a suggestion) into an error with a hint. */
export function usageError(thrown: CommanderError, args: readonly string[], root: CommandUnknownOpts): VaultError {
  const command = commandNamed(args, root);
  if (thrown.code === "commander.version") return versionOf(command);
  const unknown = thrown.code === "commander.missingMandatoryOptionValue" ? unknownFlag(args, command) : undefined;
  if (unknown !== undefined) return unknownOption(unknown, command);
  const suggestion = SUGGESTION.exec(thrown.message)?.[1];
  const message = thrown.message.replace(SUGGESTION, "").replace(/^error: /, "");
  return new VaultError("usage", message.charAt(0).toUpperCase() + message.slice(1), {
    hint: suggestion === undefined ? `see \`${pathOf(command)} --help\`` : `did you mean ${suggestion}?`,
  });
}

/** The longest command that the arguments name, such as `runevault token issue`. */
function commandNamed(args: readonly string[], root: CommandUnknownOpts): CommandUnknownOpts {
  return args.reduce((command, arg) => command.commands.find((sub) => sub.name() === arg) ?? command, root);
}

function pathOf(command: CommandUnknownOpts): string {
  return command.parent === null ? command.name() : `${pathOf(command.parent)} ${command.name()}`;
}

/** Commander complains of the option that is missing where somebody mistyped it. */
function unknownFlag(args: readonly string[], command: CommandUnknownOpts): string | undefined {
  const known = new Set(flagsOf(command));
  return args.map((arg) => arg.split("=")[0]!).find((arg) => arg.startsWith("--") && arg !== "--" && !known.has(arg));
}

function unknownOption(flag: string, command: CommandUnknownOpts): VaultError {
  const own = command.options.map((option) => option.long).join(", ");
  return new VaultError("usage", `Unknown option '${flag}'`, { hint: `${pathOf(command)} takes ${own}` });
}

function versionOf(command: CommandUnknownOpts): VaultError {
  const message = "'--version' prints the version of the program, and stands alone";
  return new VaultError("usage", message, { hint: `see \`${pathOf(command)} --help\`` });
}

function flagsOf(command: CommandUnknownOpts): string[] {
  const own = command.options.flatMap((option) => option.long ?? []);
  return command.parent === null ? own : [...own, ...flagsOf(command.parent)];
}
