import { deepEqual, equal, ok, rejects } from "node:assert/strict";
import { refused } from "../_test_support.ts";
import { type TestTokens, withTokens } from "./_test_support.ts";

async function family(it: TestTokens) {
  const root = await it.root();
  const parent = await it.make(root, { policies: ["a"] });
  const child = await it.make(parent.token);
  const grandchild = await it.make(child.token);
  const orphan = await it.make(child.token, {}, { isOrphanPath: true });
  return { root, parent, child, grandchild, orphan };
}

Deno.test("a token ends with all that it made but orphans, their cubbyholes and leases, in one commit", async () => {
  await withTokens(async (it) => {
    const { parent, child, grandchild, orphan } = await family(it);
    const ended: string[] = [];
    it.engine.tokens.endings.addHook(({ accessor }) => {
      ended.push(accessor);
      return [{ kind: "meta", key: `lease of ${accessor}`, value: { value: 1 } }];
    });
    await it.engine.cubbyholes.write(await it.caller(grandchild.token), "note", '{"a":1}');
    await it.engine.cubbyholes.write(await it.caller(orphan.token), "note", '{"a":1}');
    const { sequence } = it.vault.vault.state;
    await it.engine.tokens.endings.end([parent.record.hash]);
    equal(it.vault.vault.state.sequence, sequence + 1);
    deepEqual(
      await it.live(parent.token, child.token, grandchild.token, orphan.token),
      [false, false, false, true],
    );
    deepEqual(ended.sort(), [parent, child, grandchild].map((one) => one.record.accessor).sort());
    deepEqual(
      [...it.vault.disk.table("cubbyhole").keys()],
      [`${orphan.record.hash}/note`],
    );
    for (const accessor of ended) ok(it.vault.disk.table("meta").has(`lease of ${accessor}`));
  });
});

Deno.test("an end that can't be stored ends nothing", async () => {
  await withTokens(async (it) => {
    const { parent, child } = await family(it);
    it.vault.store.failNext();
    await rejects(() => it.engine.tokens.endings.end([parent.record.hash]), refused("storage_failed"));
    deepEqual(await it.live(parent.token, child.token), [true, true]);
    await it.vault.restart();
    deepEqual(await it.live(parent.token, child.token), [true, true]);
  });
});

Deno.test("ending what isn't there is no error and no commit; ending twice at once is one", async () => {
  await withTokens(async (it) => {
    const { parent } = await family(it);
    const before = it.vault.store.asked.length;
    await it.engine.tokens.endings.end(["0".repeat(64)]);
    equal(it.vault.store.asked.length, before);
    const { hash } = parent.record;
    await Promise.all([1, 2, 3].map(() => it.engine.tokens.endings.end([hash, hash])));
    equal(it.vault.store.asked.length, before + 1);
  });
});

Deno.test("a token ended alone leaves its children as orphans, who live on after a restart", async () => {
  await withTokens(async (it) => {
    const { parent, child, grandchild } = await family(it);
    await it.engine.tokens.endings.endAlone(parent.record.hash);
    deepEqual(await it.live(parent.token, child.token, grandchild.token), [false, true, true]);
    equal(it.engine.tokens.find(child.token)!.parent, null);
    await it.vault.restart();
    deepEqual(await it.live(parent.token, child.token, grandchild.token), [false, true, true]);
    await it.engine.tokens.endings.end([child.record.hash]);
    deepEqual(await it.live(grandchild.token), [false]);
  });
});

Deno.test("a child made while its parent ends isn't left behind", async () => {
  await withTokens(async (it) => {
    const { parent } = await family(it);
    const outcomes = await Promise.allSettled([
      it.make(parent.token),
      it.engine.tokens.endings.end([parent.record.hash]),
      it.make(parent.token),
      it.make(parent.token, {}, { isOrphanPath: true }),
    ]);
    const made = outcomes.flatMap((one) => one.status === "fulfilled" && one.value ? [one.value.token] : []);
    ok(made.length < 3, "not all came before the end");
    const orphans = made.filter((token) => it.engine.tokens.find(token)?.parent === null);
    deepEqual(await it.live(...made), made.map((token) => orphans.includes(token)));
    deepEqual(it.engine.tokens.index.childrenOf(parent.record.hash), []);
  });
});

Deno.test("what has expired is swept with all that it made, in batches, and nothing else is", async () => {
  await withTokens(async (it) => {
    const root = await it.root();
    const short = await Promise.all(Array.from({ length: 450 }, () => it.make(root, { policies: ["a"], ttl: 10 })));
    const child = await it.make(short[0]!.token, { ttl: 1000 });
    const long = await it.make(root, { policies: ["a"], ttl: 20 });
    equal(await it.engine.tokens.endings.sweep(), 0);
    it.vault.clock.advance(10_000);
    const before = it.vault.store.asked.length;
    equal(await it.engine.tokens.endings.sweep(), 450);
    equal(it.vault.store.asked.length - before, 3, "200 a commit");
    equal(it.engine.tokens.find(child.token), undefined);
    deepEqual([...it.vault.disk.table("service_token").keys()].length, 2);
    deepEqual(await it.live(root, long.token), [true, true]);
  });
});

