import { deepEqual, equal, ok, rejects } from "node:assert/strict";
import { refused } from "../_test_support.ts";
import { type TestTokens, withTokens } from "./_test_support.ts";
import type { Minted } from "./service_tokens.ts";
import type { TokenRequest } from "./creation.ts";

const MAX_SECONDS = 2_764_800;

async function made(it: TestTokens, request: TokenRequest = {}): Promise<Minted> {
  return await it.make(await it.root(), { policies: ["a"], ...request });
}

Deno.test("a renewal counts from now: as long as granted last, or as asked; a shorter one binds too", async () => {
  await withTokens(async (it) => {
    const { token, record } = await made(it, { ttl: 100 });
    const renew = async (increment: number) => (await it.engine.renewal.renew(record.hash, increment))!.record.ttl;
    it.vault.clock.advance(90_000);
    equal(await renew(0), 100);
    it.vault.clock.advance(99_999);
    deepEqual(await it.live(token), [true]);
    equal(await renew(10), 10);
    equal(await renew(0), 10, "the last grant is the default of the next");
    it.vault.clock.advance(10_000);
    deepEqual(await it.live(token), [false]);
    await rejects(() => it.engine.renewal.renew(record.hash, 0), refused("invalid_argument", /^token not found$/));
  });
});

Deno.test("renewals never pass the maximum counted from the making, and say where it cut", async () => {
  await withTokens(async (it) => {
    const explicit = await made(it, { ttl: 100, explicitMaxTtl: 150 });
    const plain = await made(it, { ttl: 100 });
    it.vault.clock.advance(90_000);
    const cut = (await it.engine.renewal.renew(explicit.record.hash, 600))!;
    equal(cut.record.expiresAt, explicit.record.createdAt + 150_000);
    deepEqual(cut.warnings, [
      'TTL of "10m0s" exceeded the effective max_ttl of "1m0s"; TTL value is capped accordingly',
    ]);
    const long = (await it.engine.renewal.renew(plain.record.hash, 10 * MAX_SECONDS))!;
    equal(long.record.expiresAt, plain.record.createdAt + MAX_SECONDS * 1000);
  });
});

Deno.test("a periodic token lives from renewal to renewal, for as long as one likes", async () => {
  await withTokens(async (it) => {
    const { token, record } = await made(it, { period: 3600 });
    for (let days = 0; days < 40 * 24; days++) {
      it.vault.clock.advance(3_599_000);
      equal((await it.engine.renewal.renew(record.hash, 1))!.record.ttl, 3600);
    }
    deepEqual(await it.live(token), [true]);
    it.vault.clock.advance(3_600_000);
    deepEqual(await it.live(token), [false]);
  });
});

Deno.test("root, tokens that say so, and dead ones aren't renewed", async () => {
  await withTokens(async (it) => {
    const root = await it.engine.rootTokens.make();
    const rootHash = it.engine.tokens.index.byAccessor(root.accessor)!.hash;
    await rejects(() => it.engine.renewal.renew(rootHash, 0), refused("invalid_argument", /^invalid lease ID$/));
    const forever = await made(it, { policies: ["root"] });
    const fixed = await made(it, { renewable: false });
    for (const { record } of [forever, fixed]) {
      await rejects(
        () => it.engine.renewal.renew(record.hash, 0),
        refused("invalid_argument", /^lease is not renewable$/),
      );
    }
    await rejects(() => it.engine.renewal.renew("0".repeat(64), 0), refused("invalid_argument", /^token not found$/));
  });
});

Deno.test("a child of a dead parent, and a token of a disabled user, aren't renewed", async () => {
  await withTokens(async (it) => {
    const parent = await made(it, { ttl: 10 });
    const child = await it.make(parent.token);
    const own = await it.make(await it.evt("alice", "a"));
    it.vault.clock.advance(10_000);
    await it.vault.vault.users.disable("alice");
    for (const { record } of [child, own]) {
      await rejects(() => it.engine.renewal.renew(record.hash, 0), refused("invalid_argument", /^token not found$/));
    }
  });
});

Deno.test("a renewal is durable before it is told: a full disk leaves the old end", async () => {
  await withTokens(async (it) => {
    const { token, record } = await made(it, { ttl: 100 });
    it.vault.store.failNext();
    await rejects(() => it.engine.renewal.renew(record.hash, 1000), refused("storage_failed"));
    it.vault.clock.advance(100_000);
    deepEqual(await it.live(token), [false]);
  });
});

Deno.test("a login's renewal asks its method: a deleted user renews nothing, other policies refuse, a lower maximum cuts", async () => {
  await withTokens(async (it) => {
    const { engine } = it;
    await engine.mounts.enable({ section: "auth", path: "userpass/", type: "userpass" });
    const mount = engine.mounts.byPath("auth", "userpass/")!;
    await engine.userpass.put(mount, "bob", { password: "pw", params: { policies: ["a"], ttl: 100 } });
    const { token, record } = await engine.logins.login(mount, "bob", "pw", "192.0.2.1");
    equal((await engine.renewal.renew(record.hash, 0))!.record.ttl, 100);
    await engine.userpass.put(mount, "bob", { params: { maxTtl: 120 } });
    it.vault.clock.advance(50_000);
    equal((await engine.renewal.renew(record.hash, 600))!.record.ttl, 70);
    await engine.userpass.put(mount, "bob", { params: { policies: ["a", "b"] } });
    await rejects(() => engine.renewal.renew(record.hash, 0), refused("invalid_argument", /policies have changed/));
    deepEqual(await it.live(token), [true], "it lives on to its end");
    engine.renewal.registerLogins("userpass", { limitsOf: () => null });
    equal(await engine.renewal.renew(record.hash, 0), null);
    ok(engine.tokens.find(token)!.expiresAt === record.createdAt + 120_000);
  });
});
