/**
 * The number-theoretic transform with BigInt: exact by construction, for any prime m = 1 mod 8192.
 *
 * It is written as plainly as possible, because the tests of the fast transform believe it. In service it does the
 * arithmetic modulo P: key generation, and ciphertexts of level 1.
 *
 * @module
 */

import { DEGREE, DEGREE_BITS } from "./params.ts";
import { type PolyRing, reverseBits } from "./poly_ring.ts";

/** 4096 residues. */
export type BigPoly = BigUint64Array<ArrayBuffer>;

/** Polynomials modulo any suitable prime; a factor is simply a polynomial. */
export type BigIntRing = PolyRing<BigPoly, BigPoly>;

/** `base ** exponent mod modulus`. */
export function powMod(base: bigint, exponent: bigint, modulus: bigint): bigint {
  let result = 1n;
  for (let square = base % modulus, rest = exponent; rest > 0n; rest >>= 1n, square = square * square % modulus) {
    if (rest & 1n) result = result * square % modulus;
  }
  return result;
}

/** The inverse of `value` modulo a prime (Fermat). */
export function inverseMod(value: bigint, prime: bigint): bigint {
  return powMod(value, prime - 2n, prime);
}

/** Powers root^0 .. root^4095, the i-th one at the bit-reversed place of i, as the butterflies ask for them. */
export function rootPowers(root: bigint, modulus: bigint): BigPoly {
  const powers = new BigUint64Array(DEGREE);
  for (let i = 0, power = 1n; i < DEGREE; i++, power = power * root % modulus) {
    powers[reverseBits(i, DEGREE_BITS)] = power;
  }
  return powers;
}

function forward(x: BigPoly, roots: BigPoly, modulus: bigint): void {
  for (let blocks = 1, half = DEGREE / 2; blocks < DEGREE; blocks *= 2, half /= 2) {
    for (let block = 0; block < blocks; block++) {
      const root = roots[blocks + block]!;
      const start = 2 * block * half;
      for (let j = start; j < start + half; j++) {
        const u = x[j]!;
        const v = x[j + half]! * root % modulus;
        x[j] = (u + v) % modulus;
        x[j + half] = (u + modulus - v) % modulus;
      }
    }
  }
}

function inverse(x: BigPoly, roots: BigPoly, modulus: bigint): void {
  for (let half = 1, blocks = DEGREE / 2; half < DEGREE; half *= 2, blocks /= 2) {
    for (let block = 0; block < blocks; block++) {
      const root = roots[blocks + block]!;
      const start = 2 * block * half;
      for (let j = start; j < start + half; j++) {
        const u = x[j]!;
        const v = x[j + half]!;
        x[j] = (u + v) % modulus;
        x[j + half] = (u + modulus - v) * root % modulus;
      }
    }
  }
}

function readResidues(bytes: Uint8Array, offset: number, modulus: bigint): BigPoly | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset + offset, DEGREE * 8);
  const poly = new BigUint64Array(DEGREE);
  for (let i = 0; i < DEGREE; i++) {
    const residue = view.getBigUint64(8 * i, true);
    if (residue >= modulus) return null;
    poly[i] = residue;
  }
  return poly;
}

function writeResidues(poly: BigPoly, bytes: Uint8Array, offset: number): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset + offset, DEGREE * 8);
  for (let i = 0; i < DEGREE; i++) view.setBigUint64(8 * i, poly[i]!, true);
}

/**
 * Makes the ring of polynomials modulo `modulus`.
 *
 * @param modulus A prime with `modulus mod 8192 = 1`, below 2^63.
 * @param psi A primitive 8192-th root of unity modulo it.
 */
export function bigIntRing(modulus: bigint, psi: bigint): BigIntRing {
  const roots = rootPowers(psi, modulus);
  const inverseRoots = rootPowers(inverseMod(psi, modulus), modulus);
  const inverseDegree = inverseMod(BigInt(DEGREE), modulus);
  const reduce = (value: bigint) => (value % modulus + modulus) % modulus;
  const half = modulus / 2n;
  return {
    modulus,
    fromIntegers: (values) => BigUint64Array.from(values, (value) => reduce(BigInt(value))),
    filled: (value) => new BigUint64Array(DEGREE).fill(reduce(value)),
    read: (bytes, offset) => readResidues(bytes, offset, modulus),
    write: writeResidues,
    forward: (poly) => forward(poly, roots, modulus),
    inverse(poly) {
      inverse(poly, inverseRoots, modulus);
      for (let i = 0; i < DEGREE; i++) poly[i] = poly[i]! * inverseDegree % modulus;
    },
    factor: (poly) => poly,
    multiplyAdd: (poly, factor, addend) => poly.map((value, i) => (value * factor[i]! + addend[i]!) % modulus),
    residue: (poly, index) => poly[index]!,
    centred: (poly) => Float64Array.from(poly, (value) => Number(value > half ? value - modulus : value)),
  };
}
