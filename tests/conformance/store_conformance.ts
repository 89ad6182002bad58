/**
 * What every store does, whatever it is made of.
 *
 * @module
 */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { VaultError, type VaultErrorKind } from "../../vault/errors.ts";
import type { RecordKind, RoleRecord } from "../../vault/storage/records.ts";
import type { Row, Store, Write } from "../../vault/storage/store.ts";

/** Where a store keeps its records: a file, or what stands for one. */
export interface Medium {
  /** Opens a store on it, as a process does at its start. */
  open(): Promise<Store>;
  /** Makes it look like one that a newer version of this program wrote. */
  makeNewer(): Promise<void>;
  /** Makes it look like another program's. */
  makeForeign(): Promise<void>;
  /** Damages the beginning, where it says what it is. */
  damage(): Promise<void>;
  /** What it holds, byte for byte: to see that a refused opening changed nothing. */
  fingerprint(): Promise<string>;
  dispose(): Promise<void>;
}

function role(name: string, topK = 5): RoleRecord {
  return { name, scope: ["get_bundle"], topK, rateLimit: { count: 30, seconds: 60 } };
}

function put(name: string, topK?: number): Write {
  return { kind: "role", key: name, value: role(name, topK) };
}

async function rows<K extends RecordKind>(store: Store, kind: K): Promise<Row<K>[]> {
  const all: Row<K>[] = [];
  for await (const page of store.read(kind)) all.push(...page);
  return all;
}

async function keys(store: Store, kind: RecordKind = "role"): Promise<string[]> {
  return (await rows(store, kind)).map((row) => row.key);
}

function refused(kind: VaultErrorKind): (error: unknown) => boolean {
  return (error) => error instanceof VaultError && error.kind === kind;
}

async function opening(medium: Medium): Promise<void> {
  const store = await medium.open();
  await store.close();
}

/**
 * Registers the suite for one kind of store.
 *
 * @param makeMedium Makes an empty medium for each test.
 */
