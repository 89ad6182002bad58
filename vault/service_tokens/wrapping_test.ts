import { deepEqual, equal, ok, rejects, throws } from "node:assert/strict";
import { refused } from "../_test_support.ts";
import { ADDRESS, type TestTokens, withTokens } from "./_test_support.ts";
import type { ApiCaller } from "./caller.ts";
import type { Wrapped } from "./wrapping.ts";

const BODY = '{"data":{"password":"hunter2"}}';
const GONE = refused("invalid_argument", /^wrapping token is not valid or does not exist$/);

function wrap(it: TestTokens, caller: ApiCaller | null = null, ttlSeconds = 60): Promise<Wrapped> {
  return it.engine.wrapping.wrap({ body: BODY, ttlSeconds, path: "database/creds/r", caller, wrappedAccessor: "acc" });
}

Deno.test("a wrapped answer is given back once, exactly as it was, and nothing of it is left", async () => {
  await withTokens(async (it) => {
    const root = await it.caller(await it.root());
    const wrapped = await wrap(it, root);
    deepEqual(
      [wrapped.ttl, wrapped.path, wrapped.wrappedAccessor, wrapped.createdAt],
      [60, "database/creds/r", "acc", it.vault.clock.now()],
    );
    equal(await it.engine.wrapping.unwrap(wrapped.token, root), BODY);
    await rejects(() => it.engine.wrapping.unwrap(wrapped.token, root), GONE);
    equal(it.engine.tokens.find(wrapped.token), undefined);
    equal(it.vault.disk.table("cubbyhole").size, 0);
  });
});

Deno.test("of 100 who unwrap at once, by the body or by the header, exactly one gets the answer", async () => {
  await withTokens(async (it) => {
    const root = await it.caller(await it.root());
    for (const byHeader of [0, 50, 100]) {
      const { token } = await wrap(it, root);
      const unwrapped = await Promise.allSettled(Array.from({ length: 100 }, async (_, i) => {
        if (i >= byHeader) return await it.engine.wrapping.unwrap(token, root);
        return await it.engine.wrapping.unwrap(undefined, await it.caller(token));
      }));
      deepEqual(unwrapped.flatMap((one) => one.status === "fulfilled" ? [one.value] : []), [BODY], `${byHeader}`);
    }
  });
});

Deno.test("the answer lies sealed in the store, bound to its token, and a restart keeps it", async () => {
  await withTokens(async (it) => {
    const { token } = await wrap(it);
    const other = await wrap(it);
    const holes = it.vault.disk.table("cubbyhole");
    equal(JSON.stringify([...holes]).includes("hunter2"), false);
    equal(JSON.stringify([...it.vault.disk.table("service_token")]).includes(token), false);
    await it.vault.restart();
    equal(await it.engine.wrapping.unwrap(token, await it.caller(await it.root())), BODY);
    // A row moved to another token doesn't open.
    const [key, text] = [...holes][0]!;
    const { hash } = it.engine.tokens.find(other.token)!;
    holes.set(`${"0".repeat(64)}/response`, text);
    ok(key.startsWith(hash));
    await it.vault.restart();
    throws(() => it.engine.cubbyholes.read("0".repeat(64), "response"), refused("storage_failed"));
  });
});

Deno.test("a wrapped answer ends with its time, not a millisecond later, and can't be renewed", async () => {
  await withTokens(async (it) => {
    const root = await it.caller(await it.root());
    const { token } = await wrap(it, root, 10);
    const { hash } = it.engine.tokens.find(token)!;
    await rejects(() => it.engine.renewal.renew(hash, 100), refused("invalid_argument", /not renewable/));
    it.vault.clock.advance(9_999);
    equal(it.engine.wrapping.lookup(token).creationTtl, 10);
    it.vault.clock.advance(1);
    throws(() => it.engine.wrapping.lookup(token), GONE);
    await rejects(() => it.engine.wrapping.unwrap(token, root), GONE);
    await it.engine.tokens.endings.sweep();
    equal(it.vault.disk.table("cubbyhole").size, 0);
  });
});

Deno.test("a wrapping token is good for one request of whatever kind", async () => {
  await withTokens(async (it) => {
    const root = await it.caller(await it.root());
    const { token } = await wrap(it, root);
    const caller = await it.caller(token);
    ok(caller.isLastUse);
    deepEqual(caller.policies, ["response-wrapping"]);
    throws(() => it.engine.wrapping.lookup(token), GONE);
    await rejects(() => it.engine.wrapping.unwrap(token, root), GONE);
    await it.engine.tokens.afterUse(caller);
    equal(it.vault.disk.table("cubbyhole").size, 0);
  });
});

