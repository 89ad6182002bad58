import { deepEqual, equal, ok } from "node:assert/strict";
import fc from "fast-check";
import { seededRandom } from "../../tests/fakes/seeded_random.ts";
import { vectorJson } from "./_test_support.ts";
import { sampleSecret, sampleUniform } from "./key_sampling.ts";
import { doubleRing, multiplyLazily } from "./ntt.ts";
import { bigIntRing } from "./ntt_bigint.ts";
import { DEGREE, POLY_BYTES, PSI_Q, Q as Q_BIGINT } from "./params.ts";
import { RandomWords } from "./random_words.ts";

interface NttVector {
  q_first: string[];
  q_last: string;
  sk_coeff_first16: number[];
  sk_ntt_q_first4: string[];
}

const Q = Number(Q_BIGINT);
const fast = doubleRing();
const oracle = bigIntRing(Q_BIGINT, PSI_Q);

function constant(c: number): [number, number, number] {
  const low = c % 2 ** 26;
  return [c / Q, c - low, low];
}

/** Exact, congruent and within the bounds that the transforms rely on. */
function assertProduct(x: number, c: number): void {
  const product = multiplyLazily(x, ...constant(c));
  ok(Number.isSafeInteger(product), `${x} * ${c} is rounded`);
  equal((BigInt(product) - BigInt(x) * BigInt(c)) % Q_BIGINT, 0n, `${x} * ${c} is wrong`);
  ok(product >= -1.5 * Q && product <= 2.5 * Q, `${x} * ${c} is out of bounds`);
}

function randomPoly(seed: string) {
  return fast.read(sampleUniform(Q_BIGINT, new RandomWords(seededRandom(seed))), 0)!;
}

function residues(poly: ArrayLike<number>): BigUint64Array {
  return BigUint64Array.from(poly, BigInt);
}

Deno.test("multiplyLazily() is exact on edge values of both operands", () => {
  const halves = [0, 1, 2, 2 ** 25 - 1, 2 ** 25, 2 ** 26 - 1, 2 ** 26, 2 ** 26 + 1, 2 ** 50, 2 ** 51 - 2 ** 26];
  const constants = [...halves, Q - 1, Q - 2, (Q - 1) / 2, (Q + 1) / 2, Q - 2 ** 26].filter((c) => c >= 0 && c < Q);
  const operands = [...constants, Q, Q + 1, 1.5 * Q - 0.5, 2 * Q - 1, 2 * Q, 2.5 * Q - 0.5, 3 * Q - 1, 3 * Q];
  for (const c of constants) for (const x of operands) for (const signed of [x, -x]) assertProduct(signed, c);
});

Deno.test("multiplyLazily() agrees with BigInt on random operands within 3Q", () => {
  const operand = fc.bigInt(-3n * Q_BIGINT, 3n * Q_BIGINT).map(Number);
  const factor = fc.bigInt(0n, Q_BIGINT - 1n).map(Number);
  fc.assert(fc.property(operand, factor, assertProduct), { numRuns: 20_000 });
});

Deno.test("the fast transform gives the recorded values", () => {
  const vector = vectorJson<NttVector>("ntt.json");
  const poly = fast.fromIntegers(Array.from({ length: DEGREE }, (_, i) => i * i + 1));
  fast.forward(poly);
  deepEqual(Array.from(poly.subarray(0, 8), String), vector.q_first);
  equal(String(poly[DEGREE - 1]), vector.q_last);
});

Deno.test("the fast transform and its inverse agree with the BigInt oracle", () => {
  const corners = [
    new Array(DEGREE).fill(Q - 1),
    new Array(DEGREE).fill(0),
    Array.from({ length: DEGREE }, (_, i) => i % 2 ? Q - 1 : 1),
  ];
  const polys = [...corners, ...["a", "b", "c", "d"].map((seed) => [...randomPoly(seed)])];
  for (const values of polys) {
    for (const transform of ["forward", "inverse"] as const) {
      const got = fast.fromIntegers(values);
      const expected = oracle.fromIntegers(values);
      fast[transform](got);
      oracle[transform](expected);
      deepEqual(residues(got), expected);
    }
  }
});

Deno.test("inverse() undoes forward()", () => {
  const poly = randomPoly("round trip");
  const copy = poly.slice();
  fast.forward(copy);
  fast.inverse(copy);
  deepEqual(copy, poly);
});

Deno.test("the fast ring's other operations agree with the BigInt oracle", () => {
  const [x, y, z] = ["x", "y", "z"].map(randomPoly) as [Float64Array<ArrayBuffer>, ...Float64Array<ArrayBuffer>[]];
  const product = fast.multiplyAdd(x, fast.factor(y!), z!);
  deepEqual(residues(product), oracle.multiplyAdd(residues(x) as never, residues(y!) as never, residues(z!) as never));
  deepEqual(fast.centred(x), oracle.centred(residues(x) as never));
  const small = Array.from(sampleSecret(new RandomWords(seededRandom("s"))), (value) => value * 2 ** 40);
  deepEqual(residues(fast.fromIntegers(small)), oracle.fromIntegers(small));
  for (const value of [0n, 1n, -1n, Q_BIGINT, 5n * Q_BIGINT + 7n, -(2n ** 60n)]) {
    deepEqual(residues(fast.filled(value)), oracle.filled(value));
  }
  equal(fast.residue(x, 17), BigInt(x[17]!));
  const middle = fast.filled((Q_BIGINT - 1n) / 2n);
  middle[1] = (Q + 1) / 2;
  deepEqual([...fast.centred(middle).subarray(0, 2)], [(Q - 1) / 2, (1 - Q) / 2]);
});

Deno.test("read() and write() are inverse, and read() refuses a residue at or above the modulus", () => {
  const bytes = new Uint8Array(3 + POLY_BYTES);
  const poly = randomPoly("bytes");
  fast.write(poly, bytes, 3);
  deepEqual(fast.read(bytes, 3), poly);
  deepEqual(oracle.read(bytes, 3), residues(poly));
  const view = new DataView(bytes.buffer);
  for (const bad of [Q_BIGINT, Q_BIGINT + 1n, 2n ** 53n, 2n ** 53n + 1n, 2n ** 63n, 2n ** 64n - 1n]) {
    for (const place of [0, 1, DEGREE - 1]) {
      const kept = view.getBigUint64(3 + 8 * place, true);
      view.setBigUint64(3 + 8 * place, bad, true);
      equal(fast.read(bytes, 3), null, `${bad} at ${place}`);
      equal(oracle.read(bytes, 3), null);
      view.setBigUint64(3 + 8 * place, kept, true);
    }
  }
  view.setBigUint64(3, Q_BIGINT - 1n, true);
  equal(fast.read(bytes, 3)?.[0], Q - 1);
});
