/**
 * Unbiased integers out of a source of random bytes.
 *
 * @module
 */

import type { RandomSource } from "../ports.ts";

/** Bytes drawn at a time: far below what any system source gives in one call. */
const CHUNK_BYTES = 8192;

/** Draws 32-bit words in bulk. */
export class RandomWords {
  #view = new DataView(new ArrayBuffer(0));
  #at = 0;

  constructor(readonly source: RandomSource) {}

  /** A uniform integer in [0, 2^32). */
  word(): number {
    if (this.#at === this.#view.byteLength) {
      const bytes = this.source.bytes(CHUNK_BYTES);
      this.#view = new DataView(bytes.buffer, bytes.byteOffset, CHUNK_BYTES);
      this.#at = 0;
    }
    const word = this.#view.getUint32(this.#at, true);
    // Used words are not kept for whoever reads this memory later.
    this.#view.setUint32(this.#at, 0);
    this.#at += 4;
    return word;
  }

  /** A uniform integer in [0, bound), by rejection: a remainder alone would favour small values. */
  below(bound: number): number {
    const limit = 2 ** 32 - 2 ** 32 % bound;
    for (;;) {
      const word = this.word();
      if (word < limit) return word % bound;
    }
  }
}
