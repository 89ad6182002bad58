import { equal, ok } from "node:assert/strict";
import { seededRandom } from "../../tests/fakes/seeded_random.ts";
import { sampleUniform } from "./key_sampling.ts";
import { INTERVALS, isNoise, LEAST_IN_INTERVAL, MOST_IN_INTERVAL } from "./noise.ts";
import { doubleRing } from "./ntt.ts";
import { DEGREE, Q, SCORE_UNIT } from "./params.ts";
import { RandomWords } from "./random_words.ts";

const MODULUS = Number(Q);

/** log2 of P(count < least) + P(count > most) for a count that is binomial(4096, 1/32), exactly summed. */
function log2TailProbability(): number {
  let ways = 1n;
  let tails = 0n;
  const others = BigInt(INTERVALS - 1);
  for (let k = 0; k <= DEGREE; k++) {
    if (k < LEAST_IN_INTERVAL || k > MOST_IN_INTERVAL) tails += ways * others ** BigInt(DEGREE - k);
    ways = ways * BigInt(DEGREE - k) / BigInt(k + 1);
  }
  return log2(tails) - DEGREE * Math.log2(INTERVALS);
}

function log2(value: bigint): number {
  const shift = Math.max(0, value.toString(2).length - 53);
  return Math.log2(Number(value >> BigInt(shift))) + shift;
}

function uniformBlock(words: RandomWords): Float64Array {
  const ring = doubleRing();
  return ring.centred(ring.read(sampleUniform(Q, words), 0)!);
}

/** A block of scores, in the form in which decryption finds them. */
function block(score: (row: number) => number): Float64Array {
  return Float64Array.from({ length: DEGREE }, (_, row) => Math.round(score(row) / SCORE_UNIT));
}

/** Uniform in [0, 1). */
function unit(words: RandomWords): number {
  return words.word() / 2 ** 32;
}

function normal(words: RandomWords): number {
  return Math.sqrt(-2 * Math.log(1 - unit(words))) * Math.cos(2 * Math.PI * unit(words));
}

Deno.test("noise passes for scores with probability below 2^-47 a block", () => {
  const bound = Math.log2(INTERVALS) + log2TailProbability();
  ok(bound < -47, `2^${bound}`);
});

Deno.test("isNoise() recognises evenly spread blocks", () => {
  const words = new RandomWords(seededRandom("noise"));
  for (let i = 0; i < 300; i++) ok(isNoise(uniformBlock(words), MODULUS));
});

Deno.test("isNoise() lets scores of every shape pass, normalised or not", () => {
  const words = new RandomWords(seededRandom("scores"));
  const shapes: Record<string, (row: number) => number> = {
    "nothing": () => 0,
    "one row": (row) => row === 0 ? 3.99 : 0,
    "unit vectors": () => normal(words) / 32,
    "positive cosines": () => 0.8 + normal(words) / 20,
    "norms of 1.9": () => 3.4 + normal(words) / 20,
    "both ends": (row) => row % 2 ? 3.99 : -3.99,
    "wide bell": () => normal(words) * 1.25,
    "even up to 3.74": () => 7.48 * unit(words) - 3.74,
    "even on one side": () => 3.999 * unit(words),
    "even over everything, 461 rows unused": (row) => row < 461 ? 0 : 7.999 * unit(words) - 3.9995,
  };
  for (const [name, score] of Object.entries(shapes)) {
    for (let i = 0; i < 20; i++) {
      const scores = Float64Array.from({ length: DEGREE }, (_, row) => Math.max(-3.999, Math.min(3.999, score(row))));
      equal(isNoise(block((row) => scores[row]!), MODULUS), false, name);
    }
  }
});

Deno.test("isNoise() counts values that rounding moved to the very end of the range", () => {
  const large = 2 ** 106;
  const share = DEGREE / INTERVALS;
  const spread = Float64Array.from({ length: DEGREE }, (_, i) => {
    const interval = Math.floor(i / share);
    return interval === INTERVALS - 1 ? large / 2 : ((interval + 0.5) / INTERVALS - 0.5) * large;
  });
  equal(isNoise(spread, large), true);
});
