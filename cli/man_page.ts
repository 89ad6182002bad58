/**
 * The man page, in the man(7) macros, made of what the commands say of themselves.
 *
 * @module
 */

import { ERROR_TABLE } from "../vault/errors.ts";
import type { CommandPage, Term } from "./command_pages.ts";

/** What the page is made of. */
export interface ManPageParts {
  /** The program first, every group before its members. */
  readonly pages: readonly CommandPage[];
  readonly version: string;
  /** The day on which it was made. */
  readonly day: string;
  /** What is told besides the commands: a heading and its terms. */
  readonly sections: readonly { readonly heading: string; readonly terms: readonly Term[] }[];
}

/** Writes the page, to be read by `man` and `mandoc`. */
export function manPage({ pages, version, day, sections }: ManPageParts): string {
  const [program, ...commands] = pages as readonly [CommandPage, ...CommandPage[]];
  const lines = [
    `.TH RUNEVAULT 1 "${day}" ${quoted(`runevault ${version}`)} "RuneVault"`,
    ".SH NAME",
    `runevault \\- ${text(program.description.replace(/\.$/, "").toLowerCase())}`,
    ".SH SYNOPSIS",
    ".B runevault",
    ".RI [ options ]",
    ".I command",
    ".RI [ arguments ]",
    ".SH DESCRIPTION",
    text(program.description),
    ...program.notes.flatMap(paragraph),
    ...examplesOf(program),
    ".SH OPTIONS",
    "These stand before or after any command.",
    ...program.options.flatMap(tagged),
    ".SH COMMANDS",
    ...commands.flatMap(commandSection),
    ...sections.flatMap(({ heading, terms }) => [`.SH ${heading}`, ...terms.flatMap(tagged)]),
    ".SH EXIT STATUS",
    ...exitStatuses().flatMap(tagged),
  ];
  return `${lines.join("\n")}\n`;
}

function commandSection(page: CommandPage): string[] {
  return [
    `.SS ${quoted(`runevault ${page.path.join(" ")}`)}`,
    text(page.description),
    ...(page.isGroup ? [] : [".PP", `.B ${quoted(`runevault ${page.usage}`)}`]),
    ...page.args.flatMap(tagged),
    ...page.options.filter(({ term }) => !term.includes("--help")).flatMap(tagged),
    ...page.notes.flatMap(paragraph),
    ...(page.isGroup ? [] : examplesOf(page)),
  ];
}

function examplesOf({ examples }: CommandPage): string[] {
  if (examples.length === 0) return [];
  return [".PP", ".RS 4", ".nf", ...examples.map(text), ".fi", ".RE"];
}

function tagged({ term, meaning }: Term): string[] {
  return [".TP", `.B ${quoted(term)}`, text(meaning)];
}

/** Lines that are indented stand as they are. */
function paragraph(note: string): string[] {
  const lines = note.replace(/^\n+|\s+$/g, "").split("\n");
  if (!lines.some((line) => line.startsWith("  "))) return [".PP", text(lines.join(" "))];
  return [".PP", ".nf", ...lines.map(text), ".fi"];
}

/** One line of text: nothing in it is a request, an escape or a hyphen that a terminal would show as a dash. */
function text(line: string): string {
  const escaped = line.replaceAll("\\", "\\e").replaceAll("-", "\\-");
  return /^[.']/.test(escaped) ? `\\&${escaped}` : escaped;
}

function quoted(argument: string): string {
  return `"${text(argument).replaceAll('"', "\\(dq")}"`;
}

/** The kinds of errors by the code that they end with. */
function exitStatuses(): Term[] {
  const kinds = new Map<number, string[]>();
  for (const [kind, { exit }] of Object.entries(ERROR_TABLE)) kinds.set(exit, [...kinds.get(exit) ?? [], kind]);
  const failures = [...kinds].sort(([a], [b]) => a - b).map(([exit, names]) => ({
    term: String(exit),
    meaning: names.join(", ").replaceAll("_", " "),
  }));
  return [{ term: "0", meaning: "it is done" }, ...failures];
}
