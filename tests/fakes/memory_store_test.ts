import assert from "node:assert/strict";
import { storeConformance } from "../conformance/store_conformance.ts";
import { VaultError } from "../../vault/errors.ts";
import { MemoryDisk, MemoryStore } from "./memory_store.ts";

storeConformance("MemoryStore", () => {
  const disk = new MemoryDisk();
  const change = (how: Partial<MemoryDisk>) => Promise.resolve(void Object.assign(disk, how));
  return Promise.resolve({
    open: () => Promise.resolve().then(() => new MemoryStore(disk)),
    makeNewer: () => change({ schema: 2 }),
    makeForeign: () => change({ program: "another" }),
    damage: () => change({ damaged: true }),
    fingerprint: () => Promise.resolve(JSON.stringify([disk.sequence, [...disk.records].map(([k, t]) => [k, ...t])])),
    dispose: () => Promise.resolve(),
  });
});

Deno.test("MemoryStore fails the commit that a test asks it to, and only that one", async () => {
  const store = new MemoryStore();
  store.failNext("no space");
  const write = [{ kind: "meta", key: "a", value: { value: 1 } }] as const;
  const noSpace = (error: unknown) => error instanceof VaultError && error.message.endsWith("no space");
  await assert.rejects(store.commit(write, 0), noSpace);
  assert.equal(await store.commit(write, 0), 1);
});
