import { deepEqual, equal } from "node:assert/strict";
import { seededRandom } from "../../tests/fakes/seeded_random.ts";
import { vectorJson } from "./_test_support.ts";
import { sampleUniform } from "./key_sampling.ts";
import { bigIntRing, inverseMod, powMod } from "./ntt_bigint.ts";
import { DEGREE, DEGREE_BITS, P, PSI_P, PSI_Q, Q, Q_BELOW_2_51 } from "./params.ts";
import { reverseBits } from "./poly_ring.ts";
import { RandomWords } from "./random_words.ts";

interface NttVector {
  q_first: string[];
  q_last: string;
  p_first: string[];
  p_last: string;
}

Deno.test("the parameters fit together", () => {
  for (const [modulus, psi] of [[Q, PSI_Q], [P, PSI_P]] as const) {
    equal(modulus % (2n * BigInt(DEGREE)), 1n);
    equal(powMod(psi, BigInt(DEGREE), modulus), modulus - 1n);
    equal(psi * inverseMod(psi, modulus) % modulus, 1n);
  }
  equal(Q, 2n ** 51n - BigInt(Q_BELOW_2_51));
  equal(inverseMod(BigInt(DEGREE), Q), 2251250057740321n);
  equal(inverseMod(BigInt(DEGREE), P), 36020000921355361n);
  equal(inverseMod(PSI_Q, Q), 227849974872913n);
  equal(inverseMod(PSI_P, P), 18069112767423077n);
  equal(inverseMod(P % Q, Q), 1069093203074707n);
});

Deno.test("the BigInt transform gives the recorded values modulo Q and P", () => {
  const vector = vectorJson<NttVector>("ntt.json");
  const cases = [[Q, PSI_Q, vector.q_first, vector.q_last], [P, PSI_P, vector.p_first, vector.p_last]] as const;
  for (const [modulus, psi, first, last] of cases) {
    const ring = bigIntRing(modulus, psi);
    const poly = ring.fromIntegers(Array.from({ length: DEGREE }, (_, i) => i * i + 1));
    ring.forward(poly);
    deepEqual(Array.from(poly.subarray(0, 8), String), first);
    equal(String(poly[DEGREE - 1]), last);
  }
});

Deno.test("the BigInt transform is the sum that defines it, and inverse() undoes it", () => {
  for (const [modulus, psi] of [[Q, PSI_Q], [P, PSI_P]] as const) {
    const ring = bigIntRing(modulus, psi);
    const x = ring.read(sampleUniform(modulus, new RandomWords(seededRandom(`${modulus}`))), 0)!;
    const y = x.slice();
    ring.forward(y);
    for (const k of [0, 1, 2, 1000, 2048, DEGREE - 1]) {
      const root = powMod(psi, BigInt(2 * reverseBits(k, DEGREE_BITS) + 1), modulus);
      const sum = x.reduceRight((total, value) => (total * root + value) % modulus, 0n);
      equal(y[k], sum, `value ${k}`);
    }
    ring.inverse(y);
    deepEqual(y, x);
  }
});

Deno.test("pointwise products are products of polynomials modulo X^4096 + 1", () => {
  for (const [modulus, psi] of [[Q, PSI_Q], [P, PSI_P]] as const) {
    const ring = bigIntRing(modulus, psi);
    const [x, y] = [[4095, 3], [2, -5]].map(([place, value]) => {
      const poly = new Array<number>(DEGREE).fill(0);
      poly[place!] = value!;
      const transformed = ring.fromIntegers(poly);
      ring.forward(transformed);
      return transformed;
    });
    const product = ring.multiplyAdd(x!, ring.factor(y!), ring.filled(0n));
    ring.inverse(product);
    const expected = new Float64Array(DEGREE);
    expected[1] = 15; // X^4095 * X^2 = -X
    deepEqual(ring.centred(product), expected);
  }
});
