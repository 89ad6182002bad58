/**
 * What a process has in its memory, as whoever took over its machine could read it (Linux).
 *
 * @module
 */

import { Buffer } from "node:buffer";

const PAGE_BYTES = 4096;
const PIECE_BYTES = 8 * 1024 * 1024;
/** Of an entry of `/proc/PID/pagemap`, eight bytes: the byte with the bit that says that the page is there. */
const PRESENT_BYTE = 7;
const PRESENT_BIT = 0x80;

/** Pages one after the other. */
interface Run {
  readonly from: number;
  readonly to: number;
}

/** Which of some texts of bytes occur in what a process of one's own may write to. */
export function foundInMemory(pid: number, wanted: Readonly<Record<string, Uint8Array>>): Set<string> {
  const found = new Set<string>();
  const needles = Object.entries(wanted).map(([name, bytes]) => [name, Buffer.from(bytes)] as const);
  const overlap = Math.max(...needles.map(([, { length }]) => length)) - 1;
  using memory = Deno.openSync(`/proc/${pid}/mem`);
  for (const { from, to } of presentPages(pid)) {
    for (let at = from; at < to; at += PIECE_BYTES) {
      const piece = read(memory, at, Math.min(PIECE_BYTES + overlap, to - at));
      for (const [name, bytes] of needles) if (piece.includes(bytes)) found.add(name);
    }
  }
  return found;
}

/** Most of what a runtime sets aside was never touched. */
function* presentPages(pid: number): Generator<Run> {
  using pages = Deno.openSync(`/proc/${pid}/pagemap`);
  for (const line of Deno.readTextFileSync(`/proc/${pid}/maps`).split("\n")) {
    const range = /^([0-9a-f]+)-([0-9a-f]+) rw/.exec(line);
    if (range === null) continue;
    const [from, to] = [parseInt(range[1]!, 16), parseInt(range[2]!, 16)];
    for (let at = from; at < to; at += PIECE_BYTES) yield* presentIn(pages, at, Math.min(at + PIECE_BYTES, to));
  }
}

function* presentIn(pages: Deno.FsFile, from: number, to: number): Generator<Run> {
  const entries = read(pages, 8 * from / PAGE_BYTES, 8 * (to - from) / PAGE_BYTES);
  let begun: number | undefined;
  for (let i = 0; i < entries.length / 8; i++) {
    const isPresent = (entries[8 * i + PRESENT_BYTE]! & PRESENT_BIT) !== 0;
    const at = from + i * PAGE_BYTES;
    if (isPresent) begun ??= at;
    if (isPresent || begun === undefined) continue;
    yield { from: begun, to: at };
    begun = undefined;
  }
  if (begun !== undefined) yield { from: begun, to };
}

/** What was taken away meanwhile is empty. */
function read(file: Deno.FsFile, at: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  try {
    file.seekSync(at, Deno.SeekMode.Start);
    return bytes.subarray(0, file.readSync(bytes) ?? 0);
  } catch (error) {
    if (error instanceof Error && /Input\/output error|Bad address/.test(error.message)) return bytes.subarray(0, 0);
    throw error;
  }
}