export function storeConformance(name: string, makeMedium: () => Promise<Medium>): void {
  const test = (what: string, body: (medium: Medium) => Promise<void>) =>
    Deno.test(`${name} ${what}`, async () => {
      const medium = await makeMedium();
      try {
        await body(medium);
      } finally {
        await medium.dispose();
      }
    });
  const withStore = (what: string, body: (store: Store, medium: Medium) => Promise<void>) =>
    test(what, async (medium) => {
      const store = await medium.open();
      try {
        await body(store, medium);
      } finally {
        await store.close();
      }
    });

  withStore("begins empty, at sequence 0", async (store) => {
    assert.equal(await store.sequence(), 0);
    assert.deepEqual(await keys(store), []);
    assert.equal(await store.get("role", "member"), undefined);
  });

  withStore("commits writes of several kinds and gives back what was written", async (store) => {
    const wrote: Write[] = [put("a", 7), { kind: "meta", key: "first_user_at", value: { value: 12 } }];
    assert.equal(await store.commit(wrote, 0), 1);
    assert.equal(await store.sequence(), 1);
    assert.deepEqual(await store.get("role", "a"), role("a", 7));
    assert.deepEqual(await rows(store, "meta"), [{ key: "first_user_at", value: { value: 12 } }]);
    assert.equal(await store.get("meta", "a"), undefined, "kinds have keys of their own");
  });

  withStore("replaces a record, deletes one, and takes the last of two writes to one key", async (store) => {
    await store.commit([put("a", 1), put("b", 1)], 0);
    await store.commit([put("a", 2), { kind: "role", key: "b" }, put("c", 1), put("c", 9)], 1);
    assert.deepEqual(await keys(store), ["a", "c"]);
    assert.equal((await store.get("role", "a"))?.topK, 2);
    assert.equal((await store.get("role", "c"))?.topK, 9);
    await store.commit([{ kind: "role", key: "never there" }], 2);
    assert.equal(await store.sequence(), 3);
  });

  withStore("commits all writes or none", async (store) => {
    await store.commit([put("a")], 0);
    const impossible = { kind: "role", key: "not\0text", value: role("x") } as const;
    await assert.rejects(
      store.commit([put("b"), { kind: "role", key: "a" }, impossible], 1),
      refused("storage_failed"),
    );
    assert.deepEqual(await keys(store), ["a"]);
    assert.equal(await store.sequence(), 1);
    assert.equal(await store.commit([put("b")], 1), 2, "a refused commit leaves nothing open behind it");
  });

  withStore("refuses a commit that was computed from another sequence", async (store) => {
    await store.commit([put("a")], 0);
    for (const stale of [0, 2, -1]) {
      await assert.rejects(store.commit([put("b")], stale), refused("storage_failed"));
    }
    assert.deepEqual(await keys(store), ["a"]);
    assert.equal(await store.sequence(), 1);
  });

  withStore("refuses keys that it could not give back", async (store) => {
    for (const key of ["\ud800", "a\udfff", "\0"]) {
      await assert.rejects(store.commit([{ kind: "role", key, value: role("x") }], 0), refused("storage_failed"));
    }
    assert.equal(await store.sequence(), 0);
  });

  withStore("keeps any other text as key and value", async (store) => {
    const odd = [
      "",
      " ",
      "a/b",
      "../x",
      "line\nline",
      "\u0001",
      "é",
      "e\u0301",
      "'\"\\;--",
      "𝄞",
      "\u{10ffff}",
      "k".repeat(9000),
    ];
    await store.commit(odd.map((key) => ({ kind: "role", key, value: role(`${key}\0\ud800`) })), 0);
    for (const key of odd.filter((one) => one !== "")) {
      assert.equal((await store.get("role", key))?.name, `${key}\0\ud800`, JSON.stringify(key));
    }
    assert.equal((await keys(store)).filter((key) => key !== "").length, odd.length - 1);
  });

  withStore("reads in the order of the keys' UTF-8, in pages, and each row once", async (store) => {
    const names = Array.from({ length: 4500 }, (_, i) => `n${(i * 7919) % 4500}`);
    names.push("\u{1f600}", "\uffee", "é", "~");
    await store.commit(names.map((key, i) => ({ kind: "meta", key, value: { value: -i } })), 0);
    const pages: number[] = [];
    const read: string[] = [];
    for await (const page of store.read("meta")) {
      pages.push(page.length);
      read.push(...page.map((row) => row.key));
    }
    const sorted = [...names].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    assert.deepEqual(read, sorted);
    assert.ok(pages.length >= 2 && Math.max(...pages) <= 2500, `pages of ${pages}`);
  });

  withStore("keeps lines of the audit trail by their number, in order, and each as any other record", async (store) => {
    const key = (last: number) => String(last).padStart(16, "0");
    const box = (last: number, lines = `line ${last}\n`): Write => {
      return { kind: "audit_outbox", key: key(last), value: { lines } };
    };
    const numbers = Array.from({ length: 4500 }, (_, i) => 1 + (i * 7919) % 4500);
    await store.commit([...numbers.map((last) => box(last)), put("a")], 0);
    const inOrder = numbers.toSorted((a, b) => a - b).map(key);
    assert.deepEqual(await keys(store, "audit_outbox"), inOrder);
    assert.deepEqual(await keys(store), ["a"]);
    assert.deepEqual(await store.get("audit_outbox", key(7)), { lines: "line 7\n" });
    assert.equal(await store.get("audit_outbox", key(4501)), undefined);
    const gone = inOrder.slice(0, 4498).map((key): Write => ({ kind: "audit_outbox", key }));
    await store.commit([...gone, box(4500, '"é\ud800'), box(9_007_199_254_740_991)], 1);
    assert.deepEqual(await rows(store, "audit_outbox"), [
      { key: key(4499), value: { lines: "line 4499\n" } },
      { key: key(4500), value: { lines: '"é\ud800' } },
      { key: "9007199254740991", value: { lines: "line 9007199254740991\n" } },
    ]);
    assert.deepEqual(await store.get("role", "a"), role("a"));
  });

  withStore("lets a reader stop early", async (store) => {
    await store.commit(Array.from({ length: 2500 }, (_, i) => put(`n${i}`)), 0);
    for await (const page of store.read("role")) {
      assert.ok(page.length > 0);
      break;
    }
    assert.equal(await store.commit([put("a")], 1), 2);
  });

  withStore("hands out copies: who changes one changes nothing that is stored", async (store) => {
    await store.commit([{ kind: "meta", key: "a", value: { value: 1 } }], 0);
    Object.assign((await store.get("meta", "a"))!, { value: 3 });
    assert.deepEqual(await store.get("meta", "a"), { value: 1 });
  });

  test("keeps what was committed over a close, and the sequence too", async (medium) => {
    const first = await medium.open();
    await first.commit([put("a", 1), put("b")], 0);
    await first.commit([{ kind: "role", key: "b" }, put("a", 2)], 1);
    await assert.rejects(first.commit([put("c")], 1), refused("storage_failed"));
    await first.close();
    const second = await medium.open();
    assert.equal(await second.sequence(), 2);
    assert.deepEqual(await rows(second, "role"), [{ key: "a", value: role("a", 2) }]);
    assert.equal(await second.commit([put("c")], 2), 3);
    await second.close();
  });

  test("answers commits asked for before a close, refuses later ones, and closes twice", async (medium) => {
    const store = await medium.open();
    const asked = [store.commit([put("a")], 0), store.close(), store.commit([put("b")], 1), store.close()];
    const [early, , late] = await Promise.allSettled(asked);
    assert.deepEqual(early, { status: "fulfilled", value: 1 });
    assert.ok(late?.status === "rejected" && refused("storage_failed")(late.reason));
    await assert.rejects(store.commit([put("b")], 1), refused("storage_failed"));
    const again = await medium.open();
    assert.deepEqual(await keys(again), ["a"]);
    await again.close();
  });

  test("lets only one of two openings commit from the same state", async (medium) => {
    const one = await medium.open();
    const two = await medium.open();
    assert.equal(await one.commit([put("a")], 0), 1);
    await assert.rejects(two.commit([put("b")], 0), refused("storage_failed"));
    assert.deepEqual(await keys(two), ["a"], "the other one's commit is seen");
    assert.equal(await two.commit([put("b")], 1), 2);
    const [won, lost] = await Promise.allSettled([one.commit([put("c")], 2), two.commit([put("d")], 2)]);
    assert.deepEqual([won.status, lost.status].sort(), ["fulfilled", "rejected"]);
    await one.close();
    await two.close();
  });

  for (
    const [what, spoil] of [
      ["that a newer version wrote", (medium: Medium) => medium.makeNewer()],
      ["of another program", (medium: Medium) => medium.makeForeign()],
      ["whose beginning is damaged", (medium: Medium) => medium.damage()],
    ] as const
  ) {
    test(`refuses a database ${what} and changes nothing in it`, async (medium) => {
      const store = await medium.open();
      await store.commit([put("a")], 0);
      await store.close();
      await spoil(medium);
      const before = await medium.fingerprint();
      await assert.rejects(opening(medium), refused("config_invalid"));
      assert.equal(await medium.fingerprint(), before);
    });
  }
}
