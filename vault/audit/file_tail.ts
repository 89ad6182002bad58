/**
 * Looking at the end of an audit file.
 *
 * @module
 */

import { lineParts, MAX_LINE_BYTES } from "./entry.ts";

const NEWLINE = 0x0a;
const CHUNK_BYTES = 1024 * 1024;
/** More than a vault writes between two commits. */
const MAX_TAIL_BYTES = 64 * 1024 * 1024;

/** Cuts a last line off that has no end, which only a power cut leaves; how many bytes that were. */
export async function cutTornLine(path: string): Promise<number> {
  const tail = await readTail(path, MAX_LINE_BYTES + 1);
  if (tail === null || tail.bytes.length === 0) return 0;
  const whole = tail.bytes.lastIndexOf(NEWLINE) + 1;
  const torn = tail.bytes.length - whole;
  if (torn > 0) await Deno.truncate(path, tail.size - torn);
  return torn;
}

/** The last line of a file, without its line break; null where there is none. */
export async function lastLineOf(path: string): Promise<string | null> {
  const tail = await readTail(path, MAX_LINE_BYTES + 1);
  if (tail === null || tail.bytes.length === 0) return null;
  const end = tail.bytes.length - 1;
  const start = tail.bytes.lastIndexOf(NEWLINE, end - 1) + 1;
  return new TextDecoder().decode(tail.bytes.subarray(start, end));
}

/** The lines of a file after number `after`, without their line breaks; none where there is no file. */
export async function* linesAfter(path: string, after: number): AsyncIterable<string> {
  const start = await startAfter(path, after);
  if (start === null) return;
  using file = await Deno.open(path);
  await file.seek(start, Deno.SeekMode.Start);
  const decoder = new TextDecoder();
  const chunk = new Uint8Array(CHUNK_BYTES);
  let rest = "";
  for (let count = await file.read(chunk); count !== null; count = await file.read(chunk)) {
    const lines = (rest + decoder.decode(chunk.subarray(0, count), { stream: true })).split("\n");
    rest = lines.pop()!;
    for (const line of lines) if (isAfter(line, after)) yield line;
    if (rest.length > MAX_LINE_BYTES) return;
  }
}

/** A place at or before the first line after number `after`: found from the end, where it is as a rule. */
async function startAfter(path: string, after: number): Promise<number | null> {
  const size = await sizeIfThere(path);
  if (size === null) return null;
  using file = await Deno.open(path);
  const bytes = new Uint8Array(CHUNK_BYTES + MAX_LINE_BYTES);
  for (let end = size; end > 0; end -= CHUNK_BYTES) {
    const start = Math.max(0, end - CHUNK_BYTES);
    await file.seek(start, Deno.SeekMode.Start);
    const count = await readFully(file, bytes.subarray(0, Math.min(bytes.length, size - start)));
    if (start === 0 || hasLineUpTo(new TextDecoder().decode(bytes.subarray(0, count)), after)) return start;
  }
  return 0;
}

/** Whether the first line that is whole in a piece of a file is numbered `after` or lower. */
function hasLineUpTo(piece: string, after: number): boolean {
  const [, first] = piece.split("\n", 2);
  try {
    return first !== undefined && lineParts(first).seq <= after;
  } catch {
    return false;
  }
}

/** The length of a file in bytes; null where there is none. */
export async function sizeIfThere(path: string): Promise<number | null> {
  try {
    return (await Deno.stat(path)).size;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}

async function readFully(file: Deno.FsFile, bytes: Uint8Array): Promise<number> {
  let read = 0;
  for (let count: number | null = 0; read < bytes.length && count !== null; read += count ?? 0) {
    count = await file.read(bytes.subarray(read));
  }
  return read;
}

/** The request ids of the lines after number `after`, as far as the file's end tells. */
export async function requestIdsAfter(path: string, after: number): Promise<ReadonlySet<string>> {
  if (!Number.isFinite(after)) return new Set();
  const tail = await readTail(path, MAX_TAIL_BYTES);
  const lines = tail === null ? [] : new TextDecoder().decode(tail.bytes).split("\n");
  const ids = new Set<string>();
  for (const line of lines) {
    const id = requestIdAfter(line, after);
    if (id !== undefined) ids.add(id);
  }
  return ids;
}

/** The request id of a line after number `after`; undefined for any other. */
export function requestIdAfter(line: string, after: number): string | undefined {
  const id = REQUEST_ID.exec(line)?.[1];
  return id !== undefined && isAfter(line, after) ? id : undefined;
}

const REQUEST_ID = /"request_id":"([^"\\]+)"/;

/** The first line may have been cut: it is none. */
function isAfter(line: string, after: number): boolean {
  try {
    return lineParts(line).seq > after;
  } catch {
    return false;
  }
}

async function readTail(path: string, maxBytes: number): Promise<{ bytes: Uint8Array; size: number } | null> {
  try {
    using file = await Deno.open(path);
    const { size } = await file.stat();
    const bytes = new Uint8Array(Math.min(size, maxBytes));
    await file.seek(size - bytes.length, Deno.SeekMode.Start);
    const read = await readFully(file, bytes);
    return { bytes: bytes.subarray(0, read), size };
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}
