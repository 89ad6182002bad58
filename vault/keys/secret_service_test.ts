import assert from "node:assert/strict";
import { NOW, refused, TEAM_SECRET, withVault } from "../_test_support.ts";

Deno.test("SecretService.list() tells of versions, states, ages and dependent tokens, and never of a secret", async () => {
  await withVault({ suppliedSecret: TEAM_SECRET }, async (it) => {
    const { secrets } = it.vault;
    await it.issue("alice");
    it.clock.advance(1000);
    const second = await secrets.rotate();
    await it.issue("bob");
    await it.issue("carol");
    assert.deepEqual(second, { ...second, version: 2, state: "active", createdAt: NOW + 1000, liveTokens: 0 });
    const rows = secrets.list().map(({ version, state, liveTokens }) => [version, state, liveTokens]);
    assert.deepEqual(rows, [[1, "open-only", 1], [2, "active", 2]]);
    assert.ok(!JSON.stringify(secrets.list()).includes("correct horse"));
  });
});

Deno.test("SecretService.rotate() makes one version active at a time, in one commit, also twice at once", async () => {
  await withVault({}, async (it) => {
    const { secrets } = it.vault;
    const before = it.disk.sequence;
    await Promise.all([secrets.rotate(), secrets.rotate()]);
    assert.equal(it.disk.sequence, before + 2);
    assert.deepEqual(secrets.list().map(({ state }) => state), ["open-only", "open-only", "active"]);
    assert.equal(new Set(secrets.list().map(({ fingerprint }) => fingerprint)).size, 3, "each drawn anew");
    await it.restart();
    assert.deepEqual(it.vault.secrets.list().map(({ state }) => state), ["open-only", "open-only", "active"]);
  });
});

Deno.test("SecretService.rotate() that can't be saved leaves the version before it in force", async () => {
  await withVault({}, async (it) => {
    it.store.failNext();
    await assert.rejects(it.vault.secrets.rotate(), refused("storage_failed"));
    assert.deepEqual(it.vault.secrets.list().map(({ version, state }) => [version, state]), [[1, "active"]]);
    const [sealed] = await it.vault.envelopes.seal(["x"], "0".repeat(32));
    assert.equal(JSON.parse(sealed!).k, 1);
  });
});

Deno.test("SecretService.rotate() touches nothing but the two versions", async () => {
  await withVault({ suppliedSecret: TEAM_SECRET }, async (it) => {
    await it.issue("alice");
    await it.tokensFile();
    const others = () =>
      [...it.disk.records].filter(([kind]) => kind !== "secret").map(([kind, rows]) => [kind, ...rows]);
    const before = structuredClone(others());
    await it.vault.secrets.rotate();
    assert.deepEqual(others(), before);
  });
});

Deno.test("SecretService.retire() ends old versions only, for ever, and can be repeated", async () => {
  await withVault({}, async (it) => {
    const { secrets } = it.vault;
    await assert.rejects(secrets.retire(1), refused("precondition_failed"));
    await secrets.rotate();
    assert.equal((await secrets.retire(1)).state, "retired");
    assert.equal((await secrets.retire(1)).state, "retired");
    for (const version of [0, 3, -1, 1.5, NaN]) await assert.rejects(secrets.retire(version), refused("not_found"));
    await secrets.rotate();
    await it.restart();
    assert.deepEqual(it.vault.secrets.list().map(({ state }) => state), ["retired", "open-only", "active"]);
  });
});

Deno.test("the store holds team secrets only sealed: no byte of one stands in it", async () => {
  await withVault({ suppliedSecret: TEAM_SECRET }, async (it) => {
    await it.vault.secrets.rotate();
    const everything = JSON.stringify([...it.disk.records].map(([kind, rows]) => [kind, ...rows]));
    for (const form of [TEAM_SECRET, btoa(TEAM_SECRET), new TextEncoder().encode(TEAM_SECRET).toHex(), "correct"]) {
      assert.ok(!everything.includes(form), form);
    }
    assert.ok(!it.logger.text().includes("correct"));
  });
});
