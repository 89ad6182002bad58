import assert from "node:assert/strict";
import { MemoryStore } from "../../tests/fakes/memory_store.ts";
import { leastPause, NOW, refused, report, type TestVault, withClosedVault, withVault } from "../_test_support.ts";
import { DAY_MS } from "../dates.ts";
import type { Write } from "../storage/store.ts";
import { putToken } from "../tokens/token_service.ts";
import { hashToken } from "../tokens/user_token.ts";

/** Rewrites a YAML file as an operator with an editor does. */
async function edit(path: string, change: (text: string) => string): Promise<string> {
  const before = await Deno.readTextFile(path);
  const after = change(before);
  assert.notEqual(after, before, "the edit changes something");
  await Deno.writeTextFile(path, after);
  return after;
}

function generationOf(text: string): number {
  return Number(/^generation: (\d+)$/m.exec(text)![1]);
}

async function until(what: () => boolean | Promise<boolean>, timeoutMs = 20_000): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!await what()) {
    if (performance.now() > deadline) throw new Error(`Not within ${timeoutMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** A store that does something at the moment after a file's digest was committed, and before the file is renamed. */
class InterruptedStore extends MemoryStore {
  afterDigest: (() => Promise<void>) | undefined;

  override async commit(writes: readonly Write[], expectedSequence: number): Promise<number> {
    const sequence = await super.commit(writes, expectedSequence);
    if (writes.length === 1 && writes[0]!.kind === "file") {
      const interrupt = this.afterDigest;
      this.afterDigest = undefined;
      await interrupt?.();
    }
    return sequence;
  }
}

Deno.test("a first start writes both files, for their owner alone, without anybody asking", async () => {
  await withVault({}, async (it) => {
    await until(() => it.vault.files.status().every((file) => file.state === "written"));
    for (const path of [it.rolesPath, it.tokensPath]) {
      assert.equal((await Deno.stat(path)).mode! & 0o777, 0o600);
      assert.equal(generationOf(await Deno.readTextFile(path)), 1);
    }
    assert.match(await Deno.readTextFile(it.tokensPath), /^tokens: \[\]$/m);
  });
});

Deno.test("a change is in its file within a second, without being asked for, and raises its generation alone", async () => {
  await withVault({}, async (it) => {
    await it.vault.files.flush();
    const roles = await it.rolesFile();
    const waits: number[] = [];
    // Other work on the machine only makes it longer: one short time is enough.
    for (const name of ["alice", "bob", "carol"]) {
      await it.issue(name);
      assert.equal(it.status("tokens").state, "pending");
      const began = performance.now();
      await until(async () => (await Deno.readTextFile(it.tokensPath)).includes(name));
      waits.push(performance.now() - began);
      await until(() => it.status("tokens").state === "written");
    }
    assert.ok(Math.min(...waits) < 1000, `${waits} ms`);
    assert.deepEqual([it.status("tokens").generation, it.status("roles").generation], [4, 1]);
    assert.equal(await Deno.readTextFile(it.rolesPath), roles);
    assert.equal(it.status("tokens").state, "written");
  });
});

Deno.test("many changes share few writes, and the last of them is in the file", async () => {
  await withVault({}, async (it) => {
    await it.vault.files.flush();
    for (let i = 0; i < 50; i++) await it.issue(`user${i}`);
    await it.vault.tokens.revoke("user7");
    const text = await it.tokensFile();
    assert.ok(text.includes("user49") && !text.includes("user7\n"));
    assert.ok(it.status("tokens").generation <= 5, `generation ${it.status("tokens").generation}`);
  });
});

Deno.test("the files hold no usable token", async () => {
  await withVault({}, async (it) => {
    const token = await it.issue("alice");
    const text = await it.tokensFile();
    assert.ok(!text.includes(token) && !text.includes(token.slice(4)));
    assert.ok(text.includes(`token_hash: sha256:${hashToken(token)}`));
  });
});

Deno.test("a change whose commit is under way when a write begins is in that file, not lost between two", async () => {
  await withVault({}, async (it) => {
    await it.issue("alice");
    await it.vault.files.flush();
    await it.issue("bob");
    const release = it.store.hold();
    const revoked = it.vault.tokens.revoke("alice");
    const issued = it.vault.tokens.issue({ user: "carol", role: "member" });
    const flushed = it.vault.files.flush();
    await new Promise((resolve) => setTimeout(resolve, 50));
    release();
    await Promise.all([revoked, issued, flushed]);
    await it.vault.files.flush();
    const text = await Deno.readTextFile(it.tokensPath);
    assert.deepEqual(["alice", "bob", "carol"].map((user) => text.includes(user)), [false, true, true]);
    assert.equal(it.status("tokens").state, "written");
  });
});

Deno.test("a change that comes while a file is being written is in the next one, and marked as changed since this one", async () => {
  await withVault({}, async (it) => {
    await it.issue("alice");
    await addUsers(it, 20_000);
    const flushed = it.vault.files.flush();
    await until(async () => ((await Deno.stat(`${it.tokensPath}.new`).catch(() => null))?.size ?? 0) > 0);
    await it.vault.tokens.revoke("alice");
    await flushed;
    const { generation } = it.status("tokens");
    assert.ok((await Deno.readTextFile(it.tokensPath)).includes("user: alice\n"), "it came too late for this one");
    assert.equal(JSON.parse(it.disk.table("file_change").get("tokens/alice")!).generation, generation + 1);
    assert.equal(it.status("tokens").state, "pending");
    assert.ok(!(await it.tokensFile()).includes("user: alice\n"));
    assert.deepEqual([it.status("tokens").state, it.status("tokens").generation], ["written", generation + 1]);
  });
});

Deno.test("close() writes what is behind; a vault that is killed does so at its next start", async () => {
  await withVault({}, async (it) => {
    await it.issue("alice");
    await it.close();
    assert.ok((await Deno.readTextFile(it.tokensPath)).includes("alice"));
    await it.open();
    await it.issue("bob");
    await it.restart();
    await it.vault.files.flush();
    assert.ok((await Deno.readTextFile(it.tokensPath)).includes("bob"));
  });
});

Deno.test("a reload with nothing edited changes nothing", async () => {
  await withVault({}, async (it) => {
    await it.issue("alice");
    const text = await it.tokensFile();
    const before = it.disk.sequence;
    await it.vault.files.reload(false);
    await it.vault.files.flush();
    assert.equal(it.disk.sequence, before);
    assert.equal(await Deno.readTextFile(it.tokensPath), text);
  });
});

Deno.test("a file that was deleted is written again: its absence asks for nothing", async () => {
  await withVault({}, async (it) => {
    const token = await it.issue("alice");
    const text = await it.tokensFile();
    await Deno.remove(it.tokensPath);
    await it.vault.files.reload(false);
    await it.vault.files.flush();
    assert.ok(it.works(token));
    const again = await Deno.readTextFile(it.tokensPath);
    assert.equal(again.replace(/generation: \d+/, ""), text.replace(/generation: \d+/, ""));
    await Deno.remove(it.tokensPath);
    await it.restart();
    assert.ok(it.works(token));
    assert.ok((await it.tokensFile()).includes("alice"));
  });
});

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

Deno.test("a start that takes its time reads the files before it writes any", async () => {
  await withClosedVault(async (it) => {
    const store = new MemoryStore(it.disk);
    const release = store.hold();
    setTimeout(release, 600);
    await assert.rejects(it.open({ store, tokens: "tokens: [" }), refused("config_invalid"));
    assert.deepEqual((await Array.fromAsync(Deno.readDir(it.folder))).map((entry) => entry.name), ["vault-tokens.yml"]);
  });
});

Deno.test("a vault that could not be opened writes nothing afterwards", async () => {
  await withClosedVault(async (it) => {
    await assert.rejects(it.open({ tokens: "tokens: [" }), refused("config_invalid"));
    await new Promise((resolve) => setTimeout(resolve, 400));
    assert.deepEqual((await Array.fromAsync(Deno.readDir(it.folder))).map((entry) => entry.name), ["vault-tokens.yml"]);
  });
});

Deno.test("with more users than it is written for the tokens file is off, says so once, and is written when asked for", async () => {
  const options = { yamlMaxUsers: 2 };
  await withVault(options, async (it) => {
    for (const name of ["alice", "bob"]) await it.issue(name);
    assert.match(await it.tokensFile(), /bob/);
    for (const name of ["carol", "dave"]) await it.issue(name);
    const before = await it.tokensFile();
    assert.ok(!before.includes("carol"), "it stays as it was");
    const { state, reason } = it.status("tokens");
    assert.equal(state, "off");
    assert.match(reason!, /more than 2 users/);
    assert.equal(it.status("roles").state, "written");
    assert.equal(it.logger.names().filter((event) => event === "file_off").length, 1);
    await it.vault.files.discard("tokens");
    assert.match(await Deno.readTextFile(it.tokensPath), /dave/);
    await it.restart({ yamlMaxUsers: 2 });
    assert.equal(it.status("tokens").state, "off");
    await it.restart({ yamlMaxUsers: 10 });
    await it.issue("eve");
    assert.match(await it.tokensFile(), /carol[^]*eve/);
  });
});

async function addUsers(it: TestVault, count: number): Promise<void> {
  const { state } = it.vault;
  const writes: Write[] = [];
  for (let i = 0; i < count; i++) {
    const entityId = `entity-${i.toString().padStart(6, "0")}`;
    const user = { entityId, name: `user${i}@example.org`, epoch: 1, disabled: false, createdAt: NOW };
    const token = { entityId, epoch: 1, role: "member", secretVersion: 1, issuedAt: NOW, expiresAt: NOW + 90 * DAY_MS };
    writes.push({ kind: "user", key: entityId, value: user }, putToken({ ...token, tokenHash: hashToken(`${i}`) }));
  }
  state.apply(writes, await it.store.commit(writes, state.sequence));
}

Deno.test("writing the tokens file for 100,000 users leaves the event loop free", async () => {
  await withVault({}, async (it) => {
    await addUsers(it, 100_000);
    let latecomers = 0;
    const pauseMs = await leastPause(100, async () => {
      await it.issue(`latecomer${latecomers++}`);
      await it.vault.files.flush();
    });
    const { size } = await Deno.stat(it.tokensPath);
    report(`${(size / 1e6).toFixed(0)} MB, longest pause ${pauseMs.toFixed(1)} ms`);
    assert.equal(it.status("tokens").state, "written");
    assert.ok(size > 20_000_000);
    assert.ok(pauseMs < 100, `${pauseMs} ms`);
  });
});
