/**
 * Cuts a YAML text into pieces that can be parsed one after the other.
 *
 * A YAML library takes about a kilobyte of memory for each node, which is a hundred times the text and more where the
 * text is nothing but brackets and commas. A file of some megabytes could so take all the memory there is, and that ends
 * the whole process, not only the thread that reads. So nothing longer than {@link MAX_PIECE_CHARS} is given to the
 * library: the rows that such a file consists of are told apart by their indentation, and each is parsed by itself.
 *
 * @module
 */

import { VaultError } from "../errors.ts";
import type { FileName } from "./document.ts";

/** The longest text that is parsed in one piece: some 250 rows. */
export const MAX_PIECE_CHARS = 64 * 1024;

/** Part of a text, with the line on which it begins (from 1). */
export interface Piece {
  readonly text: string;
  readonly line: number;
}

/** A text without its rows, and the rows. */
export interface CutText {
  /** What stands around the rows; an empty line stands for each line of theirs. */
  readonly frame: string;
  /** Null where the text was short enough to stay whole. */
  readonly rows: Iterable<Piece> | null;
}

interface Line {
  readonly text: string;
  readonly at: number;
  readonly end: number;
  readonly number: number;
}

/**
 * Cuts the rows under the key `file` out of a text.
 *
 * @throws {VaultError} `config_invalid`, naming a line, where something longer than a piece may be can't be cut.
 */
export function cutRows(file: FileName, path: string, text: string): CutText {
  if (text.length <= MAX_PIECE_CHARS) return { frame: text, rows: null };
  const region = rowRegion(file, text);
  if (region === null) throw tooLong(path, text, 0);
  const [begin, end] = region;
  if (begin > MAX_PIECE_CHARS) throw tooLong(path, text, 0);
  if (text.length - end > MAX_PIECE_CHARS) throw tooLong(path, text, end);
  const lines = countLines(text, begin, end);
  const frame = text.slice(0, begin) + "\n".repeat(lines) + text.slice(end);
  return { frame, rows: pieces(file, path, text, begin, end) };
}

/** Where the rows begin and end: after the line `roles:` or `tokens:`, up to the next key at the left margin. */
function rowRegion(file: FileName, text: string): [begin: number, end: number] | null {
  const head = (file === "roles" ? /^roles[ \t]*:[ \t]*(#.*)?\r?\n/m : /^tokens[ \t]*:[ \t]*(#.*)?\r?\n/m).exec(text);
  if (head === null) return null;
  const begin = head.index + head[0].length;
  for (const line of linesOf(text, begin, text.length, 1)) {
    if (/^[ \t\r#]|^$|^-( |\r?$)/.test(line.text)) continue;
    return [begin, line.at];
  }
  return [begin, text.length];
}

/** The rows in pieces: as many whole rows in each as fit. */
function* pieces(file: FileName, path: string, text: string, begin: number, end: number): Iterable<Piece> {
  let from = begin;
  let fromLine = countLines(text, 0, begin) + 1;
  let lastRow: Line | null = null;
  let isRow: ((line: string) => boolean) | null = null;
  for (const line of linesOf(text, begin, end, fromLine)) {
    isRow ??= rowTest(file, line.text);
    if (isRow?.(line.text)) lastRow = line;
    if (line.end - from <= MAX_PIECE_CHARS) continue;
    if (lastRow === null) throw tooLong(path, text, from);
    yield { text: text.slice(from, lastRow.at), line: fromLine };
    from = lastRow.at;
    fromLine = lastRow.number;
    if (line.end - from > MAX_PIECE_CHARS) throw tooLong(path, text, from);
  }
  if (from < end) yield { text: text.slice(from, end), line: fromLine };
}

/**
 * What tells a line on which a row begins, found out from the first of them; null while none was seen. YAML demands
 * that all rows begin at one indentation and that whatever belongs to a row stands further in.
 */
function rowTest(file: FileName, line: string): ((line: string) => boolean) | null {
  const indent = /^ */.exec(line)![0];
  const first = line[indent.length];
  if (first === undefined || "\r\t#".includes(first)) return null;
  // Rows in brackets may be spread over lines as one likes: such a text has to fit into one piece.
  if ("[{".includes(first)) return () => false;
  // A colon before a blank stands between a name that `?` announced and what is said of it; before all else a name begins.
  const next = file === "tokens" ? /-/y : /[^ \t\r#:]|:[^ \t\r]/y;
  return (other) => {
    next.lastIndex = indent.length;
    return other.startsWith(indent) && next.test(other);
  };
}

function* linesOf(text: string, from: number, to: number, number: number): Iterable<Line> {
  for (let at = from; at < to;) {
    const newline = text.indexOf("\n", at);
    const end = newline === -1 || newline >= to ? to : newline + 1;
    // What tells a line's kind stands at its beginning: a line of a hundred megabytes is not copied for it.
    yield { text: text.slice(at, Math.min(at + 1024, newline === -1 ? end : end - 1)), at, end, number: number++ };
    at = end;
  }
}

function countLines(text: string, from: number, to: number): number {
  let count = 0;
  for (let at = text.indexOf("\n", from); at !== -1 && at < to; at = text.indexOf("\n", at + 1)) count++;
  return count;
}

function tooLong(path: string, text: string, at: number): VaultError {
  const line = countLines(text, 0, at) + 1;
  const message = `${path}, line ${line}: from here on more than ${MAX_PIECE_CHARS} characters belong together`;
  return new VaultError("config_invalid", message, {
    hint: "nothing was changed; write each row on lines of its own, as this program does",
    data: { line },
  });
}
