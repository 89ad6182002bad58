/**
 * Logging in: how much work whose failure costs, which addresses are known, what races a login, what a renewal finds.
 */

import { deepEqual, equal, match, ok, rejects } from "node:assert/strict";
import { argon2id, bcrypt } from "hash-wasm";
import { refused, report, type TestVault, withVault } from "../_test_support.ts";
import type { IdentityEngine } from "../identity_engine.ts";
import type { Minted } from "../service_tokens/service_tokens.ts";
import type { MountRecord, UserpassRecord } from "../storage/identity_records.ts";
import type { PasswordTask } from "./password_worker.ts";

const HOME = "192.0.2.1";
const WRONG = refused("invalid_argument", /^invalid username or password$/);

/** What is hashed while a test runs: every password in the vault goes through a thread. */
class Hashed {
  readonly tasks: PasswordTask[] = [];

  /** The kinds of the hashes that were verified since the last look: `argon2id`, `2b$10`. */
  verified(): string[] {
    const hashes = this.tasks.splice(0).flatMap((task) => "hash" in task ? [task.hash] : []);
    return hashes.map((hash) => /^\$(argon2id|2[aby]\$[0-9]+)\$/.exec(hash)![1]!);
  }

  /** Passes over 19 MiB that were made to verify hashes since the last look. */
  passes(): number {
    const hashes = this.tasks.splice(0).flatMap((task) => "hash" in task ? [task.hash] : []);
    return hashes.reduce((sum, hash) => sum + Number(/^\$argon2id\$v=19\$m=19456,t=([0-9]+),/.exec(hash)![1]), 0);
  }
}

/** A vault with the mount `userpass/`. */
class Logins {
  constructor(readonly it: TestVault, readonly hashed: Hashed) {}

  get engine(): IdentityEngine {
    return this.it.vault.engine;
  }

  get mount(): MountRecord {
    return this.engine.mounts.byPath("auth", "userpass/")!;
  }

  /** Makes a user whose password is their name. */
  async user(name: string, params: Partial<UserpassRecord["params"]> = {}): Promise<void> {
    await this.engine.userpass.put(this.mount, name, { password: name, params });
  }

  /** Makes a user whose password is their name, by a bcrypt hash. */
  async bcryptUser(name: string, costFactor = 5): Promise<void> {
    const salt = new Uint8Array(16).fill(costFactor);
    const passwordHash = await bcrypt({ password: name, costFactor, salt, outputType: "encoded" });
    await this.engine.userpass.put(this.mount, name, { passwordHash });
  }

  login(name: string, password = name, address = HOME): Promise<Minted> {
    return this.engine.logins.login(this.mount, name, password, address);
  }

  /** Puts the hash of older costs in the place of a user's, whose password is their name. */
  async makeOlder(name: string, costs: { iterations: number; memorySize: number }): Promise<void> {
    const salt = new Uint8Array(16).fill(1);
    const all = { ...costs, parallelism: 1, hashLength: 32 };
    const passwordHash = await argon2id({ ...all, password: name, salt, outputType: "encoded" });
    const users = this.it.disk.table("userpass_user");
    const [key, record] = [...users.entries()].find(([, text]) => JSON.parse(text).username === name)!;
    users.set(key, JSON.stringify({ ...JSON.parse(record), passwordHash }));
    await this.it.restart();
  }

  record(name: string): UserpassRecord {
    return this.engine.userpass.get(this.mount, name)!;
  }
}

async function withLogins(use: (logins: Logins) => Promise<void>): Promise<void> {
  const RealWorker = globalThis.Worker;
  const hashed = new Hashed();
  globalThis.Worker = class extends RealWorker {
    override postMessage(task: unknown): void {
      if (typeof task === "object" && task !== null && "password" in task) hashed.tasks.push(task as PasswordTask);
      super.postMessage(task);
    }
  };
  try {
    await withVault({}, async (it) => {
      await it.vault.engine.mounts.enable({ section: "auth", path: "userpass/", type: "userpass" });
      await use(new Logins(it, hashed));
    });
  } finally {
    globalThis.Worker = RealWorker;
  }
}

/** Lets everything that waits for memory alone come as far as it gets. */
function settle(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 300));
}