Deno.test("looking a wrapping token up, or guessing, spends nothing", async () => {
  await withTokens(async (it) => {
    const root = await it.caller(await it.root());
    const { token } = await wrap(it, root);
    for (let i = 0; i < 3; i++) equal(it.engine.wrapping.lookup(token).wrappedPath, "database/creds/r");
    await rejects(() => it.engine.wrapping.unwrap(`${token}x`, root), GONE);
    equal(await it.engine.wrapping.unwrap(token, root), BODY);
  });
});

Deno.test("no other token unwraps to anything, though its cubbyhole has a `response`", async () => {
  await withTokens(async (it) => {
    const { token } = await it.make(await it.root(), { policies: ["a"] });
    const caller = await it.caller(token);
    await it.engine.cubbyholes.write(caller, "response", '{"mine":1}');
    await rejects(() => it.engine.wrapping.unwrap(token, caller), GONE);
    await rejects(() => it.engine.wrapping.unwrap(undefined, caller), GONE);
    throws(() => it.engine.wrapping.lookup(token), GONE);
    await rejects(() => it.engine.wrapping.rewrap(token, caller), GONE);
  });
});

Deno.test("a rewrapped answer is under a new token alone, for as long and with the path as before", async () => {
  await withTokens(async (it) => {
    const root = await it.caller(await it.root());
    const first = await wrap(it, root, 100);
    it.vault.clock.advance(50_000);
    const second = await it.engine.wrapping.rewrap(first.token, root);
    deepEqual([second.ttl, second.path], [100, "database/creds/r"]);
    for (const act of ["unwrap", "rewrap"] as const) {
      await rejects(async () => await it.engine.wrapping[act](first.token, root), GONE);
    }
    it.vault.clock.advance(99_999);
    equal(await it.engine.wrapping.unwrap(second.token, root), BODY);
  });
});

Deno.test("an unwrap that can't be stored gives nothing away and takes nothing away", async () => {
  await withTokens(async (it) => {
    const root = await it.caller(await it.root());
    const { token } = await wrap(it, root);
    it.vault.store.failNext();
    await rejects(() => it.engine.wrapping.unwrap(token, root), refused("storage_failed"));
    equal(await it.engine.wrapping.unwrap(token, root), BODY);
  });
});

Deno.test("S6, S7: what a user wrapped ends with them, also where another would unwrap it", async () => {
  await withTokens(async (it) => {
    const root = await it.caller(await it.root());
    const evt = await it.evt("alice", "a");
    const { token } = await wrap(it, await it.caller(evt));
    equal(it.engine.tokens.isLive(it.engine.tokens.find(token)!), true);
    await it.vault.vault.tokens.rotate({ user: "alice" });
    await rejects(() => it.engine.wrapping.unwrap(token, root), GONE);
  });
});

Deno.test("a caller who ended while the answer was made gets none wrapped", async () => {
  await withTokens(async (it) => {
    const { token, record } = await it.make(await it.root(), { policies: ["a"] });
    const caller = it.engine.tokens.authenticate(token, ADDRESS) as ApiCaller;
    await it.engine.tokens.endings.end([record.hash]);
    await rejects(() => wrap(it, caller), refused("token_invalid"));
    equal(it.vault.disk.table("cubbyhole").size, 0);
  });
});

Deno.test("S6: an answer rewrapped by another ends with whoever had it wrapped, and names its token's accessor still", async () => {
  await withTokens(async (it) => {
    const root = await it.caller(await it.root());
    const alice = await it.caller(await it.evt("alice", "a"));
    const bob = await it.caller(await it.evt("bob", "a"));
    const { token } = await wrap(it, alice);
    const again = await it.engine.wrapping.rewrap(token, bob);
    const third = await it.engine.wrapping.rewrap(again.token, root);
    deepEqual([again.wrappedAccessor, third.wrappedAccessor], ["acc", "acc"]);
    ok(it.engine.tokens.isLive(it.engine.tokens.find(third.token)!));
    await it.vault.vault.tokens.revoke("alice");
    await rejects(() => it.engine.wrapping.unwrap(third.token, bob), GONE);
    equal(it.engine.tokens.find(third.token), undefined, "its row went too");
  });
});
