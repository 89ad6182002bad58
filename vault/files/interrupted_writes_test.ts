import assert from "node:assert/strict";
import { MemoryStore } from "../../tests/fakes/memory_store.ts";
import { report, withClosedVault, withVault } from "../_test_support.ts";
import { InterruptedStore, until } from "./_face_test_support.ts";

Deno.test("a crash between the digest's commit and the rename: the text before it still counts as ours", async () => {
  await withClosedVault(async (it) => {
    const store = new InterruptedStore(it.disk);
    await it.open({ store });
    const kept = await it.issue("alice");
    const revoked = await it.issue("mallory");
    await it.tokensFile();
    const before = await Deno.readTextFile(it.tokensPath);
    await it.vault.tokens.revoke("mallory");
    store.afterDigest = () => Deno.remove(`${it.tokensPath}.new`);
    await it.vault.files.flush();
    assert.equal(await Deno.readTextFile(it.tokensPath), before, "the rename did not happen");
    assert.equal(it.status("tokens").state, "failing");
    await it.restart({ store: new MemoryStore(it.disk) });
    assert.deepEqual([it.works(kept), it.works(revoked)], [true, false]);
    const after = await it.tokensFile();
    assert.ok(after.includes("alice") && !after.includes("mallory"));
    assert.equal(it.status("tokens").state, "written");
  });
});

Deno.test("a crash twice over, at the same place, loses the text before it neither", async () => {
  await withClosedVault(async (it) => {
    const revoked: string[] = [];
    await it.open({ store: new InterruptedStore(it.disk) });
    for (const user of ["a", "b", "c"]) revoked.push(await it.issue(user));
    const before = await it.tokensFile();
    for (const user of ["a", "b"]) {
      const store = new InterruptedStore(it.disk);
      await it.restart({ store });
      await it.vault.tokens.revoke(user);
      store.afterDigest = () => Deno.remove(`${it.tokensPath}.new`);
      await it.vault.files.flush();
      assert.equal(await Deno.readTextFile(it.tokensPath), before);
    }
    await it.restart({ store: new MemoryStore(it.disk) });
    assert.deepEqual(revoked.map((token) => it.works(token)), [false, false, true]);
    assert.ok(!(await it.tokensFile()).includes("user: a\n"));
    assert.equal(it.status("tokens").state, "written");
  });
});

Deno.test("a file that can't be written: the vault goes on, says so, tries again, and gets there by itself", async () => {
  await withVault({}, async (it) => {
    await it.vault.files.flush();
    // Whatever the reason: no space, a read-only disk, or, here, a folder in the way.
    await Deno.mkdir(`${it.tokensPath}.new/in the way`, { recursive: true });
    const token = await it.issue("alice");
    const failedAt = performance.now();
    await until(() => it.status("tokens").state === "failing");
    assert.ok(it.works(token), "the change itself is done");
    assert.equal(it.status("roles").state, "written");
    assert.ok(it.logger.names().includes("file_write_failed"));
    assert.ok(!(await Deno.readTextFile(it.tokensPath)).includes("alice"));
    await Deno.remove(`${it.tokensPath}.new`, { recursive: true });
    await until(() => it.status("tokens").state === "written", 8000);
    report(`written again after ${((performance.now() - failedAt) / 1000).toFixed(1)} s`);
    assert.ok((await Deno.readTextFile(it.tokensPath)).includes("alice"));
    assert.equal(it.status("tokens").reason, null);
  });
});

Deno.test("a change soon after a failed write does not wait for the next try", async () => {
  await withVault({}, async (it) => {
    await it.vault.files.flush();
    await Deno.mkdir(`${it.tokensPath}.new/in the way`, { recursive: true });
    await it.issue("alice");
    await until(() => it.status("tokens").state === "failing");
    await Deno.remove(`${it.tokensPath}.new`, { recursive: true });
    await it.issue("bob");
    await until(() => it.status("tokens").state === "written", 1500);
  });
});

Deno.test("a digest that can't be committed leaves the file as it was, and a later try succeeds", async () => {
  await withVault({}, async (it) => {
    await it.issue("alice");
    const before = await it.tokensFile();
    await it.issue("bob");
    it.store.failNext();
    await it.vault.files.flush();
    assert.equal(await Deno.readTextFile(it.tokensPath), before);
    assert.equal(it.status("tokens").state, "failing");
    assert.ok((await it.tokensFile()).includes("bob"));
    assert.equal(it.status("tokens").state, "written");
  });
});