Deno.test("S13: whoever fails, for whatever reason, has one password hashed, and hears one answer", async () => {
  await withLogins(async (logins) => {
    await logins.user("mona");
    await logins.user("bound", { boundCidrs: ["10.0.0.0/8"] });
    logins.hashed.tasks.length = 0;
    const failures: [name: string, password: string][] = [
      ["nobody", "x"],
      ["mona", "x"],
      ["bound", "bound"],
      ["mona", "x".repeat(2000)],
      ["nobody", "x".repeat(2000)],
    ];
    for (const [name, password] of failures) {
      await rejects(logins.login(name, password), WRONG, name);
      deepEqual(logins.hashed.verified(), ["argon2id"], name);
    }
  });
});

Deno.test("S13: a name that nobody has takes as long as a wrong password (figures)", async () => {
  await withLogins(async (logins) => {
    await logins.engine.mounts.tune("auth", "userpass/", { lockout: { disabled: true } });
    await logins.user("mona");
    const times: Record<string, number[]> = { mona: [], nobody: [] };
    for (let i = 0; i < 22; i++) {
      const name = i % 2 === 0 ? "mona" : "nobody";
      const from = performance.now();
      await rejects(logins.login(name, "x"), WRONG);
      times[name]!.push(performance.now() - from);
    }
    const [known, unknown] = [times["mona"]!, times["nobody"]!].map((all) => all.sort((a, b) => a - b)[5]!);
    report(`median of a wrong password: ${known!.toFixed(1)} ms; of a name that nobody has: ${unknown!.toFixed(1)} ms`);
    ok(known! > 5 && unknown! > 5, "a password was hashed");
  });
});

Deno.test("S13: while a bcrypt hash slower than our own is in use, the dummy is as slow; then no longer", async () => {
  await withLogins(async (logins) => {
    await logins.bcryptUser("olga", 10);
    await rejects(logins.login("nobody", "x"), WRONG);
    deepEqual(logins.hashed.verified(), ["argon2id", "2b$10"]);
    await logins.login("olga");
    logins.hashed.verified();
    await rejects(logins.login("nobody", "x"), WRONG);
    deepEqual(logins.hashed.verified(), ["argon2id"], "the last such hash was replaced");
    await logins.bcryptUser("otto", 11);
    await logins.it.restart();
    await rejects(logins.login("nobody", "x"), WRONG);
    deepEqual(logins.hashed.verified(), ["argon2id", "2b$11"], "counted anew after a start");
    await logins.engine.userpass.delete(logins.mount, "otto");
    await rejects(logins.login("nobody", "x"), WRONG);
    deepEqual(logins.hashed.verified(), ["argon2id"]);
  });
});

Deno.test("S13: a wrong password costs the same for every kind of hash while a bcrypt one is in use", async () => {
  await withLogins(async (logins) => {
    await logins.user("mona");
    await logins.bcryptUser("olga", 9);
    await logins.bcryptUser("otto", 10);
    const expected = {
      nobody: ["argon2id", "2b$10"],
      mona: ["argon2id", "2b$10"],
      olga: ["2a$09", "argon2id", "2b$09"],
      otto: ["2a$10", "argon2id"],
    };
    for (const [name, hashes] of Object.entries(expected)) {
      await rejects(logins.login(name, "x"), WRONG);
      deepEqual(logins.hashed.verified(), hashes, name);
    }
  });
});

Deno.test("S13: a wrong password takes as much work with a hash of older costs as with a new one, and as nobody's", async () => {
  await withLogins(async (logins) => {
    await logins.user("mona");
    await logins.user("olga");
    await logins.makeOlder("olga", { iterations: 2, memorySize: 19_456 });
    for (const name of ["mona", "olga", "nobody"]) {
      await rejects(logins.login(name, "x"), WRONG);
      equal(logins.hashed.passes(), 5, name);
    }
  });
});

Deno.test("S13: a locked name has nothing hashed, whatever its case, and is counted once for all of them", async () => {
  await withLogins(async (logins) => {
    await logins.user("mona");
    for (const name of ["mona", "Mona", "MONA", "mOna", "monA"]) await rejects(logins.login(name, "x"), WRONG);
    logins.hashed.verified();
    await rejects(logins.login("mona"), refused("permission_denied"));
    deepEqual(logins.hashed.verified(), []);
  });
});

