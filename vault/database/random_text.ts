/**
 * Random text of given characters.
 *
 * @module
 */

import type { RandomSource } from "../ports.ts";

/** Digits and letters. */
export const ALPHANUMERIC = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const UPPER = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const LOWER = UPPER.toLowerCase();
const DIGITS = "0123456789";

/** Draws whole numbers from random bytes that were taken together: to ask for four at a time costs more than the rest. */
class Draws {
  readonly #random: RandomSource;
  #bytes: DataView<ArrayBufferLike>;
  #at = 0;

  constructor(random: RandomSource, expected: number) {
    this.#random = random;
    this.#bytes = viewOf(random.bytes(expected * 4));
  }

  /** A whole number from 0 to `limit` - 1, each as likely as the others. */
  below(limit: number): number {
    const range = 2 ** 32;
    const fair = range - range % limit;
    for (;;) {
      const drawn = this.#next();
      if (drawn < fair) return drawn % limit;
    }
  }

  #next(): number {
    if (this.#at === this.#bytes.byteLength) {
      this.#bytes = viewOf(this.#random.bytes(4));
      this.#at = 0;
    }
    const drawn = this.#bytes.getUint32(this.#at);
    this.#at += 4;
    return drawn;
  }
}

function viewOf({ buffer, byteOffset, byteLength }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, byteLength);
}

/** So many characters of a set. */
export function randomText(random: RandomSource, length: number, charset = ALPHANUMERIC): string {
  const characters = [...charset];
  const draws = new Draws(random, length);
  return Array.from({ length }, () => characters[draws.below(characters.length)]!).join("");
}

/** The same characters in another order, each order as likely as the others (Fisher and Yates). */
export function shuffled(random: RandomSource, text: string): string {
  const characters = [...text];
  const draws = new Draws(random, Math.max(0, characters.length - 1));
  for (let i = characters.length - 1; i > 0; i--) {
    const j = draws.below(i + 1);
    [characters[i], characters[j]] = [characters[j]!, characters[i]!];
  }
  return characters.join("");
}

/** A password of 20 characters with an upper-case and a lower-case letter, a digit and a dash: safe in URLs and in SQL. */
export function defaultPassword(random: RandomSource): string {
  const one = (charset: string) => randomText(random, 1, charset);
  return shuffled(random, `${one(UPPER)}${one(LOWER)}${one(DIGITS)}${one("-")}${randomText(random, 16)}`);
}
