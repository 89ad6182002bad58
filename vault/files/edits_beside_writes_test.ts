import assert from "node:assert/strict";
import { refused, withClosedVault, withVault } from "../_test_support.ts";
import { edit, InterruptedStore } from "./_face_test_support.ts";

Deno.test("an operator's edit is never overwritten by a change of the vault, before, during or after a write", async () => {
  await withVault({}, async (it) => {
    await it.issue("alice");
    await it.tokensFile();
    const edited = await edit(it.tokensPath, (text) => `${text}# a note of mine\n`);
    await it.issue("bob");
    await it.vault.files.flush();
    assert.equal(await Deno.readTextFile(it.tokensPath), edited);
    assert.equal(it.status("tokens").state, "refused");
    await it.issue("carol");
    await it.vault.files.flush();
    await it.vault.files.reload(false);
    await it.vault.files.flush();
    assert.equal(await Deno.readTextFile(it.tokensPath), edited);
    const { state, reason } = it.status("tokens");
    assert.equal(state, "refused");
    assert.match(reason!, /"bob", "carol"/);
    await it.restart();
    assert.equal(it.status("tokens").state, "refused", "a restart forgets neither edit nor refusal");
    await it.close();
    assert.equal(await Deno.readTextFile(it.tokensPath), edited);
  });
});

Deno.test("an edit saved in the instant between the look at the file and the rename is not lost", async () => {
  await withClosedVault(async (it) => {
    const store = new InterruptedStore(it.disk);
    await it.open({ store });
    await it.issue("alice");
    await it.tokensFile();
    await it.issue("bob");
    let edited = "";
    store.afterDigest = async () => {
      edited = await edit(it.tokensPath, (text) => `${text}# saved at the wrong moment\n`);
    };
    await it.vault.files.flush();
    assert.equal(await Deno.readTextFile(it.tokensPath), edited);
    assert.equal(it.status("tokens").state, "refused");
  });
});

Deno.test("an edit waits in peace for its reload while only the other file changes", async () => {
  await withVault({}, async (it) => {
    const token = await it.issue("alice");
    await it.tokensFile();
    const edited = await edit(it.tokensPath, (text) => text.replace("role: member", "role: admin"));
    await it.vault.roles.update("member", { topK: 3 });
    await it.vault.files.flush();
    assert.equal(it.status("tokens").state, "written");
    assert.equal(await Deno.readTextFile(it.tokensPath), edited);
    await it.vault.files.reload(false);
    assert.equal(it.identify(token).role.name, "admin");
  });
});

Deno.test("discard() writes the vault's own state over an edit, and the vault writes on from there", async () => {
  await withVault({}, async (it) => {
    await it.issue("alice");
    await it.tokensFile();
    await edit(it.tokensPath, (text) => text.replace("alice", "mallory"));
    await it.issue("bob");
    await it.vault.files.flush();
    assert.equal(it.status("tokens").state, "refused");
    const status = await it.vault.files.discard("tokens");
    assert.deepEqual([status.name, status.state, status.reason], ["tokens", "written", null]);
    const text = await Deno.readTextFile(it.tokensPath);
    assert.ok(text.includes("alice") && text.includes("bob") && !text.includes("mallory"));
    await it.issue("carol");
    assert.ok((await it.tokensFile()).includes("carol"));
  });
});

Deno.test("discard() that can't write says so, and the refusal stands", async () => {
  await withVault({}, async (it) => {
    await it.issue("alice");
    await it.tokensFile();
    const edited = await edit(it.tokensPath, (text) => `${text}# note\n`);
    await it.issue("bob");
    await it.vault.files.flush();
    await Deno.mkdir(`${it.tokensPath}.new/in the way`, { recursive: true });
    await assert.rejects(it.vault.files.discard("tokens"), refused("storage_failed", /can't be written/));
    assert.equal(await Deno.readTextFile(it.tokensPath), edited);
    assert.equal(it.status("tokens").state, "refused");
    await Deno.remove(`${it.tokensPath}.new`, { recursive: true });
  });
});

Deno.test("diff() tells what take() would do and does none of it; both name no token", async () => {
  await withVault({}, async (it) => {
    const token = await it.issue("alice");
    await it.issue("bob");
    await it.tokensFile();
    await it.vault.roles.create({ name: "slow", scope: [], topK: 1, rateLimit: "1/1s" });
    await it.rolesFile();
    await edit(
      it.tokensPath,
      (text) =>
        `${
          text.replace(/ {2}- user: bob\n( {4}.*\n)+/, "").replace("role: member", "role: slow")
        }  - user: carol\n    token: pasted\n    role: slow\n`,
    );
    const before = it.disk.sequence;
    const differences = await it.vault.files.diff("tokens");
    assert.equal(it.disk.sequence, before);
    assert.deepEqual(differences.map(({ row, change }) => [row, change]), [
      ["alice", "changed"],
      ["carol", "added"],
      ["bob", "removed"],
    ]);
    assert.match(differences[0]!.detail, /^role member .* → role slow /);
    assert.doesNotMatch(JSON.stringify(differences), /pasted|[0-9a-f]{32}/);
    assert.deepEqual(await it.vault.files.take("tokens"), differences);
    assert.equal(it.identify(token).role.name, "slow");
    assert.ok(it.works("pasted"));
    await it.tokensFile();
    assert.deepEqual(await it.vault.files.diff("roles"), []);
    assert.deepEqual(await it.vault.files.diff("tokens"), []);
    assert.doesNotMatch(it.logger.text(), /pasted/);
  });
});

Deno.test("diff() and take() refuse a file that isn't there or can't be taken, and nothing is changed", async () => {
  await withVault({}, async (it) => {
    const token = await it.issue("alice");
    await it.tokensFile();
    await edit(it.tokensPath, (text) => text.replace("role: member", "role: nobody"));
    const before = it.disk.sequence;
    for (const ask of [it.vault.files.diff("tokens"), it.vault.files.take("tokens")]) {
      await assert.rejects(ask, refused("config_invalid", /line 5: unknown role "nobody"/));
    }
    await Deno.remove(it.rolesPath);
    for (const ask of [it.vault.files.diff("roles"), it.vault.files.take("roles")]) {
      await assert.rejects(ask, refused("not_found"));
    }
    assert.equal(it.disk.sequence, before);
    assert.ok(it.works(token));
  });
});
