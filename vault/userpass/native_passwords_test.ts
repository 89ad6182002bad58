/**
 * Hashing by the native library: the same hashes as in our own threads, as few at a time, and nothing said of a password.
 */

import { deepEqual, equal, match, notEqual, ok, rejects } from "node:assert/strict";
import { createRequire } from "node:module";
import { seededRandom } from "../../tests/fakes/seeded_random.ts";
import { leastPause, refused, report } from "../_test_support.ts";
import { argon2Of, type NativeArgon2, NativePasswords } from "./native_passwords.ts";
import { PasswordPool } from "./password_pool.ts";

const IS_THERE = Deno.build.target === "x86_64-unknown-linux-gnu";

interface Bench {
  readonly hasher: NativePasswords;
  readonly pool: PasswordPool;
  /** How many hash at this moment, and at most did. */
  readonly running: { now: number; most: number };
}

async function withHasher(size: number, use: (bench: Bench) => Promise<void>): Promise<void> {
  const library = argon2Of(createRequire(import.meta.url)("@node-rs/argon2-linux-x64-gnu"));
  const running = { now: 0, most: 0 };
  const counted = async <T>(work: Promise<T>): Promise<T> => {
    running.most = Math.max(running.most, ++running.now);
    return await work.finally(() => running.now--);
  };
  const native: NativeArgon2 = {
    hash: (password, salt) => counted(library.hash(password, salt)),
    verify: (password, hash) => counted(library.verify(password, hash)),
  };
  const random = seededRandom("passwords");
  const pool = new PasswordPool(random, 1);
  const hasher = new NativePasswords({ native, others: pool, random, size });
  try {
    await use({ hasher, pool, running });
  } finally {
    hasher.close();
  }
}

function nativeTest(description: string, work: () => Promise<void>): void {
  Deno.test({ name: description, ignore: !IS_THERE, fn: work });
}

nativeTest("a native hash has the form, costs and salts of ours, and each verifies what the other made", async () => {
  await withHasher(2, async ({ hasher, pool }) => {
    const [one, two, ours] = await Promise.all(
      ["pässword", "pässword"].map((it) => hasher.hash(it)).concat(
        pool.hash("pässword"),
      ),
    );
    match(one!, /^\$argon2id\$v=19\$m=19456,t=5,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/);
    notEqual(one, two);
    const fits = [pool.verify("pässword", one!), hasher.verify("pässword", ours!), hasher.verify("pässword", two!)];
    deepEqual(await Promise.all(fits), [true, true, true]);
    deepEqual(await Promise.all([pool.verify("passwort", one!), hasher.verify("passwort", ours!)]), [false, false]);
  });
});

nativeTest("bcrypt hashes are verified in our own threads", async () => {
  await withHasher(1, async ({ hasher, running }) => {
    const hash = "$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";
    deepEqual([await hasher.verify("U*U", hash), await hasher.verify("U*V", hash)], [true, false]);
    equal(running.most, 0);
  });
});

nativeTest("no more hash at a time than allowed, and all come to their turn", async () => {
  await withHasher(2, async ({ hasher, running }) => {
    const hashes = await Promise.all(Array.from({ length: 20 }, () => hasher.hash("x")));
    deepEqual([hashes.length, running.most, running.now], [20, 2, 0]);
  });
});

nativeTest(
  "past 500 that wait a hash is refused at once, and those that wait are told when the vault stops",
  async () => {
    await withHasher(1, async ({ hasher }) => {
      const asked = Array.from({ length: 501 }, () => hasher.hash("x").catch((error: unknown) => error));
      await rejects(hasher.hash("x"), refused("not_ready", /^too many logins at once$/));
      hasher.close();
      ok(refused("not_ready", /stopping/)(await asked.at(-1)));
      await rejects(hasher.verify("x", "y"), refused("not_ready", /stopping/));
      await Promise.all(asked);
    });
  },
);

nativeTest("what can't be verified is refused without a word of the password, and the next has its turn", async () => {
  await withHasher(1, async ({ hasher }) => {
    await rejects(hasher.verify("geheim", "$argon2id$broken"), (error: Error) => {
      return refused("internal")(error) && !`${error.message}${error.cause}`.includes("geheim");
    });
    equal(await hasher.verify("x", await hasher.hash("x")), true);
  });
});

nativeTest("the event loop is held up for much less than a hash takes", async () => {
  await withHasher(1, async ({ hasher }) => {
    const pauseMs = await leastPause(20, () => Promise.all(Array.from({ length: 20 }, () => hasher.hash("x"))));
    report(`longest pause of the event loop while 20 passwords are hashed: ${pauseMs.toFixed(1)} ms`);
    ok(pauseMs < 20, `${pauseMs} ms`);
  });
});