Deno.test("a token renewed since it was queued isn't swept before its new end", async () => {
  await withTokens(async (it) => {
    const { token, record } = await it.make(await it.root(), { policies: ["a"], ttl: 10 });
    it.vault.clock.advance(5_000);
    await it.engine.renewal.renew(record.hash, 100);
    it.vault.clock.advance(6_000);
    equal(await it.engine.tokens.endings.sweep(), 0);
    deepEqual(await it.live(token), [true]);
    it.vault.clock.advance(100_000);
    equal(await it.engine.tokens.endings.sweep(), 1);
  });
});

Deno.test("a sweep that failed is made up for later; meanwhile the expired stay refused", async () => {
  await withTokens(async (it) => {
    const { token } = await it.make(await it.root(), { policies: ["a"], ttl: 10 });
    it.vault.clock.advance(10_000);
    it.vault.store.failNext();
    await rejects(() => it.engine.tokens.endings.sweep(), refused("storage_failed"));
    deepEqual(await it.live(token), [false]);
    it.vault.clock.advance(60_000);
    equal(await it.engine.tokens.endings.sweep(), 1);
  });
});

Deno.test("a restart queues what was to expire", async () => {
  await withTokens(async (it) => {
    const { token } = await it.make(await it.root(), { policies: ["a"], ttl: 10 });
    await it.vault.restart();
    it.vault.clock.advance(10_000);
    equal(await it.engine.tokens.endings.sweep(), 1);
    equal(it.engine.tokens.find(token), undefined);
  });
});

Deno.test("S10: where the clock can't be trusted the sweeper commits nothing, until it can", async () => {
  await withTokens(async (it) => {
    const { token } = await it.make(await it.root(), { policies: ["a"], ttl: 10 });
    it.vault.clock.advance(10_000);
    let mayCommit = false;
    const asked = Promise.withResolvers<void>();
    const failures: unknown[] = [];
    it.engine.tokens.endings.start(() => {
      asked.resolve();
      return mayCommit;
    }, (error) => failures.push(error));
    await asked.promise;
    ok(it.engine.tokens.find(token), "still there, though refused");
    deepEqual(await it.live(token), [false]);
    mayCommit = true;
    const end = performance.now() + 20_000;
    while (it.engine.tokens.find(token) !== undefined && performance.now() < end) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    equal(it.engine.tokens.find(token), undefined);
    deepEqual(failures, []);
  });
});

Deno.test("a mount that is disabled takes every token that came through it, and their children, and no other", async () => {
  await withTokens(async (it) => {
    const { engine } = it;
    for (const path of ["userpass/", "other/"]) await engine.mounts.enable({ section: "auth", path, type: "userpass" });
    const logins = await Promise.all(["userpass/", "other/"].map(async (path) => {
      const mount = engine.mounts.byPath("auth", path)!;
      await engine.userpass.put(mount, "bob", { password: "pw", params: { policies: ["a"] } });
      return (await engine.logins.login(mount, "bob", "pw", "192.0.2.1")).token;
    }));
    const children = await Promise.all(logins.map(async (token) => (await it.make(token)).token));
    await engine.mounts.disable("auth", "userpass/");
    deepEqual(await it.live(...logins, ...children), [false, true, false, true]);
    deepEqual(engine.tokens.find(logins[0]!), undefined);
    await engine.mounts.enable({ section: "auth", path: "userpass/", type: "userpass" });
    deepEqual(await it.live(logins[0]!), [false]);
  });
});

Deno.test("the rows of what an evt token caused go when its grace is over, and when it expires, not with their own TTL", async () => {
  await withTokens(async (it) => {
    const { tokens, tokenExpiry } = it.vault.vault;
    const byEvt = async (user: string) => {
      const evt = await it.evt(user, "a");
      await it.engine.policies.put("a", `path "auth/token/create" { capabilities = ["update"] }`);
      const { token, record } = await it.make(evt, { ttl: 86_400 * 30 });
      await it.engine.cubbyholes.write(await it.caller(token), "x", '{"y":1}');
      return record.hash;
    };
    const [graceful, expiring] = [await byEvt("graceful"), await byEvt("expiring")];
    await tokens.rotate({ user: "graceful", graceSeconds: 60 });
    const rows = () => [graceful, expiring].map((hash) => it.vault.disk.table("service_token").has(hash));
    deepEqual(rows(), [true, true]);
    it.vault.clock.advance(61_000);
    await tokenExpiry.sweep();
    deepEqual(rows(), [false, true]);
    it.vault.clock.advance(12 * 86_400_000);
    await tokenExpiry.sweep();
    deepEqual(rows(), [false, false]);
    equal(it.vault.disk.table("cubbyhole").size, 0);
  });
});
