/**
 * The random parts of a key: secrets and uniform polynomials. Errors are `gaussian.ts`'s.
 *
 * @module
 */

import { DEGREE, POLY_BYTES, SECRET_WEIGHT } from "./params.ts";
import type { RandomWords } from "./random_words.ts";

/** Draws a secret: a uniformly random support of 2730 coefficients, each with a random sign. */
export function sampleSecret(words: RandomWords): Int8Array<ArrayBuffer> {
  const places = Uint16Array.from({ length: DEGREE }, (_, i) => i);
  const secret = new Int8Array(DEGREE);
  // The first steps of a Fisher-Yates shuffle: every set of places is equally likely.
  for (let i = 0; i < SECRET_WEIGHT; i++) {
    const chosen = i + words.below(DEGREE - i);
    const place = places[chosen]!;
    places[chosen] = places[i]!;
    secret[place] = words.below(2) === 0 ? 1 : -1;
  }
  return secret;
}

/**
 * Draws 4096 independent uniform residues, in stored form.
 *
 * Candidates have as many bits as the modulus and are drawn again when they are not below it. Both moduli lie just
 * under a power of two, so that this happens less than once in a hundred million draws.
 */
export function sampleUniform(modulus: bigint, words: RandomWords): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(POLY_BYTES);
  const view = new DataView(bytes.buffer);
  const highMask = Number(((1n << BigInt(modulus.toString(2).length)) - 1n) >> 32n);
  const modulusHigh = Number(modulus >> 32n);
  const modulusLow = Number(modulus & 0xffffffffn);
  for (let i = 0; i < DEGREE;) {
    const low = words.word();
    const high = (words.word() & highMask) >>> 0;
    if (high > modulusHigh || (high === modulusHigh && low >= modulusLow)) continue;
    view.setUint32(8 * i, low, true);
    view.setUint32(8 * i + 4, high, true);
    i++;
  }
  return bytes;
}
