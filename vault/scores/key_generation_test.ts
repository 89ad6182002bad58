import { deepEqual, equal, ok, throws } from "node:assert/strict";
import { seededRandom } from "../../tests/fakes/seeded_random.ts";
import { EncryptedScoreIndex } from "../../tests/fakes/score_index.ts";
import { scoreBlob, ScoreEncryptor } from "../../tests/fakes/score_ciphertexts.ts";
import { refused } from "./_test_support.ts";
import {
  ENCRYPTION_KEY_OFFSETS,
  packingKeyOffsets,
  RELINEARISATION_KEY_OFFSETS,
  type SwitchingKeyOffsets,
} from "./evaluation_key.ts";
import { inspectKeySet, readEncryptionKeyFile, readEvaluationKeyFile, readSecretKeyFile } from "./key_files.ts";
import { assertKeyDimension, generateKeySet, packingTarget } from "./key_generation.ts";
import { type BigIntRing, bigIntRing, type BigPoly } from "./ntt_bigint.ts";
import { DEGREE, ERROR_DEVIATION, P, PSI_P, PSI_Q, Q } from "./params.ts";
import { ScoreOpener, secretFactor } from "./score_opener.ts";

const NOW = Date.UTC(2026, 0, 2, 3, 4, 5);
const ringQ = bigIntRing(Q, PSI_Q);
const ringP = bigIntRing(P, PSI_P);

function keysFor(dimension: number) {
  const files = generateKeySet({ dimension, keyId: "vault-key", now: NOW }, seededRandom(`keys ${dimension}`));
  return {
    files,
    coefficients: readSecretKeyFile(files.secKeyJson).secretKey.coefficients(),
    encryption: readEncryptionKeyFile(files.encKeyJson).raw,
    evaluation: readEvaluationKeyFile(files.evalKeyJson),
  };
}

type Keys = ReturnType<typeof keysFor>;

/** b + a*s - f*target in NTT form of one modulus, as centred coefficients: the error of a switching key. */
function errorOf(ring: BigIntRing, keys: Keys, bytes: Uint8Array, a: number, b: number, target: BigPoly, f: bigint) {
  const masked = ring.multiplyAdd(ring.read(bytes, a)!, secretFactor(ring, keys.coefficients), ring.read(bytes, b)!);
  const error = ring.multiplyAdd(target, ring.filled(-f), masked);
  ring.inverse(error);
  return ring.centred(error);
}

/** The error of K(f), which must be the same small integers modulo Q and modulo P; the oracle ring does the sums. */
function assertSwitchingKey(keys: Keys, bytes: Uint8Array, at: SwitchingKeyOffsets, target: BigPoly): Float64Array {
  const moduloQ = errorOf(ringQ, keys, bytes, at.aQ, at.bQ, target, P);
  const moduloP = errorOf(ringP, keys, bytes, at.aP, at.bP, ringP.filled(0n), 0n);
  deepEqual(moduloQ, moduloP);
  ok(moduloQ.every((value) => Math.abs(value) <= 42), "errors are small");
  return moduloQ;
}

function transformed(coefficients: ArrayLike<number>): BigPoly {
  const poly = ringQ.fromIntegers(coefficients);
  ringQ.forward(poly);
  return poly;
}

/** Every switching key of a set, checked; returns all their errors. */
function checkAllKeys(keys: Keys): number[] {
  const { rank, rankKeys } = keys.evaluation;
  const secret = transformed(keys.coefficients);
  const errors = [
    assertSwitchingKey(keys, keys.encryption, ENCRYPTION_KEY_OFFSETS, ringQ.filled(0n)),
    assertSwitchingKey(
      keys,
      rankKeys,
      RELINEARISATION_KEY_OFFSETS,
      ringQ.multiplyAdd(secret, secret, ringQ.filled(0n)),
    ),
  ];
  for (let i = 0; i < rank; i++) {
    const target = transformed(packingTarget(keys.coefficients, rank, i));
    errors.push(assertSwitchingKey(keys, rankKeys, packingKeyOffsets(rank, i), target));
  }
  return errors.flatMap((values) => [...values]);
}

Deno.test("packingTarget() takes every R-th coefficient, counted from the end of each chunk", () => {
  const secret = Int8Array.from({ length: DEGREE }, (_, i) => (i % 3) - 1);
  const target = packingTarget(secret, 32, 5);
  for (let j = 0; j < DEGREE / 32; j++) equal(target[32 * j], secret[32 * j + 26]);
  ok(target.every((value, i) => i % 32 === 0 || value === 0));
});

Deno.test("every key of a set satisfies its equation modulo Q and P, with errors of the right distribution", () => {
  for (const dimension of [1024, 4096]) {
    const keys = keysFor(dimension);
    const errors = checkAllKeys(keys);
    equal(errors.length, (keys.evaluation.rank + 2) * DEGREE);
    const mean = errors.reduce((sum, e) => sum + e, 0) / errors.length;
    const variance = errors.reduce((sum, e) => sum + e * e, 0) / errors.length;
    const expected = ERROR_DEVIATION ** 2 + 1 / 12;
    ok(Math.abs(mean) < 5 * Math.sqrt(expected / errors.length), `mean ${mean}`);
    ok(Math.abs(variance - expected) < 5 * expected * Math.sqrt(2 / errors.length), `variance ${variance}`);
  }
});

