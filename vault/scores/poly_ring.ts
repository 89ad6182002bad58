/**
 * What the score code asks of modular polynomial arithmetic.
 *
 * There are two implementations. `ntt.ts` computes modulo Q with doubles, exactly, and is what a request runs on.
 * `ntt_bigint.ts` computes modulo any suitable prime with BigInt: it serves the 55-bit modulus P, which no double
 * holds, and is the oracle that the tests hold the fast one against.
 *
 * @module
 */

/**
 * Polynomials of Z_m[X]/(X^4096 + 1), held as 4096 canonical residues, either coefficients or NTT values.
 * Which of the two a `Poly` is, is the caller's to know. Products are pointwise, so both operands are NTT values.
 *
 * @typeParam Poly How 4096 residues are held.
 * @typeParam Factor A polynomial prepared for many multiplications by it.
 */
export interface PolyRing<Poly, Factor> {
  /** The prime m. */
  readonly modulus: bigint;
  /** Reduces 4096 safe integers of any sign. */
  fromIntegers(values: ArrayLike<number>): Poly;
  /** The polynomial whose 4096 places all hold `value mod m`: as NTT values, the constant `value`. */
  filled(value: bigint): Poly;
  /** Reads 4096 little-endian 64-bit integers; null when one of them is not below the modulus. */
  read(bytes: Uint8Array, offset: number): Poly | null;
  /** Writes what {@link read} reads. */
  write(poly: Poly, bytes: Uint8Array, offset: number): void;
  /** Coefficients in natural order to NTT values in bit-reversed order, in place. */
  forward(poly: Poly): void;
  /** The inverse of {@link forward}, in place. */
  inverse(poly: Poly): void;
  /** Prepares a polynomial that others will be multiplied by. */
  factor(poly: Poly): Factor;
  /** `poly * factor + addend`, pointwise. */
  multiplyAdd(poly: Poly, factor: Factor, addend: Poly): Poly;
  /** The residue at one place. */
  residue(poly: Poly, index: number): bigint;
  /** Residues moved to (-m/2, m/2); exact below 2^53, rounded to the nearest double above. */
  centred(poly: Poly): Float64Array<ArrayBuffer>;
}

/** Reverses the lowest `bits` bits of `value`: the order in which the transforms keep roots and results. */
export function reverseBits(value: number, bits: number): number {
  let reversed = 0;
  for (let rest = value, i = 0; i < bits; i++, rest >>= 1) reversed = (reversed << 1) | (rest & 1);
  return reversed;
}
