/**
 * Ends lines: with the hash of the one before, and the HMAC (RFC 2104 §2) under a key that exists for this one. Each key
 * is written over by the next, and nothing made of it stays behind.
 *
 * @module
 */

import { FREE_FROM, type Sha256Code, sha256Code } from "./sha256_code.ts";

const BLOCK_BYTES = 64;
const HASH_BYTES = 32;
const HEX_BYTES = 2 * HASH_BYTES;
/** What a message ends in when it is hashed: a bit, and its length in bits (FIPS 180-4, §5.1.1). */
const END_BYTES = 9;

// Where things are in the memory. The next line is made with the key and the hash of the line before, one after the other;
// then the same as of the last line that stands; the result of a hash; what the outer and the inner hash of an HMAC are made
// of. The line comes right after the pad of the inner one.
const KEY = FREE_FROM;
const PREVIOUS = KEY + BLOCK_BYTES;
const STANDING = PREVIOUS + BLOCK_BYTES;
const STANDING_PREVIOUS = STANDING + PREVIOUS - KEY;
const POSITION_WORDS = (STANDING - KEY) / 4;
const RESULT = STANDING + (STANDING - KEY);
const OUTER = RESULT + BLOCK_BYTES;
const INNER = OUTER + 2 * BLOCK_BYTES;
const LINE = INNER + BLOCK_BYTES;

const ENCODER = new TextEncoder();
const AFTER_PREVIOUS = ENCODER.encode('","mac":"');
const AFTER_MAC = ENCODER.encode('"}');
const LINE_BREAK = 0x0a;
/** More than a line has after its text. */
const ENDING_BYTES = 512;

/** Seals lines, one after the other. */
export class LineSealer {
  readonly #code: Sha256Code = sha256Code();
  readonly #bytes: Uint8Array<ArrayBuffer>;
  readonly #words: Uint32Array;
  readonly #view: DataView;
  readonly #room: Uint8Array;

  /**
   * @param hash Of the line before, hex.
   * @param linesSince How many lines there are after the one that the key belongs to.
   */
  constructor(key: Uint8Array, hash: string, linesSince = 0) {
    const buffer = this.#code.memory.buffer as ArrayBuffer;
    this.#bytes = new Uint8Array(buffer);
    this.#words = new Uint32Array(buffer);
    this.#view = new DataView(buffer);
    this.#room = this.#bytes.subarray(LINE, -ENDING_BYTES);
    this.#end(KEY, HASH_BYTES, 0);
    this.#end(OUTER, BLOCK_BYTES + HASH_BYTES, 0);
    this.#bytes.fill(0x5c, OUTER, OUTER + BLOCK_BYTES).fill(0x36, INNER, LINE);
    this.#bytes.set(key, KEY);
    for (let i = 0; i < linesSince; i++) this.#code.hash(KEY, 1, KEY);
    this.#bytes.subarray(PREVIOUS).setFromHex(hash);
    this.settle();
  }

  /** All that it works in. */
  get memory(): Uint8Array {
    return this.#bytes;
  }

  /** A copy of the key of the line after the last that stands. */
  copyKey(): Uint8Array<ArrayBuffer> {
    return this.#bytes.slice(STANDING, STANDING + HASH_BYTES);
  }

  /** The hash of the last line that stands, hex. */
  get hash(): string {
    return this.#bytes.subarray(STANDING_PREVIOUS, STANDING_PREVIOUS + HASH_BYTES).toHex();
  }

  /** The hash of the last line, hex, whether it stands or not. */
  get lastHash(): string {
    return this.#bytes.subarray(PREVIOUS, PREVIOUS + HASH_BYTES).toHex();
  }

  /** The lines made so far stand. */
  settle(): void {
    this.#copy(KEY, STANDING);
  }

  /** Forgets the lines that don't stand: they were never written. */
  rewind(): void {
    this.#copy(STANDING, KEY);
  }

  /**
   * The next line.
   *
   * @param text All that comes before the hash of the line before.
   * @returns The line, with its line break. It is written over by the next.
   */
  seal(text: string): Uint8Array {
    const { read, written } = ENCODER.encodeInto(text, this.#room);
    if (read < text.length) throw new RangeError("A line of the audit trail is longer than any may be");
    this.#code.hex(PREVIOUS, LINE + written);
    const signed = written + HEX_BYTES + 1;
    this.#bytes[LINE + signed - 1] = AFTER_PREVIOUS[0]!;
    this.#mac(signed);
    this.#put(AFTER_PREVIOUS, LINE + signed - 1);
    const mac = signed + AFTER_PREVIOUS.length - 1;
    this.#code.hex(RESULT, LINE + mac);
    const length = mac + HEX_BYTES + AFTER_MAC.length;
    this.#put(AFTER_MAC, LINE + length - AFTER_MAC.length);
    this.#code.hash(LINE, this.#end(LINE, length, 0), PREVIOUS);
    this.#code.hash(KEY, 1, KEY);
    this.#bytes[LINE + length] = LINE_BREAK;
    return this.#bytes.subarray(LINE, LINE + length + 1);
  }

  /** The HMAC of the first bytes of the line. */
  #mac(length: number): void {
    for (let i = 0; i < HASH_BYTES / 4; i++) {
      this.#words[INNER / 4 + i] = this.#words[KEY / 4 + i]! ^ 0x36363636;
      this.#words[OUTER / 4 + i] = this.#words[KEY / 4 + i]! ^ 0x5c5c5c5c;
    }
    this.#code.hash(INNER, 1 + this.#end(LINE, length, BLOCK_BYTES), OUTER + BLOCK_BYTES);
    this.#code.hash(OUTER, 2, RESULT);
    this.#words.fill(0, INNER / 4, INNER / 4 + 8).fill(0, OUTER / 4, OUTER / 4 + 8);
  }

  /** Ends a message, of which some bytes come before `from`; how many blocks it has from there. */
  #end(from: number, length: number, before: number): number {
    const blocks = Math.ceil((length + END_BYTES) / BLOCK_BYTES);
    const end = from + blocks * BLOCK_BYTES;
    this.#bytes.fill(0, from + length, end);
    this.#bytes[from + length] = 0x80;
    this.#view.setUint32(end - 4, 8 * (before + length));
    return blocks;
  }

  #put(bytes: Uint8Array, at: number): void {
    for (let i = 0; i < bytes.length; i++) this.#bytes[at + i] = bytes[i]!;
  }

  #copy(from: number, to: number): void {
    for (let i = 0; i < POSITION_WORDS; i++) this.#words[to / 4 + i] = this.#words[from / 4 + i]!;
  }
}
