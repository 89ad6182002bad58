/**
 * Level 1: one integer modulo Q*P out of its residues modulo Q and modulo P (Chinese remainder theorem).
 *
 * @module
 */

import { DEGREE, P, Q } from "./params.ts";
import { inverseMod } from "./ntt_bigint.ts";

const MODULUS = Q * P;

/** Q*P as a double: close enough to say how large a share of the range a value takes. */
export const LEVEL_1_MODULUS = Number(MODULUS);

/**
 * The integers in (-Q*P/2, Q*P/2) with the given residues; exact below 2^53, rounded to the nearest double above.
 *
 * @param residueQ Residue modulo Q of the i-th one.
 * @param residueP Residue modulo P of the i-th one.
 */
export function combineResidues(
  residueQ: (index: number) => bigint,
  residueP: (index: number) => bigint,
): Float64Array<ArrayBuffer> {
  const inverseQ = inverseMod(Q, P);
  const centred = new Float64Array(DEGREE);
  for (let i = 0; i < DEGREE; i++) {
    const low = residueQ(i);
    const steps = (residueP(i) + P - low) % P * inverseQ % P;
    const value = low + Q * steps;
    centred[i] = Number(value > MODULUS / 2n ? value - MODULUS : value);
  }
  return centred;
}
