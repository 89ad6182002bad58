import { deepEqual, equal, rejects } from "node:assert/strict";
import { MemoryStore } from "../tests/fakes/memory_store.ts";
import { refused } from "./_test_support.ts";
import { VaultError } from "./errors.ts";
import { VaultState } from "./state.ts";
import type { Write } from "./storage/store.ts";
import { type Plan, Writer } from "./writer.ts";

async function opened() {
  const store = new MemoryStore();
  const state = await VaultState.load(store);
  return { store, state, writer: new Writer(store, state) };
}

const put = (key: string): Write => ({ kind: "meta", key, value: { value: 1 } });
const planned = (key: string) => (): Plan<string> => ({ writes: [put(key)], result: () => key });
const refusing = (): Plan<string> => {
  throw new VaultError("invalid_argument", "No");
};

Deno.test("changes that join while another is under way share one commit, and each gets its own answer", async () => {
  const { store, state, writer } = await opened();
  const release = store.hold();
  const first = writer.change(planned("first"));
  await Promise.resolve();
  const joined = Array.from({ length: 50 }, (_, i) => writer.join(planned(`joined ${i}`)));
  release();
  deepEqual(await Promise.all([first, ...joined]), ["first", ...joined.map((_, i) => `joined ${i}`)]);
  equal(store.asked.length, 2);
  equal(state.sequence, 2);
  equal(state.meta.size, 51);
});

Deno.test("one of those that join refuses alone, and writes nothing", async () => {
  const { store, state, writer } = await opened();
  const [good, bad, other] = await Promise.allSettled([
    writer.join(planned("a")),
    writer.join(refusing),
    writer.join(planned("b")),
  ]);
  deepEqual([good.status, bad.status, other.status], ["fulfilled", "rejected", "fulfilled"]);
  equal(store.asked.length, 1);
  deepEqual([...state.meta.keys()], ["a", "b"]);
});

Deno.test("where all refuse nothing is committed, and the next to join is served", async () => {
  const { store, writer } = await opened();
  await rejects(() => writer.join(refusing), refused("invalid_argument"));
  equal(store.asked.length, 0);
  equal(await writer.join(planned("a")), "a");
});

Deno.test("a commit that fails fails all that joined it, leaves memory as it was, and the next is served", async () => {
  const { store, state, writer } = await opened();
  store.failNext();
  const joined = await Promise.allSettled(["a", "b", "c"].map((key) => writer.join(planned(key))));
  for (const one of joined) equal(one.status === "rejected" && refused("storage_failed")(one.reason), true);
  equal(state.meta.size, 0);
  equal(await writer.join(planned("d")), "d");
});

Deno.test("no answer is given before the commit", async () => {
  const { store, writer } = await opened();
  const release = store.hold();
  let isAnswered = false;
  const joined = writer.join(planned("a")).then(() => isAnswered = true);
  await new Promise((resolve) => setTimeout(resolve, 5));
  equal(isAnswered, false);
  release();
  await joined;
});

Deno.test("who joins while a batch is being committed is in the next one, and sees the first", async () => {
  const { store, state, writer } = await opened();
  const release = store.hold();
  const first = writer.join(planned("a"));
  await new Promise((resolve) => setTimeout(resolve, 5));
  const second = writer.join((): Plan<boolean> => {
    const seen = state.meta.has("a");
    return { writes: [put("b")], result: () => seen };
  });
  release();
  deepEqual(await Promise.all([first, second]), ["a", true]);
  equal(store.asked.length, 2);
});

Deno.test("what joins keeps its place among the other changes", async () => {
  const { state, writer } = await opened();
  const seen: boolean[] = [];
  const look = (key: string): Plan<void> => {
    seen.push(state.meta.has("joined"));
    return { writes: [put(key)], result: () => {} };
  };
  await Promise.all([
    writer.change(() => look("before")),
    writer.join(planned("joined")),
    writer.change(() => look("x")),
  ]);
  deepEqual(seen, [false, true]);
});

Deno.test("a crowd that joins at once is committed in several turns, the first to come first", async () => {
  const { store, state, writer } = await opened();
  const done: number[] = [];
  await Promise.all(Array.from({ length: 300 }, async (_, i) => {
    await writer.join(planned(`joined ${i}`));
    done.push(i);
  }));
  deepEqual(done, Array.from({ length: 300 }, (_, i) => i));
  equal(state.meta.size, 300);
  equal(store.asked.length, 3);
});
