/**
 * The number-theoretic transform modulo Q with doubles, exactly.
 *
 * A double holds every integer up to 2^53, and Q is just below 2^51, so residues, their sums and small multiples are
 * exact. Only products are too long, at 102 bits: {@link multiplyLazily} splits both operands into 26-bit halves and
 * subtracts the right multiple of Q before anything is rounded. The loops have no data-dependent branch: they keep
 * residues "lazily", within 3Q of zero, and reduce by rounding instead of comparing, which is five times as fast as
 * branches that guess wrong half of the time. It also means that no branch depends on the secret key here; it does not
 * make the code constant-time, which JavaScript cannot promise.
 *
 * @module
 */

import { DEGREE, PSI_Q, Q as Q_BIGINT, Q_BELOW_2_51 } from "./params.ts";
import { inverseMod, rootPowers } from "./ntt_bigint.ts";
import type { PolyRing } from "./poly_ring.ts";

/** 4096 residues modulo Q, each an integer in [0, Q). */
export type DoublePoly = Float64Array<ArrayBuffer>;

/** Constants prepared for multiplication: each is `high + low`, and `quotient` is its share of Q. */
export interface DoubleFactor {
  /** The constant divided by Q, rounded to a double. */
  readonly quotient: Float64Array<ArrayBuffer>;
  /** The constant without its lowest 26 bits. */
  readonly high: Float64Array<ArrayBuffer>;
  /** The lowest 26 bits of the constant. */
  readonly low: Float64Array<ArrayBuffer>;
}

/** The ring modulo Q. */
export type DoubleRing = PolyRing<DoublePoly, DoubleFactor>;

const Q = Number(Q_BIGINT);
const INVERSE_Q = 1 / Q;
const HALF = 2 ** 26;
const INVERSE_HALF = 2 ** -26;
const TWO_51 = 2 ** 51;
const TWO_32 = 2 ** 32;

/**
 * `x * c mod Q`, up to a multiple of Q, where c is given as a {@link DoubleFactor} gives it.
 *
 * For |x| <= 3Q the result lies in [-1.5Q, 2.5Q] and is exact. The guess of the quotient is off by at most
 * 1 + |x| * 2^-52, because c/Q and its product with x are rounded once each. With x = xh + xl and guess = gh + gl
 * split at bit 26, and Q = 2^51 - d,
 *
 *     x*c - guess*Q = (xh*ch - guess*2^51) + (xh*cl + xl*ch) + gh*d + (xl*cl + gl*d)
 *
 * Every product is a multiple of a power of two and has at most 53 significant bits above it. Each partial sum, in
 * this order, is what remains of a small result, so it is short as well: no step rounds. `ntt_test.ts` checks this
 * on edge values and at random against BigInt. Reordering the sum breaks it.
 */
export function multiplyLazily(x: number, quotient: number, high: number, low: number): number {
  const guess = Math.floor(x * quotient);
  const xHigh = Math.floor(x * INVERSE_HALF) * HALF;
  const xLow = x - xHigh;
  const guessHigh = Math.floor(guess * INVERSE_HALF) * HALF;
  const guessLow = guess - guessHigh;
  return ((xHigh * high - guess * TWO_51) + (xHigh * low + xLow * high) + guessHigh * Q_BELOW_2_51) +
    (xLow * low + guessLow * Q_BELOW_2_51);
}

/** Moves a value within 3Q of zero to within half of Q of zero (a few units more at the edge). */
function nearZero(value: number): number {
  return value - Q * Math.floor(value * INVERSE_Q + 0.5);
}

/** Moves a value within 3Q of zero into [0, Q). */
function canonical(value: number): number {
  const residue = value - Q * Math.floor(value * INVERSE_Q);
  return residue < 0 ? residue + Q : residue >= Q ? residue - Q : residue;
}

function factorOf(poly: ArrayLike<number>): DoubleFactor {
  const high = Float64Array.from(poly, (value) => Math.floor(value * INVERSE_HALF) * HALF);
  return {
    quotient: Float64Array.from(poly, (value) => value / Q),
    high,
    low: high.map((part, i) => poly[i]! - part),
  };
}

function rootFactor(root: bigint): DoubleFactor {
  return factorOf(Float64Array.from(rootPowers(root, Q_BIGINT), Number));
}

