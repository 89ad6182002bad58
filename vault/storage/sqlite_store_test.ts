import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { DatabaseSync } from "node:sqlite";
import { storeConformance } from "../../tests/conformance/store_conformance.ts";
import { VaultError } from "../errors.ts";
import { SCHEMA_VERSION } from "./migrations.ts";
import type { Write } from "./store.ts";
import { SqliteStore } from "./sqlite_store.ts";

const ONE_A_SECOND = { count: 1, seconds: 1 };

function unexpected(reason: string): never {
  throw new Error(`The committing thread died: ${reason}`);
}

async function withPath(use: (path: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "runevault-store-" });
  try {
    await use(`${folder}/runevault.db`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Changes a closed database file behind the store's back. */
function alter(path: string, sql: string): void {
  const db = new DatabaseSync(path);
  db.exec(sql);
  db.close();
}

storeConformance("SqliteStore", async () => {
  const folder = await Deno.makeTempDir({ prefix: "runevault-store-" });
  const path = `${folder}/runevault.db`;
  return {
    open: () => Promise.resolve().then(() => new SqliteStore(path, unexpected)),
    makeNewer: () => Promise.resolve(alter(path, `PRAGMA user_version = ${SCHEMA_VERSION + 1}`)),
    makeForeign: async () => {
      await Deno.remove(path);
      alter(path, "CREATE TABLE theirs (a); INSERT INTO theirs VALUES (1)");
    },
    damage: async () => {
      const bytes = await Deno.readFile(path);
      await Deno.writeFile(path, bytes.fill(0x58, 0, 64));
    },
    fingerprint: async () => {
      const names = (await Array.fromAsync(Deno.readDir(folder))).map((entry) => entry.name).sort();
      const digests = await Promise.all(
        names.map(async (name) => createHash("sha256").update(await Deno.readFile(`${folder}/${name}`)).digest("hex")),
      );
      return JSON.stringify([names, digests]);
    },
    dispose: () => Deno.remove(folder, { recursive: true }),
  };
});

const WRITE: Write = { kind: "meta", key: "a", value: { value: 1 } };

Deno.test("SqliteStore commits with synchronous=FULL and a write-ahead log: its file says so", async () => {
  await withPath(async (path) => {
    const store = new SqliteStore(path, unexpected);
    await store.commit([WRITE], 0);
    const wal = await Deno.stat(`${path}-wal`);
    assert.ok(wal.size > 0, "the commit is in the write-ahead log");
    await store.close();
    await assert.rejects(Deno.stat(`${path}-wal`), Deno.errors.NotFound, "a close folds the log into the file");
    // The write-ahead log is marked in the file's header (SQLite file format §1.3.3).
    assert.deepEqual([...(await Deno.readFile(path)).slice(18, 20)], [2, 2]);
  });
});

Deno.test("SqliteStore refuses a file that is no database, and one it may not make", async () => {
  await withPath(async (path) => {
    await Deno.writeTextFile(path, "this is not a database, whatever its name says".repeat(100));
    const invalid = (error: unknown) => error instanceof VaultError && error.kind === "config_invalid";
    assert.throws(() => new SqliteStore(path, unexpected), invalid);
    assert.throws(() => new SqliteStore(`${path}.folder/x.db`, unexpected), invalid);
  });
});

Deno.test("SqliteStore refuses a commit that the disk has no room for, and nothing of it is done", async () => {
  await withPath(async (path) => {
    const store = new SqliteStore(path, unexpected);
    await store.commit([WRITE], 0);
    // What SQLite does by itself when the disk is full: it rolls back, and there is no transaction left to end.
    alter(
      path,
      `CREATE TRIGGER full BEFORE INSERT ON records WHEN new.key = 'k49'
        BEGIN SELECT RAISE(ROLLBACK, 'database or disk is full'); END`,
    );
    const many = Array.from({ length: 50 }, (_, i): Write => ({ kind: "meta", key: `k${i}`, value: { value: i } }));
    const full = (error: unknown) =>
      error instanceof VaultError && error.kind === "storage_failed" && /disk is full/.test(error.message);
    await assert.rejects(store.commit(many, 1), full);
    assert.equal(await store.get("meta", "k0"), undefined);
    assert.equal(await store.sequence(), 1);
    assert.equal(await store.commit([WRITE], 1), 2, "the next change that fits is taken");
    await store.close();
  });
});

Deno.test("SqliteStore keeps the event loop free while a commit waits for the disk", async () => {
  await withPath(async (path) => {
    const store = new SqliteStore(path, unexpected);
    await store.commit([WRITE], 0);
    const other = new DatabaseSync(path);
    other.exec("BEGIN IMMEDIATE");
    const committed = store.commit([WRITE], 1);
    let isWaiting = true;
    const ended = committed.catch(() => {}).then(() => isWaiting = false);
    for (let ticks = 0; ticks < 10; ticks++) await new Promise((resolve) => setTimeout(resolve, 5));
    assert.ok(isWaiting, "the commit waits, and the event loop went round meanwhile");
    other.exec("ROLLBACK");
    other.close();
    assert.equal(await committed, 2);
    await ended;
    await store.close();
  });
});

Deno.test("SqliteStore that was damaged inside refuses to be read, naming the file and the remedy", async () => {
  const role: Write = { kind: "role", key: "r", value: { name: "r", scope: [], topK: 1, rateLimit: ONE_A_SECOND } };
  for (const damage of ["UPDATE records SET value = '{\"name\":'", "DROP TABLE records"]) {
    await withPath(async (path) => {
      const first = new SqliteStore(path, unexpected);
      await first.commit([role], 0);
      await first.close();
      const second = new SqliteStore(path, unexpected);
      alter(path, damage);
      const reading = Array.fromAsync(second.read("role"));
      await assert.rejects(reading, (error: VaultError) => {
        return error.kind === "config_invalid" && error.message.includes(path) && error.hint!.includes("backup");
      });
      await second.close();
    });
  }
});

Deno.test("SqliteStore that nobody reads to the end can be closed", async () => {
  await withPath(async (path) => {
    const store = new SqliteStore(path, unexpected);
    const writes = Array.from({ length: 5000 }, (_, i): Write => {
      const name = `role${i}`;
      return { kind: "role", key: name, value: { name, scope: [], topK: 1, rateLimit: ONE_A_SECOND } };
    });
    await store.commit(writes, 0);
    for await (const page of store.read("role")) {
      assert.ok(page.length > 0);
      break;
    }
    assert.equal((await Array.fromAsync(store.read("role"))).flat().length, 5000);
    await store.close();
  });
});
