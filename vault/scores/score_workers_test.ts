import { deepEqual, equal, ok, rejects, throws } from "node:assert/strict";
import { seededRandom } from "../../tests/fakes/seeded_random.ts";
import { refused, vectorJson, vectorText } from "./_test_support.ts";
import { readSecretKeyFile } from "./key_files.ts";
import { sampleSecret } from "./key_sampling.ts";
import { RandomWords } from "./random_words.ts";
import type { ScoreKey } from "./score_decryptor.ts";
import { MAX_BLOB_LENGTH } from "./score_message.ts";
import { ScoreWorkers, type ScoreWorkersOptions } from "./score_workers.ts";
import { FheSecretKey } from "./secret_key.ts";

const FAKE_WORKER = new URL("../../tests/fakes/pretended_score_worker.ts", import.meta.url).href;

function someKey(dimension = 1024): ScoreKey {
  const coefficients = sampleSecret(new RandomWords(seededRandom(`pool ${dimension}`)));
  return { secretKey: new FheSecretKey("k", coefficients), dimension };
}

function recordedKey(): ScoreKey {
  return { secretKey: readSecretKeyFile(vectorText("SecKey.json")).secretKey, dimension: 1024 };
}

async function withPool(options: Partial<ScoreWorkersOptions>, use: (pool: ScoreWorkers) => Promise<void>) {
  const pool = new ScoreWorkers({ keys: [someKey()], threads: 1, workerUrl: FAKE_WORKER, ...options });
  try {
    await use(pool);
  } finally {
    pool.close();
  }
}

function withRealPool(options: Partial<ScoreWorkersOptions>, use: (pool: ScoreWorkers) => Promise<void>) {
  const pool = new ScoreWorkers({ keys: [recordedKey()], threads: 2, ...options });
  return use(pool).finally(() => pool.close());
}

/** Lets a started thread take its task. */
async function untilThreads(pool: ScoreWorkers, count: number): Promise<void> {
  while (pool.threadCount !== count) await new Promise((resolve) => setTimeout(resolve, 5));
}

Deno.test("ScoreWorkers answers as the recorded library does, and starts threads only when asked", async () => {
  await withRealPool({}, async (pool) => {
    equal(pool.threadCount, 0);
    const { ip300 } = vectorJson<{ ip300: { shard_idx: number; row_idx: number; score: number }[] }>("topk10.json");
    const rows = await pool.decryptScores(vectorText("ip300.b64"), 10);
    deepEqual(rows, ip300.map((row) => ({ shardIndex: row.shard_idx, rowIndex: row.row_idx, score: row.score })));
    equal(pool.threadCount, 1);
    const many = await Promise.all(Array.from({ length: 20 }, () => pool.decryptScores(vectorText("ip300.b64"), 3)));
    ok(many.every((answer) => answer.length === 3));
    equal(pool.threadCount, 2);
  });
});

Deno.test("ScoreWorkers hands a thread's refusal on with kind and message, and goes on", async () => {
  await withRealPool({ threads: 1 }, async (pool) => {
    await rejects(pool.decryptScores("AAAA", 10), refused("invalid_argument", /field number/));
    await rejects(pool.decryptScores("!", 10), refused("invalid_argument", /base64/));
    equal((await pool.decryptScores(vectorText("ip300.b64"), 1)).length, 1);
    equal(pool.threadCount, 1);
  });
});

Deno.test("ScoreWorkers refuses senseless requests without a thread", async () => {
  await withPool({}, async (pool) => {
    for (const topK of [0, -1, 1.5, NaN, 2 ** 53]) {
      await rejects(pool.decryptScores("AAAA", topK), refused("invalid_argument", /top_k/));
    }
    await rejects(pool.decryptScores("A".repeat(MAX_BLOB_LENGTH + 1), 1), refused("invalid_argument", /longer/));
    await rejects(pool.decryptScores("AAAA", 1, AbortSignal.abort()), refused("cancelled"));
    equal(pool.threadCount, 0);
  });
});

Deno.test("ScoreWorkers without a key answers precondition_failed until it gets one", async () => {
  await withPool({ keys: [] }, async (pool) => {
    await rejects(pool.decryptScores("AAAA", 1), refused("precondition_failed"));
    pool.setKeys([someKey()]);
    deepEqual(await pool.decryptScores("AAAA", 1), [{ shardIndex: 0, rowIndex: 1024, score: 0 }]);
  });
});

