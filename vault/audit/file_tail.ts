/**
 * Looking at the end of an audit file.
 *
 * @module
 */

import { lineParts, MAX_LINE_BYTES } from "./entry.ts";

const NEWLINE = 0x0a;
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

/** The request ids of the lines after number `after`, as far as the file's end tells. */
export async function requestIdsAfter(path: string, after: number): Promise<ReadonlySet<string>> {
  if (!Number.isFinite(after)) return new Set();
  const tail = await readTail(path, MAX_TAIL_BYTES);
  const lines = tail === null ? [] : new TextDecoder().decode(tail.bytes).split("\n");
  const ids = new Set<string>();
  for (const line of lines) {
    const id = REQUEST_ID.exec(line)?.[1];
    if (id !== undefined && isAfter(line, after)) ids.add(id);
  }
  return ids;
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
    let read = 0;
    for (let count: number | null = 0; read < bytes.length && count !== null; read += count ?? 0) {
      count = await file.read(bytes.subarray(read));
    }
    return { bytes: bytes.subarray(0, read), size };
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}
