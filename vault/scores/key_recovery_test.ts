/**
 * Why the right to have scores decrypted is worth the secret key: an attack that any holder of it can run.
 *
 * The attacker makes up ciphertexts, without any key. `a` is a polynomial with 15 coefficients, powers of three, so
 * that each coefficient of a*s is a 15-digit number in balanced base three whose digits are coefficients of the
 * secret. `b` lifts the coefficients of interest by 2 and lowers all others by 2, so that exactly those come out on
 * top. 3^15 values fit into the 24 bits of a float32, and every score lies between -4 and 4.
 */

import { deepEqual, equal } from "node:assert/strict";
import { scoreBlob, scoreData } from "../../tests/fakes/score_ciphertexts.ts";
import { seededRandom } from "../../tests/fakes/seeded_random.ts";
import { sampleSecret } from "./key_sampling.ts";
import { doubleRing } from "./ntt.ts";
import { DEGREE, POLY_BYTES, SCORE_UNIT } from "./params.ts";
import { RandomWords } from "./random_words.ts";
import { coefficientOfRow, rankOf } from "./rows.ts";
import type { ScoreDecryptor } from "./score_decryptor.ts";
import { ScoreWorkers } from "./score_workers.ts";
import { FheSecretKey } from "./secret_key.ts";

const DIGITS = 15;
/** The spacing of float32 values from 2 to 4. */
const STEP = 2 ** -22;

function stored(coefficients: Float64Array): Uint8Array {
  const ring = doubleRing();
  const poly = ring.fromIntegers(coefficients);
  ring.forward(poly);
  const bytes = new Uint8Array(POLY_BYTES);
  ring.write(poly, bytes, 0);
  return bytes;
}

/** A ciphertext whose scores at `targets` are 2 plus STEP times the number with digits s[t], s[t-1], ... s[t-14]. */
function probe(targets: ReadonlySet<number>): string {
  const a = new Float64Array(DEGREE);
  for (let digit = 0; digit < DIGITS; digit++) a[digit] = 3 ** digit * STEP / SCORE_UNIT;
  const b = Float64Array.from({ length: DEGREE }, (_, i) => (targets.has(i) ? 2 : -2) / SCORE_UNIT);
  return scoreBlob([scoreData({ rows: DEGREE }, [stored(a), stored(b)])]);
}

function balancedDigits(number: number): number[] {
  return Array.from({ length: DIGITS }, () => {
    const digit = ((number % 3) + 4) % 3 - 1;
    number = (number - digit) / 3;
    return digit;
  });
}

/** Recovers the whole secret with nothing but calls for scores. */
async function recoverSecret(decryptor: ScoreDecryptor, dimension: number, topK: number) {
  const coefficientOf = coefficientOfRow(rankOf(dimension));
  const secret = new Int8Array(DEGREE).fill(9);
  let calls = 0;
  for (let first = 0; first < DEGREE; first += DIGITS * topK) {
    const targets = Array.from({ length: topK }, (_, i) => Math.min(first + DIGITS * (i + 1), DEGREE) - 1);
    const rows = await decryptor.decryptScores(probe(new Set(targets)), topK);
    calls++;
    for (const { rowIndex, score } of rows) {
      if (score < 0) continue;
      const target = coefficientOf[rowIndex]!;
      balancedDigits((score - 2) / STEP).forEach((digit, i) => secret[target - i] = digit);
    }
  }
  return { secret, calls };
}

Deno.test("whoever may have scores decrypted recovers the secret key in a few calls", async () => {
  const dimension = 1024;
  const secretKey = new FheSecretKey("k", sampleSecret(new RandomWords(seededRandom("victim"))));
  const decryptor = new ScoreWorkers({ keys: [{ secretKey, dimension }], threads: 1 });
  try {
    for (const [topK, expected] of [[10, 28], [3, 92], [50, 6]] as const) {
      const { secret, calls } = await recoverSecret(decryptor, dimension, topK);
      deepEqual(secret, secretKey.coefficients());
      equal(calls, expected);
      // deno-lint-ignore no-console -- the count is what this test is for
      console.log(`the secret key was recovered in ${calls} calls at top_k ${topK}`);
    }
  } finally {
    decryptor.close();
  }
});
