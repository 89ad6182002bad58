import { strict as assert } from "node:assert";
import { SqliteStore } from "../storage/sqlite_store.ts";
import type { Store, Write } from "../storage/store.ts";
import { hashOf } from "./chain.ts";
import { ALLOWED } from "./encoding.ts";
import { readHead, storedHead } from "./stored_head.ts";
import { withTrail } from "./_test_support.ts";
import { withinRequest } from "./request.ts";

const box = (last: number, lines: string): Write => {
  return { kind: "audit_outbox", key: String(last).padStart(16, "0"), value: { lines } };
};
const head = (sequence: number, hash: string): Write => ({
  kind: "audit_head",
  key: "head",
  value: { sequence, hash },
});
const line = (seq: number) => `{"seq":${seq},"prev":"${"0".repeat(64)}","mac":"${"1".repeat(64)}"}`;

async function withStore(use: (store: Store, path: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "runevault-head-" });
  const store = new SqliteStore(`${folder}/runevault.db`, () => {});
  try {
    await use(store, `${folder}/runevault.db`);
  } finally {
    await store.close();
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("the store knows the end of the trail by its last line, or as it was written down, whichever is later", async () => {
  await withStore(async (store, path) => {
    const steps: [Write, { sequence: number; hash: string } | null][] = [
      [{ kind: "audit_outbox", key: "1" }, null],
      [head(4, "a".repeat(64)), { sequence: 4, hash: "a".repeat(64) }],
      [box(6, `${line(5)}\n${line(6)}\n`), { sequence: 6, hash: hashOf(line(6)) }],
      [box(7, `${line(7)}\n`), { sequence: 7, hash: hashOf(line(7)) }],
      [head(9, "b".repeat(64)), { sequence: 9, hash: "b".repeat(64) }],
      [box(10, `${line(10)}\n`), { sequence: 10, hash: hashOf(line(10)) }],
    ];
    for (const [i, [write, expected]] of steps.entries()) {
      await store.commit([write], i);
      assert.deepEqual(await storedHead(store), expected);
      assert.deepEqual(readHead(path), expected);
    }
  });
});

Deno.test("a change says by its lines where the trail ends and writes no head; reads have it written", async () => {
  await withTrail(async (it) => {
    const end = () => ({ sequence: it.lines().length, hash: hashOf(it.lines().at(-1)!) });
    await withinRequest(it.request("write role"), () => it.changeRole("a"));
    assert.deepEqual(await storedHead(it.store), end());
    assert.deepEqual(it.store.asked.flat().map(({ kind }) => kind), ["role", "audit_outbox"]);
    await it.trail.finish(it.request(), ALLOWED);
    while (it.store.asked.length < 2) await new Promise((resolve) => setTimeout(resolve, 20));
    await it.writer.settled();
    assert.deepEqual(await storedHead(it.store), end());
    assert.equal(it.disk.table("audit_head").size, 1);
  });
});
