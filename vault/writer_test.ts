import assert from "node:assert/strict";
import { MemoryStore } from "../tests/fakes/memory_store.ts";
import { refused } from "./_test_support.ts";
import { VaultError } from "./errors.ts";
import { VaultState } from "./state.ts";
import type { Write } from "./storage/store.ts";
import { Writer } from "./writer.ts";

function setUp() {
  const store = new MemoryStore();
  const state = new VaultState();
  return { store, state, writer: new Writer(store, state) };
}

function put(key: string, value: string | number = 1): Write {
  return { kind: "meta", key, value: { value } };
}

Deno.test("Writer.change() answers after the writes are durable and in memory, not before", async () => {
  const { store, state, writer } = setUp();
  const release = store.hold();
  let answered = false;
  const change = writer.change(() => ({ writes: [put("a")], result: () => state.meta.get("a") }));
  change.then(() => answered = true);
  await new Promise((resolve) => setTimeout(resolve, 10));
  assert.equal(answered, false);
  assert.equal(state.meta.has("a"), false, "what isn't durable isn't in force");
  release();
  assert.equal(await change, 1);
  assert.equal(state.sequence, 1);
  assert.equal(store.disk.sequence, 1);
});

Deno.test("Writer.change() leaves memory and store as they were when the commit fails", async () => {
  const { store, state, writer } = setUp();
  await writer.change(() => ({ writes: [put("a")], result() {} }));
  store.failNext();
  let asked = false;
  const change = writer.change(() => ({ writes: [put("a", 2), put("b")], result: () => asked = true }));
  await assert.rejects(change, refused("storage_failed"));
  assert.equal(asked, false, "a change that didn't happen has no result");
  assert.deepEqual([...state.meta], [["a", 1]]);
  assert.equal(state.sequence, 1);
  await writer.change(() => ({ writes: [put("c")], result() {} }));
  assert.deepEqual([...state.meta], [["a", 1], ["c", 1]]);
});

Deno.test("Writer.change() lets a plan refuse, and goes on with the next", async () => {
  const { store, state, writer } = setUp();
  const refuse = () => {
    throw new VaultError("already_exists", "Taken");
  };
  const changes = await Promise.allSettled([
    writer.change(refuse),
    writer.change(() => ({ writes: [put("a")], result: () => "made" })),
    writer.change(() => Promise.reject(new TypeError("a mistake"))),
    writer.change(() => ({ writes: [put("b")], result: () => "made" })),
  ]);
  assert.deepEqual(changes.map((change) => change.status), ["rejected", "fulfilled", "rejected", "fulfilled"]);
  assert.deepEqual([...state.meta.keys()], ["a", "b"]);
  assert.equal(store.asked.length, 2);
});

Deno.test("Writer.change() plans against everything acknowledged before: two can't both find a name free", async () => {
  const { store, state, writer } = setUp();
  const release = store.hold();
  const take = (who: string) =>
    writer.change(() => {
      if (state.meta.has("name")) throw new VaultError("already_exists", "Taken");
      return { writes: [put("name", who)], result: () => who };
    });
  const both = Promise.allSettled([take("one"), take("two")]);
  release();
  const [one, two] = await both;
  assert.deepEqual(one, { status: "fulfilled", value: "one" });
  assert.ok(two.status === "rejected" && refused("already_exists")(two.reason));
  assert.equal(state.meta.get("name"), "one");
});

Deno.test("Writer.change() keeps the order of a hundred changes whose plans take turns", async () => {
  const { state, writer } = setUp();
  const order: number[] = [];
  const increments = Array.from({ length: 100 }, (_, i) =>
    writer.change(async () => {
      const before = Number(state.meta.get("count") ?? 0);
      if (i % 3 === 0) await new Promise((resolve) => setTimeout(resolve, 0));
      return { writes: [put("count", before + 1)], result: () => order.push(i) };
    }));
  await Promise.all(increments);
  assert.equal(state.meta.get("count"), 100);
  assert.deepEqual(order, Array.from({ length: 100 }, (_, i) => i));
});

Deno.test("Writer.change() commits nothing for a plan without writes", async () => {
  const { store, state, writer } = setUp();
  writer.addBookkeeping(() => [put("book")]);
  assert.equal(await writer.change(() => ({ writes: [], result: () => "nothing to do" })), "nothing to do");
  assert.equal(store.asked.length, 0);
  assert.equal(state.sequence, 0);
});

Deno.test("Writer.change() commits bookkeeping with the change that calls for it, or neither", async () => {
  const { store, state, writer } = setUp();
  writer.addBookkeeping((writes) => writes.map((write) => put(`seen ${write.key}`)));
  writer.addBookkeeping((writes) => writes.map((write) => put(`also ${write.key}`)));
  await writer.change(() => ({ writes: [put("a")], result() {} }));
  assert.deepEqual([...state.meta.keys()], ["a", "seen a", "also a"]);
  assert.equal(store.disk.sequence, 1, "one commit");
  store.failNext();
  await assert.rejects(writer.change(() => ({ writes: [put("b")], result() {} })), refused("storage_failed"));
  assert.deepEqual([...state.meta.keys()], ["a", "seen a", "also a"]);
});

Deno.test("Writer.settled() waits for the changes begun so far, also for those that fail", async () => {
  const { store, state, writer } = setUp();
  const release = store.hold();
  const bad = writer.change(() => ({ writes: [put("a")], result() {} }));
  const good = writer.change(() => ({ writes: [put("b")], result() {} }));
  store.failNext();
  let settled = false;
  const waited = writer.settled().then(() => settled = true);
  await new Promise((resolve) => setTimeout(resolve, 5));
  assert.equal(settled, false);
  release();
  await assert.rejects(bad, refused("storage_failed"));
  await waited;
  assert.equal(state.meta.has("b"), true);
  await good;
});
