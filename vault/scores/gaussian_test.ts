import { deepEqual, equal, ok } from "node:assert/strict";
import { seededRandom } from "../../tests/fakes/seeded_random.ts";
import { errorProbabilities, errorSampler } from "./gaussian.ts";
import { DEGREE, ERROR_DEVIATION } from "./params.ts";
import { RandomWords } from "./random_words.ts";

const SIGMA = ERROR_DEVIATION;

/** P(|e| <= k), by Simpson's rule over the density: another way than the series. */
function integrated(k: number): number {
  const steps = 4000, end = k + 0.5;
  const density = (x: number) => Math.exp(-x * x / (2 * SIGMA * SIGMA)) / (SIGMA * Math.sqrt(2 * Math.PI));
  let sum = 0;
  for (let i = 0; i <= steps; i++) sum += density(end * i / steps) * (i % steps === 0 ? 1 : i % 2 ? 4 : 2);
  return 2 * sum * end / steps / 3;
}

/** A source of random bytes that gives chosen words first. */
function wordsOf(...chosen: number[]): RandomWords {
  return new RandomWords({
    bytes(length) {
      const bytes = new Uint8Array(length);
      chosen.splice(0).forEach((word, i) => new DataView(bytes.buffer).setUint32(4 * i, word, true));
      return bytes;
    },
  });
}

Deno.test("errorProbabilities() are those of a rounded Gaussian", () => {
  const table = errorProbabilities();
  equal(table.length, 42);
  table.forEach((probability, k) => ok(Math.abs(Number(probability) / 2 ** 127 - integrated(k)) < 1e-12, `${k}`));
  ok(table.every((probability, k) => k === 0 || probability > table[k - 1]!));
  ok(2n ** 127n - table.at(-1)! < 8n, "the table ends where nothing is left");
});

Deno.test("errors have mean 0, the variance of a rounded Gaussian, and its probabilities", () => {
  const sample = errorSampler(new RandomWords(seededRandom("gaussian")));
  const polynomials = 64, count = polynomials * DEGREE;
  const errors = Array.from({ length: polynomials }, () => [...sample()]).flat();
  const mean = errors.reduce((sum, e) => sum + e, 0) / count;
  const variance = errors.reduce((sum, e) => sum + e * e, 0) / count;
  // Rounding adds the variance 1/12 of a uniform error. Bounds: five standard deviations of each statistic.
  const expected = SIGMA ** 2 + 1 / 12;
  ok(Math.abs(mean) < 5 * Math.sqrt(expected / count), `mean ${mean}`);
  ok(Math.abs(variance - expected) < 5 * expected * Math.sqrt(2 / count), `variance ${variance}`);
  for (let k = -12; k <= 12; k++) {
    const seen = errors.filter((e) => e === k).length;
    const both = integrated(Math.abs(k)) - (k === 0 ? 0 : integrated(Math.abs(k) - 1));
    const probability = k === 0 ? both : both / 2;
    const deviation = Math.sqrt(count * probability * (1 - probability));
    ok(Math.abs(seen - count * probability) < 5 * deviation, `${k} was seen ${seen} times`);
  }
});

Deno.test("a sample that ties with the table's first 31 bits is decided by the next 96", () => {
  const table = errorProbabilities();
  for (const k of [0, 1, 5, 20, 30, 40, 41]) {
    const threshold = table[k]!;
    const asWords = (
      u: bigint,
      sign: number,
    ) => [
      Number(u >> 96n) * 2 + sign,
      Number(u >> 64n & 0xffffffffn),
      Number(u >> 32n & 0xffffffffn),
      Number(u & 0xffffffffn),
    ];
    const first = (u: bigint, sign: number) => errorSampler(wordsOf(...asWords(u, sign)))()[0];
    equal(first(threshold - 1n, 0), k);
    equal(first(threshold, 0), k + 1);
    equal(first(threshold, 1), -(k + 1));
  }
  deepEqual(errorSampler(wordsOf(0))()[0], 0);
});
