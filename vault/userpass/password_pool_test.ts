/**
 * Hashing in threads: what comes out, how much waits, and what the event loop notices.
 */

import { equal, match, notEqual, ok, rejects } from "node:assert/strict";
import { seededRandom } from "../../tests/fakes/seeded_random.ts";
import { leastPause, refused, report } from "../_test_support.ts";
import { PasswordPool } from "./password_pool.ts";

/** Opens a pool, counts the threads that it starts, and lets go of them. */
async function withPool(
  size: number,
  use: (pool: PasswordPool, started: () => number) => Promise<void>,
): Promise<void> {
  const RealWorker = globalThis.Worker;
  let started = 0;
  globalThis.Worker = class extends RealWorker {
    constructor(url: string | URL, options?: WorkerOptions) {
      super(url, options);
      started++;
    }
  };
  const pool = new PasswordPool(seededRandom("passwords"), size);
  try {
    await use(pool, () => started);
  } finally {
    pool.close();
    globalThis.Worker = RealWorker;
  }
}

Deno.test("a hash is Argon2id in PHC form with a salt of its own, and fits its password alone", async () => {
  await withPool(2, async (pool) => {
    const [one, two] = await Promise.all([pool.hash("pässword"), pool.hash("pässword")]);
    match(one, /^\$argon2id\$v=19\$m=19456,t=5,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/);
    notEqual(one, two);
    equal(await pool.verify("pässword", one), true);
    equal(await pool.verify("passwort", one), false);
  });
});

Deno.test("bcrypt hashes of every name are verified", async () => {
  await withPool(1, async (pool) => {
    for (const name of ["2a", "2b", "2y"]) {
      const hash = `$${name}$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW`;
      equal(await pool.verify("U*U", hash), true, name);
      equal(await pool.verify("U*V", hash), false, name);
    }
  });
});

Deno.test("threads are started when they are needed, never more than allowed, and used again", async () => {
  await withPool(2, async (pool, started) => {
    equal(started(), 0);
    await pool.hash("a");
    await pool.hash("b");
    equal(started(), 1);
    await Promise.all(Array.from({ length: 6 }, () => pool.hash("c")));
    equal(started(), 2);
  });
});

Deno.test("past 500 that wait a hash is refused at once", async () => {
  await withPool(1, async (pool) => {
    const asked = Array.from({ length: 501 }, () => pool.hash("x").catch((error: unknown) => error));
    await rejects(pool.hash("x"), refused("not_ready", /^too many logins at once$/));
    pool.close();
    ok(refused("not_ready", /stopping/)(await asked.at(-1)), "those that wait are told when the vault stops");
    await rejects(pool.verify("x", "y"), refused("not_ready", /stopping/));
    await Promise.all(asked);
  });
});

Deno.test("what can't be verified is refused without a word of the password, and the thread goes on", async () => {
  await withPool(1, async (pool) => {
    await rejects(pool.verify("geheim", "$argon2id$broken"), (error: Error) => {
      return refused("internal")(error) && !error.message.includes("geheim");
    });
    equal(await pool.verify("x", await pool.hash("x")), true);
  });
});

Deno.test("the event loop is held up for much less than a hash takes", async () => {
  await withPool(1, async (pool) => {
    await pool.hash("the thread is there");
    const pauseMs = await leastPause(20, () => Promise.all(Array.from({ length: 5 }, () => pool.hash("x"))));
    report(`longest pause of the event loop while 5 passwords are hashed: ${pauseMs.toFixed(1)} ms`);
    ok(pauseMs < 20, `${pauseMs} ms`);
  });
});