Deno.test("a password that is replaced, and a user who is deleted, while it is checked: no token", async () => {
  await withLogins(async (logins) => {
    await logins.user("mona");
    await logins.user("nora");
    const passwordHash = await bcrypt({
      password: "new",
      costFactor: 5,
      salt: new Uint8Array(16),
      outputType: "encoded",
    });
    const outcome = Promise.allSettled([logins.login("mona"), logins.login("nora")]);
    const release = logins.it.store.hold();
    // A hash that is there already, so that the change stands in line before the logins do.
    const changed = logins.engine.userpass.setPassword(logins.mount, "mona", { passwordHash });
    const deleted = logins.engine.userpass.delete(logins.mount, "nora");
    await settle();
    release();
    await Promise.all([changed, deleted]);
    for (const one of await outcome) ok(one.status === "rejected" && WRONG(one.reason));
    deepEqual([...logins.engine.tokens.index.all()], []);
    await logins.login("mona", "new");
  });
});

Deno.test("a login from a known address writes its token alone; from another it makes the address known", async () => {
  await withLogins(async (logins) => {
    await logins.user("mona");
    const written = async (address: string) => {
      const before = logins.it.store.asked.length;
      await logins.login("mona", "mona", address);
      return logins.it.store.asked.slice(before).map((writes) => writes.map((write) => write.kind).sort());
    };
    deepEqual(await written(HOME), [["alias", "service_token", "user", "userpass_user"]]);
    deepEqual(await written(HOME), [["service_token"]]);
    deepEqual(await written("198.51.100.7"), [["service_token", "userpass_user"]]);
    deepEqual(await written("198.51.100.7"), [["service_token"]]);
    logins.it.clock.advance(86_400_001);
    deepEqual(await written(HOME), [["service_token", "userpass_user"]], "known for another 30 days");
    equal(logins.record("mona").knownAddresses!.length, 2);
    const stored = [...logins.it.disk.table("userpass_user").values()].join();
    equal(/192\.0\.2\.1|198\.51\.100/.test(stored), false, "addresses are stored as HMACs");
  });
});

Deno.test("an address is known for 30 days, and 16 of them at most", async () => {
  await withLogins(async (logins) => {
    await logins.user("mona");
    for (let i = 0; i < 18; i++) await logins.login("mona", "mona", `198.51.100.${i}`);
    equal(logins.record("mona").knownAddresses!.length, 16);
    const lock = async () => {
      for (let i = 0; i < 5; i++) await rejects(logins.login("mona", "x", "203.0.113.9"), WRONG);
    };
    await lock();
    await logins.login("mona", "mona", "198.51.100.17");
    await rejects(
      logins.login("mona", "mona", "198.51.100.0"),
      refused("permission_denied"),
      "the first was forgotten",
    );
    logins.it.clock.advance(30 * 86_400_000);
    await lock();
    await rejects(logins.login("mona", "mona", "198.51.100.17"), refused("permission_denied"), "after 30 days");
  });
});

Deno.test("known addresses outlive a restart", async () => {
  await withLogins(async (logins) => {
    await logins.user("mona");
    await logins.login("mona");
    await logins.it.restart();
    for (let i = 0; i < 5; i++) await rejects(logins.login("mona", "x", "203.0.113.9"), WRONG);
    await rejects(logins.login("mona", "mona", "203.0.113.9"), refused("permission_denied"));
    await logins.login("mona");
  });
});

Deno.test("where the store fails nothing of a login happened, and the next one works", async () => {
  await withLogins(async (logins) => {
    await logins.user("mona");
    logins.it.store.failNext();
    await rejects(logins.login("mona"), refused("storage_failed"));
    equal(logins.engine.identity.aliases.byName(logins.mount.accessor, "mona"), undefined);
    ok((await logins.login("mona")).token.startsWith("hvs."));
  });
});

Deno.test("a renewal asks the user as they are now: limits, policies, whether they are there", async () => {
  await withLogins(async (logins) => {
    const { renewal, userpass } = logins.engine;
    await logins.user("mona", { policies: ["a", "b"], ttl: 600 });
    const { record: { hash } } = await logins.login("mona");
    equal((await renewal.renew(hash, 3000))!.record.ttl, 3000);
    await userpass.put(logins.mount, "mona", { params: { maxTtl: 1000 } });
    equal((await renewal.renew(hash, 3000))!.record.ttl, 1000);
    await userpass.setPolicies(logins.mount, "mona", ["a", "b", "c"]);
    await rejects(renewal.renew(hash, 0), refused("invalid_argument", /policies have changed, not renewing/));
    await userpass.setPolicies(logins.mount, "mona", ["b", "a"]);
    ok(await renewal.renew(hash, 0), "the same policies in another order");
    await userpass.delete(logins.mount, "mona");
    equal(await renewal.renew(hash, 0), null);
  });
});

