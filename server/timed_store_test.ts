import { deepEqual, equal, rejects } from "node:assert/strict";
import { MemoryDisk, MemoryStore } from "../tests/fakes/memory_store.ts";
import { TimedStore } from "./timed_store.ts";

Deno.test("TimedStore tells of each commit how long it took and whether it succeeded, and changes nothing else", async () => {
  const inner = new MemoryStore(new MemoryDisk());
  let now = 0;
  const store = new TimedStore(inner, () => now += 250);
  const told: unknown[] = [];
  store.observe = (commit) => told.push(commit);
  const write = { kind: "meta", key: "clock_tick", value: { value: 1 } } as const;
  equal(await store.commit([write], 0), 1);
  inner.failNext();
  await rejects(store.commit([write], 1));
  deepEqual(told, [{ isOk: true, seconds: 0.25 }, { isOk: false, seconds: 0.25 }]);
  deepEqual([await store.sequence(), await store.get("meta", "clock_tick")], [1, { value: 1 }]);
  const pages = [];
  for await (const page of store.read("meta")) pages.push(...page);
  equal(pages.length, 1);
  await store.close();
});
