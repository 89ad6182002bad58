import assert from "node:assert/strict";
import { refused, withVault } from "../_test_support.ts";
import { edit, editTokens, hashedRow, refusedEdit, withoutRow } from "./_face_test_support.ts";

Deno.test("S15: no edited file makes a user who is called like a database role", async () => {
  await withVault({}, async (it) => {
    await it.issue("kept");
    await it.issue("reader");
    const role = { connection: "main", creation: ["CREATE USER '{{name}}'"] };
    for (const name of ["DBA", "reader"]) await it.vault.engine.database.roles.write("database_1", name, role);
    await refusedEdit(
      it,
      (text) => text + hashedRow("dba", "evt_0123456789abcdef0123456789abcdef"),
      /"dba" is the name of a/,
    );
    await editTokens(it, (text) => withoutRow(text, "kept"));
    const after = await it.tokensFile();
    const kept = ["reader", "kept"].map((user) => after.includes(`user: ${user}\n`));
    assert.deepEqual(kept, [true, false], "whoever was called so before stays");
  });
});

Deno.test("an edit of an older generation is refused as a whole, naming the rows that changed since", async () => {
  await withVault({}, async (it) => {
    const alice = await it.issue("alice");
    const bob = await it.issue("bob");
    const old = await it.tokensFile();
    await it.vault.tokens.revoke("bob");
    const carol = await it.issue("carol");
    await it.tokensFile();
    const edited = old.replace("role: member", "role: admin");
    await Deno.writeTextFile(it.tokensPath, edited);
    await it.vault.files.reload(false);
    const { state, reason, generation } = it.status("tokens");
    assert.equal(state, "refused");
    assert.match(reason!, /based on generation \d+; changed since: "bob", "carol"$/);
    assert.deepEqual([alice, bob, carol].map((token) => it.works(token)), [true, false, true]);
    assert.equal(it.identify(alice).role.name, "member", "not even the harmless part");
    assert.equal(await Deno.readTextFile(it.tokensPath), edited);
    assert.ok(it.logger.names().includes("file_edit_refused"));
    await it.issue("dave");
    await it.vault.files.flush();
    assert.equal(await Deno.readTextFile(it.tokensPath), edited, "the vault writes no more to the file");
    assert.equal(it.status("tokens").generation, generation);
    assert.equal(it.status("roles").state, "written", "and goes on with the other");
  });
});

Deno.test("an edit made while the vault was stopped and behind with its file is refused at the start, naming the rows", async () => {
  await withVault({}, async (it) => {
    await it.issue("alice");
    await it.tokensFile();
    await it.issue("bob");
    await it.kill();
    await edit(it.tokensPath, (text) => text.replace("role: member", "role: admin"));
    await it.open();
    assert.match(it.status("tokens").reason!, /"bob"/);
    assert.ok(it.vault.tokens.show("bob"));
  });
});

Deno.test("a made-up generation, newer than any, is refused like an old one", async () => {
  await withVault({}, async (it) => {
    await it.issue("alice");
    await refusedEdit(
      it,
      (text) => withoutRow(text, "alice").replace(/generation: \d+/, "generation: 999999"),
      /generation 999999/,
    );
    await refusedEdit(
      it,
      (text) => text.replace(/generation: \d+/, "generation: -1"),
      /generation -1; changed since: "alice"/,
    );
    assert.ok(it.vault.tokens.show("alice"));
  });
});

Deno.test("a refusal names twenty rows and no more", async () => {
  await withVault({}, async (it) => {
    const old = await it.tokensFile();
    for (let i = 0; i < 30; i++) await it.issue(`user${i}`);
    await it.tokensFile();
    await Deno.writeTextFile(it.tokensPath, `${old}# edited\n`);
    await it.vault.files.reload(false);
    const { reason } = it.status("tokens");
    assert.equal(reason!.match(/"user\d+"/g)!.length, 20);
    assert.match(reason!, /, …$/);
  });
});

Deno.test("a change under way while an edit is being read makes that edit an older one", async () => {
  await withVault({}, async (it) => {
    await it.issue("alice");
    await it.tokensFile();
    await edit(it.tokensPath, (text) => text.replace("role: member", "role: admin"));
    const release = it.store.hold();
    const issued = it.vault.tokens.issue({ user: "bob", role: "member" });
    const reloaded = it.vault.files.reload(false);
    await new Promise((resolve) => setTimeout(resolve, 300));
    release();
    const bob = await issued;
    await reloaded;
    assert.ok(it.works(bob.token), "what was acknowledged is not undone by a file that could not know of it");
    assert.match(it.status("tokens").reason!, /"bob"/);
  });
});

Deno.test("an invalid file stops the start, naming line and key, and changes nothing", async () => {
  await withVault({}, async (it) => {
    const token = await it.issue("alice");
    await it.tokensFile();
    await it.close();
    const before = it.disk.sequence;
    for (
      const [path, from, to, reason] of [
        [it.tokensPath, "role: member", "role: member\n    expires: 2026-02-30", /vault-tokens\.yml, line 9: expires/],
        [it.tokensPath, "role: member", "role: nobody", /vault-tokens\.yml, line 5: unknown role "nobody"/],
        [it.rolesPath, "top_k: 50", "top_k: -50", /vault-roles\.yml, line 7: top_k/],
      ] as const
    ) {
      const good = await Deno.readTextFile(path);
      const bad = await edit(path, (text) => text.replace(from, to));
      await assert.rejects(it.open(), refused("config_invalid", reason));
      assert.equal(it.disk.sequence, before);
      assert.equal(await Deno.readTextFile(path), bad);
      await Deno.writeTextFile(path, good);
    }
    await it.open();
    assert.ok(it.works(token));
  });
});

Deno.test("a file that can't even be read stops the start with its path, and is refused on SIGHUP", async () => {
  await withVault({}, async (it) => {
    await it.tokensFile();
    await Deno.remove(it.tokensPath);
    await Deno.mkdir(it.tokensPath);
    await it.vault.files.reload(false);
    assert.match(it.status("tokens").reason!, /vault-tokens\.yml can't be read: /);
    await it.kill();
    await assert.rejects(it.open({}), refused("config_invalid", /vault-tokens\.yml can't be read: /));
  });
});

Deno.test("an invalid file on SIGHUP is refused and left as it is, and the vault goes on", async () => {
  await withVault({}, async (it) => {
    const token = await it.issue("alice");
    await refusedEdit(it, (text) => `${text}  - user: [\n`, /vault-tokens\.yml, line \d+: /);
    await refusedEdit(it, (text) => text.replace("role: member", "role: nobody"), /unknown role "nobody"/);
    await refusedEdit(it, (text) => text.replace(/agent_id: '.{8}/, "agent_id: '00000000"), /agent_id must equal/);
    assert.ok(it.works(token));
    await editTokens(it, (text) => text.replace("role: member", "role: admin"));
    assert.equal(it.identify(token).role.name, "admin", "a good edit is taken again");
  });
});
