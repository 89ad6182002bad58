/**
 * Text for terminals.
 *
 * Everything that came from somewhere else goes through {@link escapeControls} before it is printed: a name in an old
 * file may hold an escape sequence that rewrites the screen, or a bidirectional mark that shows another name.
 *
 * @module
 */

import type { VaultError } from "../vault/errors.ts";

/** C0, DEL and C1 controls; line separators; marks that change the direction of text; halves of surrogate pairs. */
const CONTROLS =
  // deno-lint-ignore no-control-regex
  /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

/** Writes each control character as `\uXXXX`; in a JSON text that is the same value. */
export function escapeControls(text: string): string {
  return text.replace(CONTROLS, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** A text of several lines, each with its controls escaped but for tabs; it ends with a line break. */
export function escapeLines(text: string): string {
  const lines = text.replace(/\n$/, "").split("\n");
  return lines.map((line) => `${line.split("\t").map(escapeControls).join("\t")}\n`).join("");
}

/** Rows under upper-case headings, in columns two blanks apart. */
export function table(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [headings, ...rows.map((row) => row.map(escapeControls))];
  const widths = headings.map((_heading, column) => widest(all, column));
  return all.map((row) => `${joinRow(row, widths)}\n`).join("");
}

/** Lines of `Label: value`, the values aligned. A value of null has no line. */
export function facts(pairs: readonly (readonly [label: string, value: string | null])[]): string {
  const lines = pairs.filter(([, value]) => value !== null);
  const width = widest(lines, 0) + 1;
  return lines.map(([label, value]) => `${`${label}:`.padEnd(width)}  ${escapeControls(value!)}\n`).join("");
}

/** A message of the server as a line. */
export function messageLine({ message }: { readonly message: string }): string {
  return `${escapeControls(message)}\n`;
}

/** A token's last day, or `never`. */
export function showExpiry(expires: string | null): string {
  return expires ?? "never";
}

/** What is printed on standard error for a failure. */
export function errorText(error: Pick<VaultError, "message" | "hint">): string {
  const hint = error.hint === undefined ? "" : `hint: ${escapeControls(error.hint)}\n`;
  return `runevault: ${escapeControls(error.message)}\n${hint}`;
}

/** The same for scripts: one JSON object on one line. */
export function errorJson(error: VaultError): string {
  const data = Object.keys(error.data).length === 0 ? undefined : error.data;
  const body = { error: error.message, kind: error.kind, hint: error.hint, data };
  return `${escapeControls(JSON.stringify(body))}\n`;
}

/** A loop, not `Math.max(...)`: a list may have more rows than a call may have arguments. */
function widest(rows: readonly (readonly (string | null)[])[], column: number): number {
  let width = 0;
  for (const row of rows) width = Math.max(width, row[column]?.length ?? 0);
  return width;
}

function joinRow(row: readonly string[], widths: readonly number[]): string {
  return row.map((cell, column) => cell.padEnd(widths[column]!)).join("  ").trimEnd();
}
