import { deepEqual, equal, ok, rejects } from "node:assert/strict";
import { refused } from "../_test_support.ts";
import { withTokens } from "./_test_support.ts";

Deno.test("a root token may do everything, never expires, acts as nobody, and survives a restart", async () => {
  await withTokens(async (it) => {
    const { token, accessor } = await it.engine.rootTokens.make();
    it.vault.clock.advance(365 * 86_400_000);
    await it.vault.restart();
    const caller = await it.caller(token);
    deepEqual([caller.policies, caller.entity, caller.displayName], [["root"], null, "root"]);
    const record = it.engine.tokens.index.byAccessor(accessor)!;
    deepEqual([record.path, record.renewable, record.expiresAt], ["auth/token/root", false, null]);
  });
});

Deno.test("the list names every root token by its accessor, those that root made too, and no token's text", async () => {
  await withTokens(async (it) => {
    const first = await it.engine.rootTokens.make();
    const child = await it.make(first.token, { policies: ["root"], ttl: 60 });
    await it.make(first.token, { policies: ["a"] });
    const listed = it.engine.rootTokens.list();
    deepEqual(listed.map((one) => one.accessor).sort(), [first.accessor, child.record.accessor].sort());
    deepEqual(listed.find((one) => one.accessor === child.record.accessor)!.expiresAt, it.vault.clock.now() + 60_000);
    for (const { token } of [first, child]) equal(JSON.stringify(listed).includes(token), false);
  });
});

Deno.test("a revoked root token is dead with all that it made; nothing else can be revoked here", async () => {
  await withTokens(async (it) => {
    const [first, second] = [await it.engine.rootTokens.make(), await it.engine.rootTokens.make()];
    const child = await it.make(first.token, { policies: ["a"] });
    const { rootTokens } = it.engine;
    for (const accessor of [child.record.accessor, "nobody", ""]) {
      await rejects(() => rootTokens.revoke(accessor), refused("not_found"));
    }
    await rootTokens.revoke(first.accessor);
    deepEqual(await it.live(first.token, child.token, second.token), [false, false, true]);
    await rejects(() => rootTokens.revoke(first.accessor), refused("not_found"));
    await it.vault.restart();
    deepEqual(await it.live(first.token, second.token), [false, true]);
  });
});

Deno.test("a root token that can't be kept where it is to be read isn't made", async () => {
  await withTokens(async (it) => {
    await rejects(() => it.engine.rootTokens.make(() => Promise.reject(new Error("read-only"))), /read-only/);
    deepEqual(it.engine.rootTokens.list(), []);
    let kept = "";
    const { token } = await it.engine.rootTokens.make((text) => {
      equal(it.vault.disk.table("service_token").size, 0, "it is kept before it counts");
      kept = text;
      return Promise.resolve();
    });
    equal(kept, token);
    ok(await it.caller(token));
  });
});

Deno.test("a root token that the store refuses isn't told", async () => {
  await withTokens(async (it) => {
    it.vault.store.failNext();
    await rejects(() => it.engine.rootTokens.make(), refused("storage_failed"));
    deepEqual(it.engine.rootTokens.list(), []);
  });
});
