/**
 * SHA-256 of texts as short as a token: by the code that seals the audit trail's lines, in a third of the time that the
 * runtime takes, which makes an object for each and leaves it to the garbage collector. Every call on every face has one.
 *
 * @module
 */

import { hash } from "node:crypto";
import { FREE_FROM, type Sha256Code, sha256Code } from "../audit/sealing/sha256_code.ts";

const BLOCK_BYTES = 64;
const BLOCK_WORDS = BLOCK_BYTES / 4;
const HASH_BYTES = 32;
/** What a message ends in when it is hashed: a bit, and its length in bits (FIPS 180-4, §5.1.1). */
const END_BYTES = 9;
/** A character takes three bytes at the most. */
const LONGEST = 1024;
const LONGEST_BYTES = 3 * LONGEST;

// Where things are in the memory, which holds zeros but for the result whenever nobody hashes.
const RESULT = FREE_FROM;
const TEXT = RESULT + BLOCK_BYTES;

const ENCODER = new TextEncoder();
let digest: ShortDigest | undefined;

/** SHA-256 of a text as UTF-8, in lower-case hex. */
export function sha256Hex(text: string): string {
  if (text.length > LONGEST) return hash("sha256", text, "hex");
  return (digest ??= new ShortDigest()).hex(text);
}

/** All that texts are hashed in, for tests: nothing of them may stay there. */
export function digestMemory(): Uint8Array {
  return new Uint8Array((digest ??= new ShortDigest()).memory);
}

/** Hashes one text after the other. */
class ShortDigest {
  readonly memory: ArrayBuffer;
  readonly #code: Sha256Code = sha256Code();
  readonly #bytes: Uint8Array<ArrayBuffer>;
  readonly #words: Uint32Array;
  readonly #view: DataView;
  readonly #room: Uint8Array<ArrayBuffer>;
  readonly #result: Uint8Array<ArrayBuffer>;

  constructor() {
    this.memory = this.#code.memory.buffer as ArrayBuffer;
    this.#bytes = new Uint8Array(this.memory);
    this.#words = new Uint32Array(this.memory);
    this.#view = new DataView(this.memory);
    this.#room = this.#bytes.subarray(TEXT, TEXT + LONGEST_BYTES);
    this.#result = this.#bytes.subarray(RESULT, RESULT + HASH_BYTES);
  }

  hex(text: string): string {
    const { written } = ENCODER.encodeInto(text, this.#room);
    const blocks = Math.ceil((written + END_BYTES) / BLOCK_BYTES);
    this.#bytes[TEXT + written] = 0x80;
    this.#view.setUint32(TEXT + blocks * BLOCK_BYTES - 4, 8 * written);
    this.#code.hash(TEXT, blocks, RESULT);
    for (let i = 0; i < blocks * BLOCK_WORDS; i++) this.#words[TEXT / 4 + i] = 0;
    return this.#result.toHex();
  }
}
