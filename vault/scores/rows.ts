/**
 * Which coefficient of a block is which row of the index.
 *
 * An index of dimension d splits each vector into chunks of R coefficients, its rank, and so has room for I = 4096/R
 * items in one polynomial. The sum of item i of the k-th polynomial packed into a block lands on coefficient i*R + k,
 * and the rows are counted polynomial by polynomial.
 *
 * @module
 */

import { DEGREE, MAX_DIMENSION, MIN_DIMENSION } from "./params.ts";

/** No index has chunks shorter than this. */
const MIN_RANK = 32;

/**
 * The rank R of an index: 32 for every dimension below 4096, and 64 there.
 *
 * @param dimension Length of the vectors, 32 to 4096.
 * @throws {RangeError} for any other dimension: it comes from a checked key or from configuration.
 */
export function rankOf(dimension: number): number {
  if (!Number.isInteger(dimension) || dimension < MIN_DIMENSION || dimension > MAX_DIMENSION) {
    throw new RangeError(`Dimension ${dimension} is not an integer from ${MIN_DIMENSION} to ${MAX_DIMENSION}`);
  }
  return Math.max(MIN_RANK, 2 ** Math.floor(Math.log2(dimension) / 2));
}

/** For each row 0..4095 of a block, the coefficient that holds its score. */
export function coefficientOfRow(rank: number): Uint16Array<ArrayBuffer> {
  const items = DEGREE / rank;
  return Uint16Array.from({ length: DEGREE }, (_, row) => (row % items) * rank + Math.floor(row / items));
}
