import { deepEqual, equal, notEqual, ok, rejects, throws } from "node:assert/strict";
import { refused } from "../_test_support.ts";
import type { VaultError } from "../errors.ts";
import { SealKey } from "../keys/seal_key.ts";
import { ADDRESS, type TestTokens, withTokens } from "./_test_support.ts";
import { TokenHasher } from "./token_text.ts";

async function entityOf(it: TestTokens, token: string): Promise<string> {
  return (await it.caller(token)).entity!.record.entityId;
}

Deno.test("a token without limits is known at once, without a turn of the event loop or a commit", async () => {
  await withTokens(async (it) => {
    const { token, record } = await it.make(await it.root(), { policies: ["a"] });
    const commits = it.vault.store.asked.length;
    const caller = it.engine.tokens.authenticate(token, ADDRESS);
    ok(!(caller instanceof Promise));
    deepEqual(
      [caller.accessor, caller.policies, caller.tokenHash, caller.isLastUse, caller.entity],
      [record.accessor, ["a", "default"], record.hash, false, null],
    );
    equal(it.vault.store.asked.length, commits);
  });
});

Deno.test("what is no token is refused alike: nothing, a guess, an accessor, a hash, a prefix, a token with a space", async () => {
  await withTokens(async (it) => {
    const { token, record } = await it.make(await it.root(), { policies: ["a"] });
    const others = ["", "hvs.", "x", record.accessor, record.hash, token.slice(0, -1), `${token} `, "evt_x"];
    for (const other of [...others, "x".repeat(2_000_000)]) {
      throws(() => it.engine.tokens.authenticate(other, ADDRESS), refused("token_invalid"), other.slice(0, 40));
    }
  });
});

Deno.test("neither the store nor the log has a token's text, and a restart knows it all the same", async () => {
  await withTokens(async (it) => {
    const root = await it.root();
    const { token, record } = await it.make(root, { policies: ["a"], meta: { k: "v" } });
    const stored = JSON.stringify([...it.vault.disk.records].map(([kind, rows]) => [kind, [...rows]]));
    ok(stored.includes(record.hash), "the record is there");
    for (const secret of [token, root, token.slice(4)]) {
      equal(stored.includes(secret), false);
      equal(it.vault.logger.text().includes(secret), false);
    }
    await it.vault.restart();
    deepEqual((await it.caller(token)).token, record);
    equal(it.engine.tokens.index.byAccessor(record.accessor)?.hash, record.hash);
  });
});

Deno.test("a token of another seal key is unknown: its hash is keyed", async () => {
  await withTokens(async (it) => {
    const { token, record } = await it.make(await it.root(), { policies: ["a"] });
    const other = new SealKey(new Uint8Array(32).fill(8), it.vault.random);
    const hash = (key: typeof other) => new TokenHasher(key.deriveKey("runevault/service-tokens")).hash(token);
    equal(hash(it.vault.sealKey), record.hash);
    notEqual(hash(other), record.hash);
  });
});

Deno.test("a token ends to the millisecond, without any sweeper, and so does what it made", async () => {
  await withTokens(async (it) => {
    const parent = await it.make(await it.root(), { policies: ["a"], ttl: 60 });
    const child = await it.make(parent.token, { ttl: 3600 });
    it.vault.clock.advance(59_999);
    deepEqual(await it.live(parent.token, child.token), [true, true]);
    it.vault.clock.advance(1);
    deepEqual(await it.live(parent.token, child.token), [false, false]);
    ok(it.engine.tokens.find(child.token), "nothing was swept");
  });
});

Deno.test("a token bound to addresses works from there alone, and elsewhere costs no use", async () => {
  await withTokens(async (it) => {
    const boundCidrs = ["10.0.0.0/8", "2001:db8::/32"];
    await it.engine.tokenRoles.put("bound", { allowedPolicies: ["a"], params: { boundCidrs, numUses: 2 } });
    const { token } = await it.make(await it.root(), { policies: ["a"] }, { role: it.engine.tokenRoles.get("bound")! });
    for (const address of ["192.0.2.1", "2001:db9::1", ""]) {
      await rejects(async () => await it.caller(token, address), refused("permission_denied"));
    }
    equal((await it.caller(token, "::ffff:10.9.9.9")).isLastUse, false);
    equal((await it.caller(token, "2001:db8::7")).isLastUse, true);
    await rejects(async () => await it.caller(token, "10.9.9.9"), refused("token_invalid"));
  });
});

Deno.test("of 200 who come at once exactly as many pass as a token has uses, one of them as the last", async () => {
  await withTokens(async (it) => {
    const { token } = await it.make(await it.root(), { policies: ["a"], numUses: 7 });
    const came = await Promise.allSettled(Array.from({ length: 200 }, async () => await it.caller(token)));
    const passed = came.filter((one) => one.status === "fulfilled").map((one) => one.value);
    deepEqual([passed.length, passed.filter((caller) => caller.isLastUse).length], [7, 1]);
    for (const one of came) if (one.status === "rejected") ok(refused("token_invalid")(one.reason));
  });
});