/** Values enter in [0, Q). From one layer to the next they stay within 3Q: half of Q, plus a product's 2.5Q. */
function forward(x: DoublePoly, roots: DoubleFactor): void {
  for (let blocks = 1, half = DEGREE / 2; blocks < DEGREE; blocks *= 2, half /= 2) {
    for (let block = 0; block < blocks; block++) {
      const place = blocks + block;
      const quotient = roots.quotient[place]!, high = roots.high[place]!, low = roots.low[place]!;
      const start = 2 * block * half;
      for (let j = start; j < start + half; j++) {
        const u = nearZero(x[j]!);
        const v = multiplyLazily(x[j + half]!, quotient, high, low);
        x[j] = u + v;
        x[j + half] = u - v;
      }
    }
  }
  for (let j = 0; j < DEGREE; j++) x[j] = canonical(x[j]!);
}

/** Both outputs of a layer are at most 1.25Q from zero, so that sum and difference of the next stay below 3Q. */
function inverse(x: DoublePoly, roots: DoubleFactor, inverseDegree: DoubleFactor): void {
  for (let half = 1, blocks = DEGREE / 2; half < DEGREE; half *= 2, blocks /= 2) {
    for (let block = 0; block < blocks; block++) {
      const place = blocks + block;
      const quotient = roots.quotient[place]!, high = roots.high[place]!, low = roots.low[place]!;
      const start = 2 * block * half;
      for (let j = start; j < start + half; j++) {
        const u = x[j]!;
        const v = x[j + half]!;
        x[j] = nearZero(u + v);
        x[j + half] = multiplyLazily(nearZero(u - v), quotient, high, low);
      }
    }
  }
  const quotient = inverseDegree.quotient[0]!, high = inverseDegree.high[0]!, low = inverseDegree.low[0]!;
  for (let j = 0; j < DEGREE; j++) x[j] = canonical(multiplyLazily(x[j]!, quotient, high, low));
}

function readResidues(bytes: Uint8Array, offset: number): DoublePoly | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset + offset, DEGREE * 8);
  const poly = new Float64Array(DEGREE);
  let inRange = true;
  for (let i = 0; i < DEGREE; i++) {
    // Above 2^53 this sum is rounded, but to something that is still far above Q.
    const residue = view.getUint32(8 * i + 4, true) * TWO_32 + view.getUint32(8 * i, true);
    inRange = inRange && residue < Q;
    poly[i] = residue;
  }
  return inRange ? poly : null;
}

function writeResidues(poly: DoublePoly, bytes: Uint8Array, offset: number): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset + offset, DEGREE * 8);
  for (let i = 0; i < DEGREE; i++) {
    const high = Math.floor(poly[i]! / TWO_32);
    view.setUint32(8 * i, poly[i]! - high * TWO_32, true);
    view.setUint32(8 * i + 4, high, true);
  }
}

function multiplyAdd(poly: DoublePoly, factor: DoubleFactor, addend: DoublePoly): DoublePoly {
  const result = new Float64Array(DEGREE);
  for (let i = 0; i < DEGREE; i++) {
    const product = multiplyLazily(poly[i]!, factor.quotient[i]!, factor.high[i]!, factor.low[i]!);
    result[i] = canonical(nearZero(product) + addend[i]!);
  }
  return result;
}

function centred(poly: DoublePoly): Float64Array<ArrayBuffer> {
  const half = (Q - 1) / 2;
  return poly.map((residue) => residue > half ? residue - Q : residue);
}

/** Makes the ring modulo Q: two tables of roots, half a megabyte, a few milliseconds. */
export function doubleRing(): DoubleRing {
  const roots = rootFactor(PSI_Q);
  const inverseRoots = rootFactor(inverseMod(PSI_Q, Q_BIGINT));
  const inverseDegree = factorOf([Number(inverseMod(BigInt(DEGREE), Q_BIGINT))]);
  return {
    modulus: Q_BIGINT,
    fromIntegers: (values) => Float64Array.from(values, (value) => (value % Q + Q) % Q),
    filled: (value) => new Float64Array(DEGREE).fill(Number((value % Q_BIGINT + Q_BIGINT) % Q_BIGINT)),
    read: readResidues,
    write: writeResidues,
    forward: (poly) => forward(poly, roots),
    inverse: (poly) => inverse(poly, inverseRoots, inverseDegree),
    factor: factorOf,
    multiplyAdd,
    residue: (poly, index) => BigInt(poly[index]!),
    centred,
  };
}
