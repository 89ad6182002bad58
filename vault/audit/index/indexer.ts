/**
 * Brings the index up to date with the files, from where it left off.
 *
 * @module
 */

import { MAX_LINE_BYTES } from "../entry.ts";
import { scanLine } from "./entry_scan.ts";
import type { IndexDatabase, PlacedEntry } from "./index_database.ts";
import { openPlaced, type PlacedBytes } from "./line_reader.ts";

const CHUNK_BYTES = 1024 * 1024;
/** Committed together: an end in between loses so much work at most, and each commit writes pages of the tables anew. */
const CHUNKS_OF_A_COMMIT = 64;
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
  using placed = openPlaced(path);
  let added = 0;
  for (let isMore = true; isMore;) {
    const before = index.indexedBytes(first);
    index.together(() => added += addChunks(index, placed, { first, from: before }));
    isMore = index.indexedBytes(first) > before;
  }
  return added;
}

function addChunks(
  index: IndexDatabase,
  placed: PlacedBytes,
  { first, from }: { first: number; from: number },
): number {
  let added = 0;
  let at = from;
  for (let chunk = 0; chunk < CHUNKS_OF_A_COMMIT; chunk++) {
    const lines = wholeLines(placed, at);
    if (lines === null) break;
    const entries = entriesIn(lines, at);
    at += lines.length;
    index.add(first, entries, at);
    added += entries.length;
  }
  return added;
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

function entriesIn(lines: Uint8Array, from: number): PlacedEntry[] {
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  const text = decoder.decode(lines);
  const entries: PlacedEntry[] = [];
  const add = (line: string, at: number, length: number) => {
    const entry = scanLine(line);
    // What is no line isn't found by a query; `verify` says where it is.
    if (entry !== null) entries.push({ ...entry, at: from + at, length });
  };
  if (text.length === lines.length) {
    // A letter a byte, as nearly always: then the lines need not be decoded one by one.
    for (let start = 0, end = 0; start < text.length; start = end + 1) {
      end = text.indexOf("\n", start);
      add(text.slice(start, end), start, end - start);
    }
    return entries;
  }
  for (let start = 0, end = 0; start < lines.length; start = end + 1) {
    end = lines.indexOf(NEWLINE, start);
    add(decoder.decode(lines.subarray(start, end)), start, end - start);
  }
  return entries;
}