Deno.test("a use counts before it is granted: a full disk grants none, a restart gives none back", async () => {
  await withTokens(async (it) => {
    const { token } = await it.make(await it.root(), { policies: ["a"], numUses: 2 });
    it.vault.store.failNext();
    await rejects(async () => await it.caller(token), refused("storage_failed"));
    await it.caller(token);
    await it.vault.restart();
    equal((await it.caller(token)).isLastUse, true);
    await it.vault.restart();
    await rejects(async () => await it.caller(token), refused("token_invalid"));
  });
});

Deno.test("the end of a last use takes the token away; that of one with more uses left isn't asked for", async () => {
  await withTokens(async (it) => {
    const { token, record } = await it.make(await it.root(), { policies: ["a"], numUses: 1 });
    const caller = await it.caller(token);
    ok(caller.isLastUse);
    it.engine.tokens.assertStillLive(caller);
    await it.engine.tokens.afterUse(caller);
    equal(it.engine.tokens.index.get(record.hash), undefined);
    throws(() => it.engine.tokens.assertStillLive(caller), refused("token_invalid"));
  });
});

Deno.test("S6: minting takes the epoch of the committing turn: a login under way while its user is revoked is dead", async () => {
  await withTokens(async (it) => {
    const evt = await it.evt("alice", "a");
    const caller = await it.caller(evt);
    const release = it.vault.store.hold();
    const revoked = it.vault.vault.tokens.revoke("alice");
    const minting = it.make(evt).then((minted) => minted.token, (error: VaultError) => error.kind);
    await Promise.resolve();
    release();
    await revoked;
    equal(await minting, "token_invalid");
    throws(() => it.engine.tokens.assertStillLive(caller), refused("token_invalid"));
  });
});

Deno.test("S6: a revocation ends children in one write of the epoch, and a later token of the user works", async () => {
  await withTokens(async (it) => {
    const evt = await it.evt("alice", "a");
    const child = await it.make(evt);
    const orphan = await it.make(evt, {}, { isOrphanPath: true });
    deepEqual(await it.live(evt, child.token, orphan.token), [true, true, true]);
    await it.vault.vault.tokens.revoke("alice");
    deepEqual(await it.live(evt, child.token, orphan.token), [false, false, false]);
    const next = await it.vault.issue("alice", "role-of-alice");
    deepEqual(await it.live(next, child.token, orphan.token), [true, false, false]);
    await it.vault.restart();
    deepEqual(await it.live(next, child.token, orphan.token), [true, false, false]);
  });
});

Deno.test("S6: a disabled user's tokens and orphans are refused, and work again once enabled", async () => {
  await withTokens(async (it) => {
    const evt = await it.evt("alice", "a");
    const child = await it.make(evt);
    const orphan = await it.make(evt, {}, { isOrphanPath: true });
    await it.vault.vault.users.disable("alice");
    deepEqual(await it.live(evt, child.token, orphan.token), [false, false, false]);
    await it.vault.vault.users.enable("alice");
    deepEqual(await it.live(evt, child.token, orphan.token), [true, true, true]);
  });
});

Deno.test("S7: children and orphans end with their evt token: revoked, rotated, at the end of a grace, expired", async () => {
  await withTokens(async (it) => {
    const { tokens } = it.vault.vault;
    const ends: [string, (user: string) => Promise<unknown>, number][] = [
      ["revoked", (user) => tokens.revoke(user), 0],
      ["rotated", (user) => tokens.rotate({ user }), 0],
      ["graceful", (user) => tokens.rotate({ user, graceSeconds: 60 }), 60_000],
      ["expired", () => Promise.resolve(), -1],
    ];
    const root = await it.root();
    for (const [user, end, wait] of ends) {
      const evt = await it.evt(user, "a");
      const child = await it.make(evt);
      const grandchild = await it.make(child.token);
      const orphan = await it.make(child.token, {}, { isOrphanPath: true });
      const all = [child, grandchild, orphan].map((minted) => minted.token);
      const waitMs = wait < 0 ? it.vault.identify(evt).token.record.expiresAt! - it.vault.clock.now() : wait;
      await end(user);
      if (waitMs > 0) {
        it.vault.clock.advance(waitMs - 1);
        deepEqual(await it.live(...all), [true, true, true], `${user}: too early`);
        it.vault.clock.advance(1);
      }
      deepEqual(await it.live(...all, root), [false, false, false, true], user);
    }
  });
});