Deno.test("setKeys() is in force at once, also in threads that run", async () => {
  await withPool({}, async (pool) => {
    await pool.decryptScores("AAAA", 1);
    pool.setKeys([someKey(384), someKey(4096)]);
    const rows = await pool.decryptScores("AAAA", 1);
    deepEqual(rows.map(({ rowIndex }) => rowIndex), [384, 4096]);
    throws(() => pool.setKeys([someKey(), { ...someKey(), dimension: 16 }]), RangeError);
  });
  throws(() => new ScoreWorkers({ keys: [{ ...someKey(), dimension: 5000 }], threads: 1 }), RangeError);
});

Deno.test("a full queue refuses with rate_limited, by number and by size, and drains", async () => {
  await withPool({ maxQueuedRequests: 2, maxQueuedLength: 12 }, async (pool) => {
    const stop = new AbortController();
    const running = pool.decryptScores("wait", 1, stop.signal);
    const first = pool.decryptScores("AAAA", 1);
    await rejects(pool.decryptScores("A".repeat(9), 1), refused("rate_limited"));
    const second = pool.decryptScores("AAAA", 1);
    await rejects(pool.decryptScores("AAAA", 1), refused("rate_limited"));
    equal(pool.queuedCount, 2);
    stop.abort();
    await rejects(running, refused("cancelled"));
    equal((await first).length + (await second).length, 2);
    equal(pool.queuedCount, 0);
    equal((await pool.decryptScores("A".repeat(20), 1)).length, 1);
  });
});

Deno.test("a request abandoned in the queue leaves it; one that runs is told to stop", async () => {
  await withPool({ maxQueuedRequests: 1 }, async (pool) => {
    const [stopRunning, stopWaiting] = [new AbortController(), new AbortController()];
    const running = pool.decryptScores("wait", 1, stopRunning.signal);
    const waiting = pool.decryptScores("AAAA", 1, stopWaiting.signal);
    stopWaiting.abort();
    await rejects(waiting, refused("cancelled"));
    equal(pool.queuedCount, 0);
    const next = pool.decryptScores("AAAA", 1);
    stopRunning.abort();
    await rejects(running, refused("cancelled"));
    // The fake thread answers nothing any more unless it sees the stop.
    equal((await next).length, 1);
    equal(pool.threadCount, 1);
  });
});

Deno.test("a crashed thread fails its own request alone and is replaced", async () => {
  await withPool({}, async (pool) => {
    const crashing = pool.decryptScores("crash", 1);
    const behind = pool.decryptScores("AAAA", 1);
    await rejects(crashing, (thrown) => {
      ok(refused("internal")(thrown));
      return String((thrown as Error).cause).includes("told to crash") && !(thrown as Error).message.includes("told");
    });
    equal((await behind).length, 1);
    equal(pool.threadCount, 1);
  });
});

Deno.test("a thread that crashed while idle is not used again", async () => {
  await withPool({}, async (pool) => {
    equal((await pool.decryptScores("late crash", 1)).length, 1);
    for (const end = performance.now() + 20_000; pool.threadCount > 0 && performance.now() < end;) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    equal((await pool.decryptScores("AAAA", 1)).length, 1);
    equal(pool.threadCount, 1);
  });
});

Deno.test("a worker file that cannot be loaded fails the request and not the process", async () => {
  await withPool({ workerUrl: new URL("./absent_worker.ts", import.meta.url).href }, async (pool) => {
    await rejects(pool.decryptScores("AAAA", 1), refused("internal"));
  });
});

Deno.test("close() refuses what waits and what runs, and everything after", async () => {
  await withPool({}, async (pool) => {
    const running = pool.decryptScores("wait", 1);
    const waiting = pool.decryptScores("AAAA", 1);
    await untilThreads(pool, 1);
    pool.close();
    await rejects(running, refused("not_ready"));
    await rejects(waiting, refused("not_ready"));
    await rejects(pool.decryptScores("AAAA", 1), refused("not_ready"));
    equal(pool.threadCount, 0);
    pool.close();
  });
});
