/**
 * Tells scores from noise.
 *
 * A ciphertext under another key, or with any residue changed, decrypts to coefficients that are spread evenly over
 * the whole range of the modulus. Scores are not: even those of vectors that were never normalised crowd somewhere,
 * and leave the ends of the range, where the next larger score would wrap around, nearly empty. So a block is noise
 * when each of 32 equal intervals of the range holds about its share, 128, of the block's 4096 coefficients. All of
 * them count, the unused ones too, however few rows the block has.
 *
 * Error rates (`docs/fhe.md` derives them, `noise_test.ts` computes them):
 * - Noise is taken for scores with probability below 2^-47 a block: for evenly spread coefficients each count is
 *   binomial(4096, 1/32), and 32 times the sum of its two tails is a bound.
 * - Scores are never taken for noise if the interval at either end, 3.75 to 4 or -4 to -3.75, holds fewer than 48
 *   coefficients, or any interval more than 230: so never for vectors whose norms multiply to less than 3.75, and
 *   never for a block with 461 unused rows.
 *
 * @module
 */

/** Equal parts of the range. */
export const INTERVALS = 32;

/** Fewer or more coefficients than these in any interval, and a block is not noise. */
export const LEAST_IN_INTERVAL = 48;
/** More in one interval than this is a peak, which noise does not have. */
export const MOST_IN_INTERVAL = 230;

/**
 * Whether the coefficients of a block are spread evenly over the range of their modulus.
 *
 * @param centred The 4096 centred coefficients.
 * @param modulus The modulus they are centred for.
 */
export function isNoise(centred: Float64Array, modulus: number): boolean {
  const counts = new Uint32Array(INTERVALS);
  for (const coefficient of centred) {
    const interval = Math.floor((coefficient / modulus + 0.5) * INTERVALS);
    // The largest centred value of a large modulus rounds up to the end of the range.
    counts[Math.min(interval, INTERVALS - 1)]!++;
  }
  return counts.every((count) => count >= LEAST_IN_INTERVAL && count <= MOST_IN_INTERVAL);
}