Deno.test("a guess at the present password counts like one at a login", async () => {
  await withLogins(async (logins) => {
    await logins.user("mona");
    const { logins: room } = logins.engine;
    await room.confirm(logins.mount, "MONA", "mona");
    for (let i = 0; i < 5; i++) await rejects(room.confirm(logins.mount, "mona", "x"), WRONG);
    await rejects(room.confirm(logins.mount, "mona", "mona"), refused("permission_denied"));
    await rejects(logins.login("mona"), refused("permission_denied"));
  });
});

Deno.test("what the disk, the log and errors hold of a login is no password", async () => {
  await withLogins(async (logins) => {
    const password = "Aluminium-Zitrone-7";
    await logins.engine.userpass.put(logins.mount, "mona", { password });
    await logins.login("mona", password);
    const failure = await logins.login("mona", `${password}8`).catch((error: unknown) => error);
    const stored = [...logins.it.disk.records.values()].flatMap((table) => [...table.values()]).join("\n");
    for (const text of [stored, logins.it.logger.text(), String(failure), JSON.stringify(failure)]) {
      equal(text.includes("Zitrone"), false);
    }
    match(logins.record("mona").passwordHash, /^\$argon2id\$/);
  });
});

Deno.test("S13: a cheap bcrypt hash in use makes no name that nobody has cheap", async () => {
  await withLogins(async (logins) => {
    await logins.bcryptUser("olga", 5);
    await rejects(logins.login("nobody", "x"), WRONG);
    deepEqual(logins.hashed.verified(), ["argon2id", "2b$05"]);
  });
});

Deno.test("S13: a password too long for bcrypt is a wrong one, for a bcrypt user and for nobody alike", async () => {
  await withLogins(async (logins) => {
    await logins.bcryptUser("olga", 10);
    for (const name of ["olga", "nobody"]) {
      await rejects(logins.login(name, "x".repeat(80)), WRONG, name);
      deepEqual(logins.hashed.verified(), ["argon2id", "2b$10"], name);
    }
  });
});

Deno.test("a hash of other costs than ours is replaced at the next login, one of ours isn't", async () => {
  await withLogins(async (logins) => {
    await logins.user("mona");
    const stored = () => [...logins.it.disk.table("userpass_user").entries()][0]!;
    await logins.makeOlder("mona", { iterations: 4, memorySize: 9216 });
    await logins.login("mona");
    const replaced = JSON.parse(stored()[1]).passwordHash;
    match(replaced, /^\$argon2id\$v=19\$m=19456,t=5,p=1\$/);
    await logins.login("mona");
    equal(JSON.parse(stored()[1]).passwordHash, replaced);
  });
});

Deno.test("of logins at once with an imported hash all succeed, though the first replaces it", async () => {
  await withLogins(async (logins) => {
    await logins.bcryptUser("olga");
    await Promise.all(Array.from({ length: 4 }, () => logins.login("olga")));
    match(logins.record("olga").passwordHash, /^\$argon2id\$/);
  });
});

Deno.test("S11: two logins that wait while their entity is deleted make one new entity", async () => {
  await withLogins(async (logins) => {
    await logins.user("mona");
    const { record: { entityId } } = await logins.login("mona");
    const release = logins.it.store.hold();
    const deleted = logins.engine.identity.entities.delete(entityId);
    const waiting = [logins.login("mona"), logins.login("mona")];
    await settle();
    release();
    await deleted;
    const entities = new Set((await Promise.all(waiting)).map(({ record }) => record.entityId));
    equal(entities.size, 1);
    equal(entities.has(entityId), false);
    equal(logins.it.disk.table("alias").size, 1);
  });
});

Deno.test("two logins from new addresses that wait together both make theirs known", async () => {
  await withLogins(async (logins) => {
    await logins.user("mona");
    await logins.login("mona");
    const release = logins.it.store.hold();
    const before = logins.engine.userpass.setPolicies(logins.mount, "mona", []);
    const waiting = ["198.51.100.1", "198.51.100.2"].map((address) => logins.login("mona", "mona", address));
    await settle();
    release();
    await Promise.all([before, ...waiting]);
    equal(logins.record("mona").knownAddresses!.length, 3);
  });
});

Deno.test("S11: a login that was deleted renews no token by a namesake's grace", async () => {
  await withLogins(async (logins) => {
    await logins.user("gina");
    const { record: { hash } } = await logins.login("gina");
    await logins.engine.userpass.delete(logins.mount, "gina");
    logins.it.clock.advance(1000);
    await logins.user("gina");
    equal(await logins.engine.renewal.renew(hash, 0), null);
  });
});
