/**
 * The score domain, measured: `./denow run -A bench/scores_bench.ts`.
 *
 * A block is 4096 rows, 65,536 bytes of ciphertext. Times mean little on a shared machine, so each figure stands beside
 * a reference of the same run: the same work with BigInt alone, or the same loop without the load. Nothing fails here.
 *
 * @module
 */

import { scoreBlob, ScoreEncryptor } from "../tests/fakes/score_ciphertexts.ts";
import { seededRandom } from "../tests/fakes/seeded_random.ts";
import { doubleRing } from "../vault/scores/ntt.ts";
import { bigIntRing } from "../vault/scores/ntt_bigint.ts";
import { sampleSecret } from "../vault/scores/key_sampling.ts";
import { generateKeySet, ScoreWorkers } from "../vault/scores/mod.ts";
import { DEGREE, P, POLY_BYTES, PSI_P, PSI_Q, Q } from "../vault/scores/params.ts";
import { RandomWords } from "../vault/scores/random_words.ts";
import { rankOf } from "../vault/scores/rows.ts";
import { decryptPolynomial, ScoreOpener, secretFactor } from "../vault/scores/score_opener.ts";
import { FheSecretKey } from "../vault/scores/secret_key.ts";

const DIMENSION = 1024;
const TOP_K = 10;
const coefficients = sampleSecret(new RandomWords(seededRandom("bench key")));
const encryptor = new ScoreEncryptor(coefficients, DIMENSION, seededRandom("bench ciphertexts"));

function print(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
}

/** Milliseconds one call takes: the median of rounds, after a warm-up. */
function measure(work: () => unknown, calls: number, rounds = 7): number {
  for (let i = 0; i < calls; i++) work();
  return median(Array.from({ length: rounds }, () => {
    const began = performance.now();
    for (let i = 0; i < calls; i++) work();
    return (performance.now() - began) / calls;
  }));
}

function report(what: string, ms: number, reference: string, referenceMs: number, aim = ""): void {
  const ratio = (ms / referenceMs).toFixed(2);
  print(`  ${what.padEnd(46)} ${ms.toFixed(2).padStart(8)} ms, ${ratio} of ${reference}${aim}`);
}

function scoresFor(rows: number): Float64Array {
  return Float64Array.from({ length: rows }, (_, i) => Math.sin(i));
}

function benchBlocks(): void {
  const opener = new ScoreOpener([{ coefficients, dimension: DIMENSION }]);
  const data = encryptor.encryptScores(scoresFor(DEGREE));
  const oracle = bigIntRing(Q, PSI_Q), fast = doubleRing();
  const oracleSecret = secretFactor(oracle, coefficients), fastSecret = secretFactor(fast, coefficients);
  const reference = measure(() => decryptPolynomial(oracle, oracleSecret, data, 33, 33 + POLY_BYTES), 20);
  const arithmetic = measure(() => decryptPolynomial(fast, fastSecret, data, 33, 33 + POLY_BYTES), 100);
  report(
    "b + a*s and inverse transform, doubles",
    arithmetic,
    `the same in BigInt (${reference.toFixed(2)} ms)`,
    reference,
  );
  for (const [blocks, level] of [[1, 0], [25, 0], [1, 1]] as const) {
    const blob = scoreBlob([encryptor.encryptScores(scoresFor(blocks * DEGREE), level)]);
    const ms = measure(() => opener.open(blob, TOP_K), Math.ceil(50 / blocks)) / blocks;
    const what = `a block from base64 to top ${TOP_K}, of ${blocks}, level ${level}`;
    report(what, ms, "that arithmetic in BigInt", reference, level === 0 ? ", aim 2 ms" : "");
  }
}

function benchKeys(): void {
  const moduloQ = bigIntRing(Q, PSI_Q), moduloP = bigIntRing(P, PSI_P);
  const [polyQ, polyP] = [moduloQ.filled(5n), moduloP.filled(5n)];
  const random = { bytes: (length: number) => crypto.getRandomValues(new Uint8Array(length)) };
  for (const dimension of [384, 1024, 4096]) {
    const keys = rankOf(dimension) + 2;
    const reference = keys * measure(() => {
      moduloQ.forward(polyQ);
      moduloQ.forward(polyQ);
      moduloP.forward(polyP);
    }, 5);
    const ms = measure(() => generateKeySet({ dimension, keyId: "bench", now: 0 }, random), 1, 3);
    const aim = dimension === 1024 ? ", aim 3000 ms" : "";
    report(`a key set for dimension ${dimension}`, ms, `its ${3 * keys} transforms in BigInt`, reference, aim);
  }
}

/** How late a timer of 1 ms fires, 99th percentile, until `done`. */
async function timerDelay(done: Promise<unknown>): Promise<number> {
  const delays: number[] = [];
  let running = true;
  void done.finally(() => running = false);
  while (running) {
    const began = performance.now();
    await new Promise((resolve) => setTimeout(resolve, 1));
    delays.push(performance.now() - began - 1);
  }
  return delays.toSorted((a, b) => a - b)[Math.floor(delays.length * 0.99)]!;
}

async function benchEventLoop(): Promise<void> {
  const secretKey = new FheSecretKey("bench", coefficients);
  const pool = new ScoreWorkers({
    keys: [{ secretKey, dimension: DIMENSION }],
    threads: navigator.hardwareConcurrency,
  });
  const blob = scoreBlob([encryptor.encryptScores(scoresFor(DEGREE))]);
  const client = async (requests: number) => {
    for (let i = 0; i < requests; i++) await pool.decryptScores(blob, TOP_K);
  };
  const beganCold = performance.now();
  await client(1);
  print(
    `  first request, which starts a thread            ${(performance.now() - beganCold).toFixed(0).padStart(8)} ms`,
  );
  await Promise.all([client(50), client(50)]);
  const idle = await timerDelay(new Promise((resolve) => setTimeout(resolve, 1500)));
  const began = performance.now();
  const eight = Promise.all(Array.from({ length: 8 }, () => client(250)));
  const busy = await timerDelay(eight);
  const rate = 2000 / ((performance.now() - began) / 1000);
  print(
    `  eight requests in flight: ${rate.toFixed(0)} a second; a timer is late by p99 ${busy.toFixed(1)} ms, idle ${
      idle.toFixed(1)
    } ms`,
  );
  pool.close();
}

print("score decryption, one core");
benchBlocks();
print("key generation, one core");
benchKeys();
print("score decryption through the pool");
await benchEventLoop();
