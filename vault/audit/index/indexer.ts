/**
 * Brings the index up to date with the files, from where it left off.
 *
 * @module
 */

import { MAX_LINE_BYTES, parseLine, type StoredEntry } from "../entry.ts";
import type { IndexDatabase } from "./index_database.ts";
import { openPlaced, type PlacedBytes } from "./line_reader.ts";

const CHUNK_BYTES = 1024 * 1024;
const NEWLINE = 0x0a;

/** A file of the trail that has lines. */
export interface IndexedFile {
  readonly path: string;
  readonly first: number;
}

/** Reads what the index lacks; returns how many entries that were. */
export function catchUp(index: IndexDatabase, files: readonly IndexedFile[]): number {
  let added = 0;
  index.forgetBefore(files[0]?.first ?? 1);
  for (const file of files) added += catchUpFile(index, file);
  index.finish();
  return added;
}

function catchUpFile(index: IndexDatabase, { path, first }: IndexedFile): number {
  const from = index.indexedBytes(first);
  using placed = openPlaced(path);
  let added = 0;
  let at = from;
  for (;;) {
    const lines = wholeLines(placed, at);
    if (lines === null) return added;
    const entries = entriesIn(lines, at);
    at += lines.length;
    index.add(first, entries, at);
    added += entries.length;
  }
}

/** The next lines that have an end; null where there are none. */
function wholeLines(placed: PlacedBytes, at: number): Uint8Array | null {
  for (let length = CHUNK_BYTES;; length += MAX_LINE_BYTES) {
    const bytes = placed.bytes(at, length);
    const end = bytes.lastIndexOf(NEWLINE) + 1;
    if (end > 0) return bytes.subarray(0, end);
    if (bytes.length < length || length > 2 * MAX_LINE_BYTES) return null;
  }
}

function entriesIn(lines: Uint8Array, from: number) {
  const entries: { entry: StoredEntry; at: number; length: number }[] = [];
  const decoder = new TextDecoder();
  for (let start = 0; start < lines.length;) {
    const end = lines.indexOf(NEWLINE, start);
    const entry = entryOf(decoder.decode(lines.subarray(start, end)));
    // What is no line isn't found by a query; `verify` says where it is.
    if (entry !== null) entries.push({ entry, at: from + start, length: end - start });
    start = end + 1;
  }
  return entries;
}

function entryOf(text: string): StoredEntry | null {
  try {
    return parseLine(text);
  } catch {
    return null;
  }
}
