import { equal, ok } from "node:assert/strict";
import { seededRandom } from "../../tests/fakes/seeded_random.ts";
import { sampleSecret, sampleUniform } from "./key_sampling.ts";
import { DEGREE, P, Q, SECRET_WEIGHT } from "./params.ts";
import { RandomWords } from "./random_words.ts";

/** Chi-squared of counts against equal shares; its mean is the number of counts less one. */
function chiSquared(counts: readonly number[]): number {
  const share = counts.reduce((sum, count) => sum + count, 0) / counts.length;
  return counts.reduce((sum, count) => sum + (count - share) ** 2 / share, 0);
}

/** Mean plus six standard deviations of chi-squared. */
function chiSquaredBound(counts: number): number {
  return counts - 1 + 6 * Math.sqrt(2 * (counts - 1));
}

function tally(values: Iterable<number>, bins: number): number[] {
  const counts = new Array<number>(bins).fill(0);
  for (const value of values) counts[value]!++;
  return counts;
}

Deno.test("secrets have exactly 2730 non-zero coefficients, evenly placed, signs evenly drawn", () => {
  const words = new RandomWords(seededRandom("secrets"));
  const runs = 300;
  const used = new Array<number>(DEGREE).fill(0);
  let positive = 0;
  for (let i = 0; i < runs; i++) {
    const secret = sampleSecret(words);
    equal(secret.filter((value) => value !== 0).length, SECRET_WEIGHT);
    secret.forEach((value, place) => used[place]! += Math.abs(value));
    positive += secret.filter((value) => value === 1).length;
  }
  // Places are used with probability 2/3: each count is binomial, so this sum is chi-squared scaled by 1 - 2/3.
  ok(chiSquared(used) / (1 - SECRET_WEIGHT / DEGREE) < chiSquaredBound(DEGREE));
  const signs = runs * SECRET_WEIGHT;
  ok(Math.abs(positive - signs / 2) < 5 * Math.sqrt(signs) / 2, `${positive} of ${signs} are positive`);
});

Deno.test("sampleUniform() is uniform below the modulus, in its highest and its lowest bits", () => {
  for (const modulus of [Q, P]) {
    const words = new RandomWords(seededRandom(`uniform ${modulus}`));
    const residues = Array.from({ length: 30 }, () => [...new BigUint64Array(sampleUniform(modulus, words).buffer)])
      .flat();
    ok(residues.every((residue) => residue < modulus));
    const high = tally(residues.map((residue) => Number(residue * 256n / modulus)), 256);
    const low = tally(residues.map((residue) => Number(residue & 255n)), 256);
    const middle = tally(residues.map((residue) => Number(residue >> 28n & 255n)), 256);
    for (const counts of [high, low, middle]) ok(chiSquared(counts) < chiSquaredBound(256), `${chiSquared(counts)}`);
  }
});

Deno.test("sampleUniform() draws again what is not below the modulus, instead of reducing it", () => {
  for (const modulus of [Q, P]) {
    const candidates = [modulus, modulus + 1n, 2n ** 64n - 1n, modulus - 1n, 0n];
    const words = new RandomWords({
      bytes(length) {
        const bytes = new Uint8Array(length);
        new BigUint64Array(bytes.buffer, 0, 5).set(BigUint64Array.from(candidates.splice(0, 5)));
        return bytes;
      },
    });
    const residues = new BigUint64Array(sampleUniform(modulus, words).buffer);
    equal(residues[0], modulus - 1n);
    equal(residues[1], 0n);
  }
});

Deno.test("below() draws again instead of favouring small values", () => {
  const drawn = [2 ** 32 - 1, 2 ** 32 - 2, 5];
  const words = new RandomWords({
    bytes(length) {
      const bytes = new Uint8Array(length);
      new Uint32Array(bytes.buffer).set(drawn.splice(0));
      return bytes;
    },
  });
  // 2^32 = 1 mod 3, so the highest value alone must go; 2^32 - 2 is a multiple of 3 less one.
  equal(words.below(3), 2);
  equal(words.below(3), 2);
});
