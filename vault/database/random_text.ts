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

/** A whole number from 0 to `below` - 1, each as likely as the others. */
export function randomBelow(random: RandomSource, below: number): number {
  const range = 2 ** 32;
  const limit = range - range % below;
  for (;;) {
    const drawn = new DataView(random.bytes(4).buffer).getUint32(0);
    if (drawn < limit) return drawn % below;
  }
}

/** So many characters of a set. */
export function randomText(random: RandomSource, length: number, charset = ALPHANUMERIC): string {
  const characters = [...charset];
  return Array.from({ length }, () => characters[randomBelow(random, characters.length)]!).join("");
}

/** The same characters in another order, each order as likely as the others (Fisher and Yates). */
export function shuffled(random: RandomSource, text: string): string {
  const characters = [...text];
  for (let i = characters.length - 1; i > 0; i--) {
    const j = randomBelow(random, i + 1);
    [characters[i], characters[j]] = [characters[j]!, characters[i]!];
  }
  return characters.join("");
}

/** A password of 20 characters with an upper-case and a lower-case letter, a digit and a dash: safe in URLs and in SQL. */
export function defaultPassword(random: RandomSource): string {
  const one = (charset: string) => randomText(random, 1, charset);
  return shuffled(random, `${one(UPPER)}${one(LOWER)}${one(DIGITS)}${one("-")}${randomText(random, 16)}`);
}
