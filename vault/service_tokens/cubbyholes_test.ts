import { deepEqual, equal, rejects, throws } from "node:assert/strict";
import { refused } from "../_test_support.ts";
import { withTokens } from "./_test_support.ts";

Deno.test("what a token puts away only that token finds, whoever's child or parent it is, and after a restart", async () => {
  await withTokens(async (it) => {
    const root = await it.root();
    const mine = await it.make(root, { policies: ["a"] });
    const child = await it.make(mine.token);
    await it.engine.cubbyholes.write(await it.caller(mine.token), "a/b", '{"v":1}');
    for (const token of [root, child.token]) {
      const { tokenHash } = await it.caller(token);
      equal(it.engine.cubbyholes.read(tokenHash, "a/b"), undefined);
      deepEqual(it.engine.cubbyholes.list(tokenHash, ""), []);
    }
    await it.vault.restart();
    equal(it.engine.cubbyholes.read(mine.record.hash, "a/b"), '{"v":1}');
    deepEqual(it.engine.cubbyholes.list(mine.record.hash, ""), ["a/"]);
  });
});

Deno.test("entries lie sealed, each bound to its token and path", async () => {
  await withTokens(async (it) => {
    const { token, record } = await it.make(await it.root(), { policies: ["a"] });
    await it.engine.cubbyholes.write(await it.caller(token), "one", '{"v":"hunter2"}');
    await it.engine.cubbyholes.write(await it.caller(token), "two", '{"v":"other"}');
    const rows = it.vault.disk.table("cubbyhole");
    equal(JSON.stringify([...rows]).includes("hunter2"), false);
    rows.set(`${record.hash}/two`, rows.get(`${record.hash}/one`)!);
    await it.vault.restart();
    equal(it.engine.cubbyholes.read(record.hash, "one"), '{"v":"hunter2"}');
    throws(() => it.engine.cubbyholes.read(record.hash, "two"), refused("storage_failed"));
  });
});

Deno.test("a list shows one level, folders with a slash, and forgets what was deleted", async () => {
  await withTokens(async (it) => {
    const { token, record } = await it.make(await it.root(), { policies: ["a"] });
    const holes = it.engine.cubbyholes;
    for (const path of ["a", "a/b", "a/c/d", "ab", "z"]) await holes.write(await it.caller(token), path, "{}");
    deepEqual(holes.list(record.hash, ""), ["a", "a/", "ab", "z"]);
    deepEqual(holes.list(record.hash, "a/"), ["b", "c/"]);
    deepEqual(holes.list(record.hash, "b/"), []);
    await holes.delete(record.hash, "a/b");
    await holes.delete(record.hash, "nothing");
    deepEqual(holes.list(record.hash, "a/"), ["c/"]);
    equal(holes.read(record.hash, "a/b"), undefined);
  });
});

Deno.test("S18: an entity's tokens share 64 KiB, counted by what lies there now; a token of nobody has its own", async () => {
  await withTokens(async (it) => {
    const holes = it.engine.cubbyholes;
    const evt = await it.evt("alice", "a");
    const [self, child] = [await it.caller(evt), await it.caller((await it.make(evt)).token)];
    const text = (bytes: number) => JSON.stringify({ v: "x".repeat(bytes - 8) });
    await holes.write(self, "a", text(40_000));
    await rejects(() => holes.write(child, "b", text(30_000)), refused("rate_limited"));
    await holes.write(self, "a", text(20_000));
    await holes.write(child, "b", text(40_000));
    await rejects(() => holes.write(self, "c", text(5_600)), refused("rate_limited"));
    await holes.write(self, "c", text(5_400));
    await it.vault.restart();
    const again = await it.caller(evt);
    await rejects(() => it.engine.cubbyholes.write(again, "d", text(200)), refused("rate_limited"));
    await it.engine.cubbyholes.write(await it.caller(await it.root()), "a", text(65_400));
    await it.engine.tokens.endings.end([child.tokenHash]);
    await it.engine.cubbyholes.write(again, "d", text(40_000));
  });
});

Deno.test("bytes are counted, not letters", async () => {
  await withTokens(async (it) => {
    const caller = await it.caller(await it.root());
    const json = JSON.stringify({ v: "é".repeat(33_000) });
    await rejects(() => it.engine.cubbyholes.write(caller, "a", json), refused("rate_limited"));
  });
});

Deno.test("a path too long is refused, and what can't be stored isn't counted", async () => {
  await withTokens(async (it) => {
    const caller = await it.caller(await it.root());
    const holes = it.engine.cubbyholes;
    await rejects(() => holes.write(caller, "p".repeat(513), "{}"), refused("invalid_argument"));
    const big = JSON.stringify({ v: "x".repeat(60_000) });
    it.vault.store.failNext();
    await rejects(() => holes.write(caller, "a", big), refused("storage_failed"));
    equal(holes.read(caller.tokenHash, "a"), undefined);
    await holes.write(caller, "a", big);
  });
});

Deno.test("writers at once don't get past the allowance together", async () => {
  await withTokens(async (it) => {
    const caller = await it.caller(await it.root());
    const big = JSON.stringify({ v: "x".repeat(20_000) });
    const written = await Promise.allSettled(
      Array.from({ length: 10 }, (_, i) => it.engine.cubbyholes.write(caller, `p${i}`, big)),
    );
    equal(written.filter((one) => one.status === "fulfilled").length, 3);
  });
});
