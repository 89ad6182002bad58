/**
 * The chain of the audit trail: each line carries the hash of the one before it, and an HMAC under a key that exists for
 * this one line. The key of the next is its SHA-256, and it is forgotten: who takes the machine over today has no key
 * with which yesterday's lines could be written anew (Bellare and Yee, forward integrity in secure audit logs).
 *
 * @module
 */

import { hash } from "node:crypto";

const BLOCK_BYTES = 64;
const KEY_BYTES = 32;

/** A place in the chain: after a line. */
export interface ChainPosition {
  /** Number of the last line; 0 before the first. */
  readonly sequence: number;
  /** SHA-256 of that line, hex. */
  readonly hash: string;
  /** The key of the next line. */
  readonly key: Uint8Array;
}

/** Makes lines, one after the other. */
export class Chain {
  #position: ChainPosition;

  constructor(position: ChainPosition) {
    this.#position = position;
  }

  get position(): ChainPosition {
    return this.#position;
  }

  /** Goes back to where it was, for lines that were never written. */
  rewind(position: ChainPosition): void {
    this.#position = position;
  }

  /**
   * The next line, without its line break.
   *
   * @param entry What it says: a JSON object as text.
   */
  append(entry: string): string {
    const { sequence, hash, key } = this.#position;
    const signed = `{"seq":${sequence + 1},${entry.slice(1, -1)},"prev":"${hash}"`;
    const line = `${signed},"mac":"${macOf(key, signed)}"}`;
    this.#position = { sequence: sequence + 1, hash: hashOf(line), key: nextKey(key) };
    return line;
  }
}

/** SHA-256 of a line, hex: what the next one carries as `prev`. */
export function hashOf(line: string): string {
  return sha256(line);
}

/** The key after this one. */
export function nextKey(key: Uint8Array): Uint8Array {
  return Uint8Array.fromHex(sha256(key));
}

const encoder = new TextEncoder();
const outer = new Uint8Array(BLOCK_BYTES + KEY_BYTES);
let room = new Uint8Array(16_384);

/**
 * HMAC-SHA256 (RFC 2104 §2) under a key of 32 bytes, hex. Written out, and with hashes as text in between: an HMAC object, and
 * hashes as bytes, cost a multiple of what is hashed.
 */
export function macOf(key: Uint8Array, text: string): string {
  const most = BLOCK_BYTES + 3 * text.length;
  if (room.length < most) room = new Uint8Array(most);
  putPad(room, key, 0x36);
  const { written } = encoder.encodeInto(text, room.subarray(BLOCK_BYTES));
  const inner = sha256(room.subarray(0, BLOCK_BYTES + written));
  putPad(outer, key, 0x5c);
  outer.subarray(BLOCK_BYTES).setFromHex(inner);
  return sha256(outer);
}

function sha256(data: Uint8Array | string): string {
  return hash("sha256", data);
}

function putPad(block: Uint8Array, key: Uint8Array, byte: number): void {
  for (let i = 0; i < KEY_BYTES; i++) block[i] = key[i]! ^ byte;
  block.fill(byte, KEY_BYTES, BLOCK_BYTES);
}
