import assert from "node:assert/strict";
import { MemoryStore } from "../../tests/fakes/memory_store.ts";
import { leastPause, NOW, refused, report, type TestVault, withClosedVault, withVault } from "../_test_support.ts";
import { DAY_MS } from "../dates.ts";
import type { Write } from "../storage/store.ts";
import { putToken } from "../tokens/token_service.ts";
import { hashToken } from "../tokens/user_token.ts";
import { until } from "./_face_test_support.ts";

function generationOf(text: string): number {
  return Number(/^generation: (\d+)$/m.exec(text)![1]);
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
