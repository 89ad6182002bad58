/**
 * The text files that fix what the command line says: `*_session.txt` beside this file.
 *
 *     # A comment. It may stand anywhere.
 *     % server --envelope-v1 refuse          starts a server on the session's data folder, with these flags
 *     % stop                                 stops it
 *     % file notes.txt                       writes the lines up to `% end` to a file in the data folder
 *     $ runevault token list < notes.txt     runs a command, with standard input from such a file
 *     $ NAME=value runevault status          runs one with more environment
 *     USER   ROLE                            what it must print on standard output,
 *     2> hint: …                             on standard error,
 *     ? 1                                    and its exit code, where it isn't 0
 *
 * Two or more blanks stand for two or more blanks. `{{token}}`, `{{day}}`, … stand for text that differs from run to
 * run (see PLACEHOLDERS); `{{token=ALICE}}` also remembers it, and `{{ALICE}}` is it. `{{data}}` is the data folder.
 *
 * @module
 */

/** What a placeholder stands for. */
const PLACEHOLDERS: Readonly<Record<string, string>> = {
  token: "evt_[0-9a-f]{32}",
  service: "hvs\\.[A-Za-z0-9_-]{20,}",
  jwt: "[A-Za-z0-9_-]+\\.[A-Za-z0-9_-]+\\.[A-Za-z0-9_-]+",
  accessor: "[A-Za-z0-9]{24}",
  day: "[0-9]{4}-[0-9]{2}-[0-9]{2}",
  moment: "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z",
  agent: "[0-9a-f]{32}",
  fingerprint: "[0-9a-f]{16}",
  sha256: "(?:[0-9A-F]{2}:){31}[0-9A-F]{2}",
  entity: "[0-9a-f-]{36}",
  request: "[0-9a-f]{16}",
  number: "[0-9]+",
  base64: "[A-Za-z0-9+/]+=*",
  any: ".*",
};

/** A command and what it must do. */
export interface CommandStep {
  readonly kind: "command";
  readonly line: number;
  readonly command: string;
  /** Before the program's name, as `NAME=value`. */
  readonly env: readonly string[];
  readonly stdin: string | undefined;
  readonly stdout: readonly string[];
  readonly stderr: readonly string[];
  readonly exitCode: number;
}

/** Something done between commands. */
export type Step =
  | CommandStep
  | { readonly kind: "server"; readonly args: string }
  | { readonly kind: "stop" }
  | { readonly kind: "file"; readonly name: string; readonly text: string };

/** What the placeholders with names remembered, and `data`. */
export type Remembered = Map<string, string>;

/** The environment, then what follows the program's name. */
const COMMAND = /^\$ ((?:[A-Z_]+=\S* )*)runevault(.*)$/;

/** Reads a session file. Throws an `Error` naming the line that it does not understand. */
export function parseSession(text: string): Step[] {
  const lines = text.split("\n").map((content, i) => ({ content, line: i + 1 }));
  const steps: Step[] = [];
  while (lines.length > 0) {
    const { content, line } = lines.shift()!;
    if (content === "" || content.startsWith("#")) continue;
    if (COMMAND.test(content)) steps.push(commandStep(content, line, takeBlock(lines)));
    else if (content.startsWith("% server")) steps.push({ kind: "server", args: content.slice("% server".length) });
    else if (content === "% stop") steps.push({ kind: "stop" });
    else if (content.startsWith("% file ")) steps.push({ kind: "file", name: content.slice(7), text: takeFile(lines) });
    else throw new Error(`Line ${line} is no step: ${content}`);
  }
  return steps;
}

interface Line {
  readonly content: string;
  readonly line: number;
}

function takeBlock(lines: Line[]): string[] {
  const end = lines.findIndex(({ content }) => /^(\$ |% )/.test(content));
  const block = lines.splice(0, end === -1 ? lines.length : end).map(({ content }) => content);
  return block.filter((content) => !content.startsWith("#"));
}

function takeFile(lines: Line[]): string {
  const end = lines.findIndex(({ content }) => content === "% end");
  if (end === -1) throw new Error("A % file has no % end");
  return lines.splice(0, end + 1).slice(0, -1).map(({ content }) => `${content}\n`).join("");
}

function commandStep(content: string, line: number, block: readonly string[]): CommandStep {
  const [, before, rest] = COMMAND.exec(content)!;
  const [command, stdin] = rest!.split(" < ");
  const env = before!.split(" ").filter((pair) => pair !== "");
  const stderr = block.filter((text) => text.startsWith("2> ")).map((text) => text.slice(3));
  const exit = block.find((text) => text.startsWith("? "));
  const stdout = block.filter((text) => !text.startsWith("2> ") && !text.startsWith("? "));
  while (stdout.at(-1) === "") stdout.pop();
  return { kind: "command", line, env, command: command!, stdin, stdout, stderr, exitCode: Number(exit?.slice(2) ?? 0) };
}

/** Splits a command line at blanks; single quotes keep what is between them together. */
export function splitArguments(command: string): string[] {
  const words = command.match(/(?:'[^']*'|[^\s'])+/g) ?? [];
  return words.map((word) => word.replaceAll("'", ""));
}

/** Puts what was remembered into a text. */
export function fillIn(text: string, remembered: Remembered): string {
  return text.replace(/\{\{(\w+)\}\}/g, (whole, name) => remembered.get(name) ?? whole);
}

/** Whether `actual` is what a line stands for; remembers the values of its named placeholders. */
export function matchesLine(expected: string, actual: string, remembered: Remembered): boolean {
  const names: string[] = [];
  const pattern = fillIn(expected, remembered).split(/(\{\{\w+(?:=\w+)?\}\})/).map((part) => {
    const [, placeholder, name] = /^\{\{(\w+)(?:=(\w+))?\}\}$/.exec(part) ?? [];
    if (placeholder === undefined) return escapePattern(part).replace(/ {2,}/g, " {2,}");
    const stands = PLACEHOLDERS[placeholder];
    if (stands === undefined) throw new Error(`No placeholder {{${placeholder}}}`);
    names.push(name ?? "");
    return `(${stands})`;
  });
  const match = new RegExp(`^${pattern.join("")}$`).exec(actual);
  names.forEach((name, i) => name !== "" && match !== null && remembered.set(name, match[i + 1]!));
  return match !== null;
}

function escapePattern(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
