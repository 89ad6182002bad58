import assert from "node:assert/strict";
import { refused, withVault } from "../_test_support.ts";
import { DEFAULT_ROLES, MAX_TOP_K } from "./role_service.ts";

const SLOW = { name: "slow", scope: ["get_bundle"], topK: 3, rateLimit: "10/60s" };

Deno.test("a new vault has the two roles of Rune-Vault, with its limits", async () => {
  await withVault({}, (it) => {
    assert.deepEqual(it.vault.roles.list(), [
      {
        name: "admin",
        scope: ["get_public_key", "decrypt_scores", "decrypt_metadata", "manage_tokens"],
        topK: 50,
        rateLimit: { count: 150, seconds: 60 },
      },
      {
        name: "member",
        scope: ["get_public_key", "decrypt_scores", "decrypt_metadata"],
        topK: 10,
        rateLimit: { count: 30, seconds: 60 },
      },
    ]);
    return Promise.resolve();
  });
});

Deno.test("RoleService.create() makes a role that is there after a restart, and lists by name", async () => {
  await withVault({}, async (it) => {
    const made = await it.vault.roles.create({ ...SLOW, scope: ["get_bundle", "get_dek", "get_bundle"] });
    assert.deepEqual(made.scope, ["get_bundle", "get_dek"]);
    await it.restart();
    assert.deepEqual(it.vault.roles.show("slow"), made);
    assert.deepEqual(it.vault.roles.list().map((role) => role.name), ["admin", "member", "slow"]);
  });
});

Deno.test("RoleService.create() and update() refuse what can't be, and nothing of it is done", async () => {
  await withVault({}, async (it) => {
    const { roles } = it.vault;
    await roles.create(SLOW);
    const before = it.disk.sequence;
    await assert.rejects(roles.create(SLOW), refused("already_exists"));
    await assert.rejects(roles.create({ ...SLOW, name: "member" }), refused("already_exists"));
    const wrong: Partial<typeof SLOW>[] = [
      { scope: ["root"] },
      { scope: ["get_bundle", ""] },
      { topK: 0 },
      { topK: -5 },
      { topK: 1.5 },
      { topK: NaN },
      { topK: MAX_TOP_K + 1 },
      { rateLimit: "0/0s" },
      { rateLimit: "999999999999/1s" },
      { rateLimit: "" },
    ];
    for (const part of wrong) {
      await assert.rejects(roles.create({ ...SLOW, name: "other", ...part }), refused("invalid_argument"));
      await assert.rejects(roles.update("slow", part), refused("invalid_argument"), JSON.stringify(part));
    }
    for (const name of ["", "a/b", "..", "a\0b", "a\nb", "x".repeat(1_000_000)]) {
      await assert.rejects(roles.create({ ...SLOW, name }), refused("invalid_argument"));
    }
    await assert.rejects(roles.update("none", { topK: 1 }), refused("not_found"));
    assert.equal(it.disk.sequence, before);
  });
});

Deno.test("RoleService.update() changes what is given and keeps the rest; one that can't be saved changes nothing", async () => {
  await withVault({}, async (it) => {
    const { roles } = it.vault;
    const before = roles.show("member");
    assert.deepEqual(await roles.update("member", { topK: 8 }), { ...before, topK: 8 });
    assert.deepEqual((await roles.update("member", { rateLimit: "5/1s" })).rateLimit, { count: 5, seconds: 1 });
    assert.deepEqual((await roles.update("member", { scope: [] })).scope, []);
    assert.equal(roles.show("member").topK, 8);
    it.store.failNext();
    await assert.rejects(roles.update("member", { topK: 9 }), refused("storage_failed"));
    assert.equal(roles.show("member").topK, 8);
  });
});

Deno.test("RoleService.delete() keeps the default roles and every role that a current token has", async () => {
  await withVault({}, async (it) => {
    const { roles, tokens } = it.vault;
    await roles.create(SLOW);
    for (const { name } of DEFAULT_ROLES) await assert.rejects(roles.delete(name), refused("precondition_failed"));
    await it.issue("alice", "slow");
    await assert.rejects(roles.delete("slow"), refused("precondition_failed", /1 token/));
    await tokens.revoke("alice");
    await roles.delete("slow");
    assert.throws(() => roles.show("slow"), refused("not_found"));
    await assert.rejects(roles.delete("slow"), refused("not_found"));
    await it.restart();
    assert.throws(() => it.vault.roles.show("slow"), refused("not_found"));
  });
});

Deno.test("a role that is deleted while a token of it is being issued: one of the two is refused", async () => {
  await withVault({}, async (it) => {
    const { roles, tokens } = it.vault;
    await roles.create(SLOW);
    const [deleted, issued] = await Promise.allSettled([
      roles.delete("slow"),
      tokens.issue({ user: "alice", role: "slow" }),
    ]);
    assert.equal(deleted.status, "fulfilled");
    assert.ok(issued.status === "rejected" && refused("not_found")(issued.reason));
    await roles.create(SLOW);
    const outcomes = await Promise.allSettled([tokens.issue({ user: "bob", role: "slow" }), roles.delete("slow")]);
    assert.deepEqual(outcomes.map((outcome) => outcome.status), ["fulfilled", "rejected"]);
  });
});

Deno.test("a token in grace whose role was deleted is refused, and the vault goes on", async () => {
  await withVault({}, async (it) => {
    await it.vault.roles.create(SLOW);
    const old = await it.issue("alice", "slow");
    const fresh = (await it.vault.tokens.rotate({ user: "alice", graceSeconds: 600 })).token;
    await Deno.writeTextFile(it.tokensPath, (await it.tokensFile()).replace("role: slow", "role: member"));
    await it.vault.files.reload(false);
    await it.vault.roles.delete("slow");
    assert.throws(() => it.identify(old), refused("scope_denied"));
    assert.equal(it.identify(fresh).role.name, "member");
    assert.deepEqual([...it.vault.tokens.list()].map((row) => row.user), ["alice"]);
  });
});
