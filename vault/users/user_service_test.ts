import assert from "node:assert/strict";
import { NOW, refused, withVault } from "../_test_support.ts";

Deno.test("UserService.show() tells of a user with a token, and of one without", async () => {
  await withVault({}, async (it) => {
    const { users, tokens } = it.vault;
    await it.issue("alice", "admin");
    const shown = users.show("alice");
    assert.match(shown.entityId, /^[0-9a-f]{8}-[0-9a-f]{4}-7/);
    assert.deepEqual({ ...shown, entityId: "", token: shown.token?.role }, {
      name: "alice",
      entityId: "",
      disabled: false,
      cutOff: null,
      createdAt: NOW,
      epoch: 1,
      token: "admin",
      agentKeyLeftAt: null,
      indexKeyLeftAt: null,
      scoreRows: 0,
    });
    await tokens.revoke("alice");
    assert.equal(users.show("alice").token, null);
    assert.throws(() => users.show("Alice"), refused("not_found"), "names are exact");
    assert.throws(() => users.show("x\n".repeat(1_000_000)), (error: unknown) => (error as Error).message.length < 300);
  });
});

Deno.test("UserService.disable() holds over a restart until enable(), and both may be repeated", async () => {
  await withVault({}, async (it) => {
    const token = await it.issue("alice");
    assert.equal((await it.vault.users.disable("alice")).disabled, true);
    await it.vault.users.disable("alice");
    await it.restart();
    assert.equal(it.works(token), false);
    assert.equal((await it.vault.users.enable("alice")).disabled, false);
    await it.vault.users.enable("alice");
    assert.ok(it.works(token));
    await assert.rejects(it.vault.users.disable("nobody"), refused("not_found"));
  });
});

Deno.test("UserService.enable() lifts no revocation", async () => {
  await withVault({}, async (it) => {
    const token = await it.issue("alice");
    await it.vault.users.disable("alice");
    await it.vault.tokens.revoke("alice");
    await it.vault.users.enable("alice");
    assert.equal(it.works(token), false);
  });
});

Deno.test("UserService.disable() that can't be saved is not answered, and the user goes on", async () => {
  await withVault({}, async (it) => {
    const token = await it.issue("alice");
    it.store.failNext();
    await assert.rejects(it.vault.users.disable("alice"), refused("storage_failed"));
    assert.ok(it.works(token));
  });
});

Deno.test("UserService.recordLeavingKeys() keeps the first time for each key", async () => {
  await withVault({}, async (it) => {
    const { users, state } = it.vault;
    await it.issue("alice");
    const alice = state.userByName("alice")!;
    await users.recordLeavingKeys(alice, ["agentKeyLeftAt"], 1000);
    await users.recordLeavingKeys(alice, ["agentKeyLeftAt", "indexKeyLeftAt"], 2000);
    const { agentKeyLeftAt, indexKeyLeftAt } = users.show("alice");
    assert.deepEqual([agentKeyLeftAt, indexKeyLeftAt], [1000, 2000]);
    await it.restart();
    assert.equal(it.vault.users.show("alice").agentKeyLeftAt, 1000);
  });
});

Deno.test("UserService.addScoreRows() adds up, also when many calls end at once", async () => {
  await withVault({}, async (it) => {
    await it.issue("alice");
    const alice = it.vault.state.userByName("alice")!;
    await Promise.all(Array.from({ length: 20 }, () => it.vault.users.addScoreRows(alice, 3)));
    assert.equal(it.vault.users.show("alice").scoreRows, 60);
    await it.restart();
    assert.equal(it.vault.users.show("alice").scoreRows, 60);
  });
});

Deno.test("UserService.list() pages through all users in the order of their making", async () => {
  await withVault({}, async (it) => {
    const names = Array.from({ length: 12 }, (_, i) => `user${11 - i}`);
    for (const name of names) await it.issue(name);
    await it.vault.tokens.revoke("user3");
    const { users } = it.vault;
    assert.deepEqual([...users.list()].map((user) => user.name), names);
    assert.deepEqual([...users.list({ after: "user9", limit: 2 })].map((user) => user.name), ["user8", "user7"]);
    assert.deepEqual([...users.list({ after: "user0" })], []);
    assert.throws(() => [...users.list({ after: "nobody" })], refused("not_found"));
  });
});
