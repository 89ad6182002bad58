/**
 * Former audit files, compressed so that single lines can still be read: the file is a row of gzip members (RFC 1952 §2.2
 * allows that, and `zcat` reads it), each of so many bytes, and each says in an extra field how long it is (§2.3.1.1).
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { constants, gunzipSync, gzipSync } from "node:zlib";

/** Bytes of one member before it was compressed; the last one has the rest. */
export const MEMBER_BYTES = 256 * 1024;

/** ID1 ID2 CM, then FLG with FEXTRA alone, MTIME, XFL, OS, XLEN, and one subfield `RV` of four bytes. */
const HEADER_BYTES = 20;
const PLAIN_HEADER_BYTES = 10;
const FEXTRA = 4;

/** Compresses one part. */
export function packMember(part: Uint8Array): Uint8Array {
  const plain = gzipSync(part, { level: constants.Z_BEST_SPEED });
  const header = Buffer.alloc(HEADER_BYTES);
  header.set(plain.subarray(0, PLAIN_HEADER_BYTES));
  header[3] = FEXTRA;
  header.writeUInt16LE(8, 10);
  header.write("RV", 12, "latin1");
  header.writeUInt16LE(4, 14);
  header.writeUInt32LE(HEADER_BYTES + plain.length - PLAIN_HEADER_BYTES, 16);
  return Buffer.concat([header, plain.subarray(PLAIN_HEADER_BYTES)]);
}

/** The length of the member that begins with these bytes; null where it isn't one of ours. */
export function memberLength(header: Uint8Array): number | null {
  const bytes = Buffer.from(header.buffer, header.byteOffset, header.byteLength);
  const isOurs = bytes.length >= HEADER_BYTES && bytes.readUInt16BE(0) === 0x1f8b && bytes[3] === FEXTRA &&
    bytes.readUInt16LE(10) === 8 && bytes.toString("latin1", 12, 14) === "RV" && bytes.readUInt16LE(14) === 4;
  return isOurs ? bytes.readUInt32LE(16) : null;
}

/** Whether a compressed file is one of ours, so that its parts can be read. */
export function hasMembers(path: string): boolean {
  try {
    using file = Deno.openSync(path);
    return memberLength(readAt(file, 0, HEADER_BYTES)) !== null;
  } catch (error) {
    // Whoever opens it next says what is wrong with it.
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.PermissionDenied) return false;
    throw error;
  }
}

/** Reads parts of one compressed file. */
export class MemberReader {
  readonly #file: Deno.FsFile;
  readonly #offsets: number[] = [0];
  #last: { index: number; bytes: Uint8Array } | undefined;

  constructor(path: string) {
    this.#file = Deno.openSync(path);
  }

  /** The bytes of a member, unpacked; null where there is none, or it isn't one of ours. */
  member(index: number): Uint8Array | null {
    if (this.#last?.index === index) return this.#last.bytes;
    while (this.#offsets.length <= index + 1) {
      const length = memberLength(this.#read(this.#offsets.at(-1)!, HEADER_BYTES));
      if (length === null) return null;
      this.#offsets.push(this.#offsets.at(-1)! + length);
    }
    const from = this.#offsets[index]!;
    const bytes = gunzipSync(this.#read(from, this.#offsets[index + 1]! - from), { maxOutputLength: MEMBER_BYTES });
    this.#last = { index, bytes };
    return bytes;
  }

  /** Bytes by their place before the compression; fewer at the end. */
  bytes(at: number, length: number): Uint8Array {
    const parts: Uint8Array[] = [];
    for (let from = at; from < at + length;) {
      const member = this.member(Math.floor(from / MEMBER_BYTES));
      const within = from % MEMBER_BYTES;
      const part = member?.subarray(within, within + at + length - from);
      if (part === undefined || part.length === 0) break;
      parts.push(part);
      from += part.length;
    }
    return Buffer.concat(parts);
  }

  [Symbol.dispose](): void {
    this.#file.close();
  }

  #read(at: number, length: number): Uint8Array {
    return readAt(this.#file, at, length);
  }
}

/** Bytes of a file at a place; fewer at its end. */
export function readAt(file: Deno.FsFile, at: number, length: number): Uint8Array {
  return readInto(new Uint8Array(length), file, at);
}

/** Fills a buffer with the bytes of a file at a place; returns those that were there. */
export function readInto(bytes: Uint8Array, file: Deno.FsFile, at: number): Uint8Array {
  file.seekSync(at, Deno.SeekMode.Start);
  let done = 0;
  while (done < bytes.length) {
    const count = file.readSync(bytes.subarray(done));
    if (count === null) break;
    done += count;
  }
  return bytes.subarray(0, done);
}
