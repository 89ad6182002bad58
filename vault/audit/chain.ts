/**
 * The chain of the audit trail: each line carries the hash of the one before it, and an HMAC under a key that exists for
 * this one line. The key of the next is its SHA-256, and it is forgotten: who takes the machine over today has no key
 * with which yesterday's lines could be written anew (Bellare and Yee, forward integrity in secure audit logs).
 *
 * @module
 */

import { hash } from "node:crypto";
import { LineSealer } from "./sealing/line_sealer.ts";

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

/** The end of a chain, without the key. */
export type ChainEnd = Pick<ChainPosition, "sequence" | "hash">;

/** Makes lines, one after the other. They stand once they are said to; until then the chain can go back to the last that does. */
export class Chain {
  readonly #sealer: LineSealer;
  readonly #decoder = new TextDecoder();
  #sequence: number;
  #standing: number;

  /**
   * @param from A place whose key is known. The key is copied; whoever has it should wipe it.
   * @param end The last line, where there are some after that place.
   */
  constructor(from: ChainPosition, end: ChainEnd = from) {
    this.#sequence = this.#standing = end.sequence;
    this.#sealer = new LineSealer(from.key, end.hash, end.sequence - from.sequence);
  }

  /** After the last line that stands, with a copy of the key: whoever asks wipes it as soon as it was used. */
  copyPosition(): ChainPosition {
    return { ...this.standingEnd, key: this.#sealer.copyKey() };
  }

  /** After the last line that stands. */
  get standingEnd(): ChainEnd {
    return { sequence: this.#standing, hash: this.#sealer.hash };
  }

  /** Number of the last line that stands. */
  get standing(): number {
    return this.#standing;
  }

  /** Number of the last line. */
  get sequence(): number {
    return this.#sequence;
  }

  /** After the last line, whether it stands or not. */
  get end(): ChainEnd {
    return { sequence: this.#sequence, hash: this.#sealer.lastHash };
  }

  /** The lines made so far stand. */
  settle(): void {
    this.#sealer.settle();
    this.#standing = this.#sequence;
  }

  /** Forgets the lines that don't stand: they were never written. */
  rewind(): void {
    this.#sealer.rewind();
    this.#sequence = this.#standing;
  }

  /**
   * The next line, without its line break.
   *
   * @param entry What it says: a JSON object as text.
   */
  append(entry: string): string {
    return this.#decoder.decode(this.appendBytes(entry).subarray(0, -1));
  }

  /** As {@link append}, but as bytes and with its line break. The next line is written over it. */
  appendBytes(entry: string): Uint8Array {
    return this.#sealer.seal(`{"seq":${++this.#sequence},${entry.slice(1, -1)},"prev":"`);
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
