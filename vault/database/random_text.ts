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

/** Bytes that are drawn in one go at least: to ask for a few at a time costs more than the rest. */
const LEAST_BYTES = 16;

/** Draws whole numbers from random bytes that were taken together. */
class Draws {
  readonly #random: RandomSource;
  #bytes: Uint8Array;
  #at = 0;

  /** @param expected Numbers that are going to be drawn, about. */
  constructor(random: RandomSource, expected: number) {
    this.#random = random;
    // One byte of a quarter of them can be too large to be fair.
    this.#bytes = random.bytes(Math.max(LEAST_BYTES, Math.ceil(expected * 1.25)));
  }

  /** A whole number from 0 to `limit` - 1, each as likely as the others. */
  below(limit: number): number {
    const isByte = limit <= 256;
    const range = isByte ? 2 ** 8 : 2 ** 32;
    const fair = range - range % limit;
    for (;;) {
      const drawn = isByte ? this.#byte() : this.#word();
      if (drawn < fair) return drawn % limit;
    }
  }

  #byte(): number {
    if (this.#at === this.#bytes.length) {
      this.#bytes = this.#random.bytes(LEAST_BYTES);
      this.#at = 0;
    }
    return this.#bytes[this.#at++]!;
  }

  #word(): number {
    return ((this.#byte() * 256 + this.#byte()) * 256 + this.#byte()) * 256 + this.#byte();
  }
}

/** So many characters of a set. */
export function randomText(random: RandomSource, length: number, charset = ALPHANUMERIC): string {
  return drawnFrom(new Draws(random, length), length, charset);
}

function drawnFrom(draws: Draws, length: number, charset: string): string {
  // One of two halves of a character is none.
  const characters = charset === ALPHANUMERIC ? charset : [...charset];
  let text = "";
  for (let i = 0; i < length; i++) text += characters[draws.below(characters.length)]!;
  return text;
}

/** The same characters in another order, each order as likely as the others (Fisher and Yates). */
export function shuffled(random: RandomSource, text: string): string {
  return reordered(new Draws(random, text.length), text);
}

function reordered(draws: Draws, text: string): string {
  const characters = [...text];
  for (let i = characters.length - 1; i > 0; i--) {
    const j = draws.below(i + 1);
    [characters[i], characters[j]] = [characters[j]!, characters[i]!];
  }
  return characters.join("");
}

/** A password of 20 characters with an upper-case and a lower-case letter, a digit and a dash: safe in URLs and in SQL. */
export function defaultPassword(random: RandomSource): string {
  const draws = new Draws(random, 38);
  const one = (charset: string) => drawnFrom(draws, 1, charset);
  return reordered(draws, `${one(UPPER)}${one(LOWER)}${one(DIGITS)}-${drawnFrom(draws, 16, ALPHANUMERIC)}`);
}