Deno.test("the a parts of a set are uniform and none is used twice", () => {
  const { evaluation: { rank, rankKeys }, encryption } = keysFor(1024);
  const read = (ring: BigIntRing, bytes: Uint8Array, at: number) => ring.read(bytes, at)!;
  const packing = Array.from({ length: rank }, (_, i) => packingKeyOffsets(rank, i));
  const sources = [
    [encryption, ENCRYPTION_KEY_OFFSETS] as const,
    ...[RELINEARISATION_KEY_OFFSETS, ...packing].map((at) => [rankKeys, at] as const),
  ];
  for (const [ring, part] of [[ringQ, "aQ"], [ringP, "aP"]] as const) {
    const counts = new Float64Array(256);
    const firsts = new Set<bigint>();
    for (const [bytes, at] of sources) {
      const poly = read(ring, bytes, at[part]);
      firsts.add(poly[0]!);
      poly.forEach((residue) => counts[Number(residue * 256n / ring.modulus)]!++);
    }
    equal(firsts.size, rank + 2);
    const share = (rank + 2) * DEGREE / 256;
    const chiSquared = counts.reduce((sum, count) => sum + (count - share) ** 2 / share, 0);
    // 255 degrees of freedom: mean 255, standard deviation 22.6; six of them.
    ok(chiSquared < 255 + 6 * Math.sqrt(510), `chi-squared ${chiSquared}`);
  }
});

Deno.test("keys made here decrypt what an index computes on vectors encrypted with them", () => {
  for (const dimension of [384, 768, 1024, 4096]) {
    const keys = keysFor(dimension);
    const random = seededRandom(`vectors ${dimension}`);
    const vectors = Array.from({ length: 70 }, () => {
      const raw = Float64Array.from(random.bytes(dimension), (byte) => byte - 127.5);
      const norm = Math.hypot(...raw);
      return raw.map((value) => value / norm);
    });
    const { rank, rankKeys } = keys.evaluation;
    const index = new EncryptedScoreIndex(keys.encryption, rankKeys, rank, vectors, random);
    const opener = new ScoreOpener([{ coefficients: keys.coefficients, dimension }]);
    const rows = opener.open(scoreBlob([index.score(vectors[66]!)]), 70);
    equal(rows[0]!.rowIndex, 66);
    for (const { rowIndex, score } of rows) {
      const product = vectors[rowIndex]!.reduce((sum, value, i) => sum + value * vectors[66]![i]!, 0);
      ok(Math.abs(score - product) < 2e-4, `row ${rowIndex}: ${score}, expected ${product}`);
    }
  }
});

Deno.test("a generated set is whole, belongs together and reports its progress", () => {
  for (const [dimension, power, rank] of [[384, 512, 32], [4096, 4096, 64]] as const) {
    const progress: [number, number][] = [];
    const request = { dimension, keyId: "k2", now: NOW };
    const files = generateKeySet(request, seededRandom("whole"), (done, total) => progress.push([done, total]));
    const facts = inspectKeySet(files);
    deepEqual([facts.keyId, facts.dimension, facts.createdAt], ["k2", power, NOW]);
    deepEqual(progress, Array.from({ length: rank + 2 }, (_, i) => [i + 1, rank + 2]));
    deepEqual(generateKeySet(request, seededRandom("whole")), files);
  }
});

Deno.test("generateKeySet() makes another secret from other randomness", () => {
  const [one, two] = ["one", "two"].map((seed) =>
    generateKeySet({ dimension: 32, keyId: "k", now: NOW }, seededRandom(seed))
  );
  const { coefficients } = { coefficients: readSecretKeyFile(one!.secKeyJson).secretKey.coefficients() };
  const blob = scoreBlob([new ScoreEncryptor(coefficients, 32, seededRandom("c")).encryptScores([0.5])]);
  const other = readSecretKeyFile(two!.secKeyJson).secretKey.coefficients();
  throws(() => new ScoreOpener([{ coefficients: other, dimension: 32 }]).open(blob, 1), refused("invalid_argument"));
});

Deno.test("assertKeyDimension() refuses dimensions for which the order of rows would be ambiguous", () => {
  for (const dimension of [32, 100, 384, 512, 768, 1024, 1536, 2048, 4096]) assertKeyDimension(dimension);
  for (const dimension of [0, 31, 2049, 3072, 4095, 4097, 1024.5, NaN, -1]) {
    throws(() => assertKeyDimension(dimension), refused("invalid_argument", /Dimension/), `${dimension}`);
  }
  const random = seededRandom("refused");
  throws(() => generateKeySet({ dimension: 3072, keyId: "k", now: NOW }, random), refused("invalid_argument"));
  throws(() => generateKeySet({ dimension: 1024, keyId: "a/b", now: NOW }, random), refused("invalid_argument"));
});
