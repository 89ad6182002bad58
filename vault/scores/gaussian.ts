/**
 * Errors: the integer nearest to a Gaussian of standard deviation 3.2 and mean 0.
 *
 * Sampling is by inversion of the exact distribution: P(|e| <= k) = erf((k + 1/2) / (3.2 * sqrt 2)). A table holds
 * these probabilities as integers out of 2^127, computed here with BigInt, and one comparison of a 127-bit random
 * number with it gives |e|; a further bit gives the sign. The table ends where the probability rounds to 1, so that
 * no error is above 42: what is cut off has probability below 2^-126. Each sample's distribution is within 2^-120 of
 * the true one in statistical distance, and a whole key set of 270,000 samples within 2^-100.
 *
 * @module
 */

import { DEGREE, ERROR_DEVIATION } from "./params.ts";
import type { RandomWords } from "./random_words.ts";

/** Bits of a probability in the table; with the sign they make four 32-bit words. */
const PROBABILITY_BITS = 127n;

/** Bits behind the point while computing: the series' largest term, e^203, and its cancellation fit three times. */
const WORKING_BITS = 900n;

/** An argument at which erf differs from 1 by less than 2^-290: the value that the others are divided by. */
const SATURATED = 64;

/**
 * A fixed multiple of erf((k + 1/2) / (sigma * sqrt 2)), by its series; the multiple cancels in quotients.
 *
 * erf(x) = 2/sqrt(pi) * sum (-1)^n x^(2n+1) / (n! (2n+1)), where x^2 = (2k+1)^2 / (8 sigma^2).
 */
function scaledErf(k: number): bigint {
  // sigma = 16/5, so 8 sigma^2 = 2048/25, exactly.
  const odd = BigInt(2 * k + 1);
  const numerator = 25n * odd * odd;
  let term = odd << WORKING_BITS;
  let sum = 0n;
  for (let n = 1n; term !== 0n; n++) {
    sum += term / (2n * n - 1n);
    term = -term * numerator / (2048n * n);
  }
  return sum;
}

/** P(|e| <= k) for k = 0, 1, ... in units of 2^-127, up to the last that is below 1. */
export function errorProbabilities(): bigint[] {
  if (ERROR_DEVIATION !== 16 / 5) throw new RangeError("The series is written for a standard deviation of 16/5");
  const one = scaledErf(SATURATED);
  const table: bigint[] = [];
  for (let k = 0;; k++) {
    const probability = ((scaledErf(k) << PROBABILITY_BITS) + one / 2n) / one;
    if (probability >= 1n << PROBABILITY_BITS) return table;
    table.push(probability);
  }
}

/** Makes a sampler of polynomials with error coefficients. The table takes some ten milliseconds. */
export function errorSampler(words: RandomWords): () => Int8Array<ArrayBuffer> {
  const table = errorProbabilities();
  // The first 31 bits decide nearly every sample; the rest is drawn only where they tie.
  const heads = Int32Array.from(table, (probability) => Number(probability >> 96n));
  const tails = table.map((probability) => probability & ((1n << 96n) - 1n));
  const magnitude = (head: number): number => {
    let size = 0;
    while (size < heads.length && head > heads[size]!) size++;
    if (head !== heads[size]) return size;
    const tail = BigInt(words.word()) << 64n | BigInt(words.word()) << 32n | BigInt(words.word());
    while (head === heads[size] && tail >= tails[size]!) size++;
    return size;
  };
  const sample = (): number => {
    const word = words.word();
    const size = magnitude(word >>> 1);
    return word & 1 ? -size : size;
  };
  return () => Int8Array.from({ length: DEGREE }, sample);
}