Deno.test("S7: a descendant has at each request only what the evt token's role has at that moment", async () => {
  await withTokens(async (it) => {
    const evt = await it.evt("alice", "a", "b");
    const child = await it.make(evt);
    const grandchild = await it.make(child.token, { policies: ["b"], noDefaultPolicy: true });
    const orphan = await it.make(child.token, {}, { isOrphanPath: true });
    const policies = async () =>
      await Promise.all(
        [evt, child, grandchild, orphan].map(async (one) =>
          (await it.caller(typeof one === "string" ? one : one.token)).policies.join()
        ),
      );
    deepEqual(await policies(), ["a,b,default", "a,b,default", "b", "a,b,default"]);
    await it.vault.vault.roles.update("role-of-alice", { policies: ["a", "c"] });
    deepEqual(await policies(), ["a,c,default", "a,default", "", "a,default"]);
    await it.vault.vault.roles.update("role-of-alice", { policies: ["a", "b"] });
    deepEqual(await policies(), ["a,b,default", "a,b,default", "b", "a,b,default"]);
  });
});

Deno.test("root among a role's policies is refused on every way in, and one that a store holds grants nothing", async () => {
  await withTokens(async (it) => {
    const { roles } = it.vault.vault;
    const wanted = { name: "boss", scope: ["get_bundle"], topK: 1, rateLimit: "10/1s" };
    for (const policies of [["root"], ["a", " ROOT "]]) {
      await rejects(() => roles.create({ ...wanted, policies }), refused("invalid_argument", /root/));
      await rejects(() => roles.update("member", { policies }), refused("invalid_argument", /root/));
    }
    const evt = await it.evt("alice", "a");
    const row = it.vault.disk.table("role");
    row.set("role-of-alice", JSON.stringify({ ...JSON.parse(row.get("role-of-alice")!), policies: ["a", "root"] }));
    await it.vault.restart();
    deepEqual((await it.caller(evt)).policies, ["a", "default"]);
  });
});

Deno.test("an evt token ended by its holder is dead with all that it made; ending it again changes nothing", async () => {
  await withTokens(async (it) => {
    const evt = await it.evt("alice", "a");
    const child = await it.make(evt);
    const caller = await it.caller(evt);
    await it.engine.tokens.endEvt(caller.evt!);
    deepEqual(await it.live(evt, child.token), [false, false]);
    const commits = it.vault.store.asked.length;
    await it.engine.tokens.endEvt(caller.evt!);
    equal(it.vault.store.asked.length, commits);
    await it.vault.restart();
    deepEqual(await it.live(evt, child.token), [false, false]);
  });
});

Deno.test("S18: a user has one window, whichever of their tokens comes; root and others have none", async () => {
  await withTokens(async (it) => {
    const { roles } = it.vault.vault;
    await roles.create({ name: "slow", scope: ["get_bundle"], topK: 1, rateLimit: "3/60s" });
    const evt = await it.vault.issue("alice", "slow");
    const child = await it.caller((await it.make(evt)).token);
    const self = await it.caller(evt);
    it.engine.tokens.takePlace(self);
    it.engine.tokens.takePlace(child);
    it.vault.vault.authenticator.takePlace(it.vault.identify(evt));
    for (const caller of [self, child]) throws(() => it.engine.tokens.takePlace(caller), refused("rate_limited"));
    const root = await it.caller(await it.root());
    for (let i = 0; i < 100; i++) it.engine.tokens.takePlace(root);
    it.vault.clock.advance(60_001);
    it.engine.tokens.takePlace(child);
  });
});

Deno.test("S18: an entity has 10,000 live tokens at most, also where all come at once; others aren't hindered", async () => {
  await withTokens(async (it) => {
    const [alice, bob] = [await it.evt("alice", "a"), await it.evt("bob", "a")];
    const id = await entityOf(it, alice);
    const caller = await it.caller(alice);
    const mount = it.engine.mounts.byPath("auth", "token/")!;
    const context = {
      caller,
      hasSudo: false,
      path: "p",
      isOrphanPath: false,
      mountAccessor: mount.accessor,
      lifetimes: it.engine.mounts.lifetimes(mount),
      policyExists: () => true,
    };
    const some = (count: number) => Array.from({ length: count }, () => it.engine.creation.create({}, context));
    await Promise.all(some(9_990));
    const last = await Promise.allSettled(some(30));
    equal(last.filter((one) => one.status === "fulfilled").length, 10);
    for (const one of last) if (one.status === "rejected") ok(refused("rate_limited", /10000/)(one.reason));
    equal(it.engine.tokens.index.countOf(id), 10_000);
    await it.make(bob);
    await it.engine.tokens.endings.end([it.engine.tokens.index.ofEntity(id)[0]!.hash]);
    await it.make(alice);
    await rejects(() => it.make(alice), refused("rate_limited"));
  });
});
