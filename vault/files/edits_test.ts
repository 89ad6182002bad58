import assert from "node:assert/strict";
import { NOW, refused, type TestVault, withClosedVault, withVault } from "../_test_support.ts";
import { lastValidDay } from "../dates.ts";
import { hashToken } from "../tokens/user_token.ts";

async function edit(path: string, change: (text: string) => string): Promise<string> {
  const before = await Deno.readTextFile(path);
  const after = change(before);
  assert.notEqual(after, before, "the edit changes something");
  await Deno.writeTextFile(path, after);
  return after;
}

/** A row as an operator types it: with the token itself. */
function plainRow(user: string, token: string, role = "member"): string {
  return `  - user: ${user}\n    token: ${token}\n    role: ${role}\n`;
}

/** A row with a hash, as it stands in files of ours. */
function hashedRow(user: string, token: string, role = "member"): string {
  const hash = hashToken(token);
  return `  - user: ${user}\n    token_hash: sha256:${hash}\n    agent_id: '${hash.slice(0, 32)}'\n    role: ${role}\n`;
}

function withoutRow(text: string, user: string): string {
  return text.replace(new RegExp(` {2}- user: ${user}\\n( {4}.*\\n)+`), "");
}

/** Edits the tokens file, which holds everything so far, and has the vault read it as on SIGHUP. */
async function editTokens(it: TestVault, change: (text: string) => string): Promise<void> {
  await it.tokensFile();
  await edit(it.tokensPath, change);
  await it.vault.files.reload(false);
}

/** Expects that an edit was refused as a whole, and that nothing changed: neither store nor file. */
async function refusedEdit(it: TestVault, change: (text: string) => string, reason: RegExp): Promise<void> {
  await it.vault.files.flush();
  const edited = await edit(it.tokensPath, change);
  const before = it.disk.sequence;
  await it.vault.files.reload(false);
  const { state, reason: told } = it.status("tokens");
  assert.equal(state, "refused");
  assert.match(told!, reason);
  await it.vault.files.flush();
  assert.equal(it.disk.sequence, before);
  assert.equal(await Deno.readTextFile(it.tokensPath), edited);
  await it.vault.files.discard("tokens");
}

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

Deno.test("an edit of the newest generation is applied as a set of changes, in one commit, each logged", async () => {
  await withVault({}, async (it) => {
    const kept = await it.issue("kept");
    const promoted = await it.issue("promoted");
    const limited = await it.issue("limited");
    const removed = await it.issue("removed");
    await it.tokensFile();
    const before = it.disk.sequence;
    const row = (user: string, text: string, change: (row: string) => string) =>
      text.replace(new RegExp(` {2}- user: ${user}\\n( {4}.*\\n)+`), (found) => change(found));
    await edit(it.tokensPath, (text) => {
      text = row("promoted", text, (found) => found.replace("role: member", "role: admin"));
      text = row("limited", text, (found) => `${found}    expires: '2026-03-25'\n`);
      return `${withoutRow(text, "removed")}${plainRow("added", "evt_by_hand")}`;
    });
    await it.vault.files.reload(false);
    assert.equal(it.disk.sequence, before + 1);
    assert.equal(it.identify(kept).user.record.epoch, 1);
    assert.equal(it.identify(promoted).role.name, "admin");
    assert.equal(lastValidDay(it.identify(limited).token.record.expiresAt!), "2026-03-25");
    assert.equal(it.works(removed), false);
    assert.equal(it.vault.users.show("removed").epoch, 2, "a row taken out is a revocation with all that one does");
    assert.equal(it.identify("evt_by_hand").user.record.name, "added");
    const logged = it.logger.events.filter(({ event }) => event === "file_edit_applied").map(({ fields }) => fields);
    assert.deepEqual(logged.map(({ row, change }) => [row, change]), [
      ["promoted", "changed"],
      ["limited", "changed"],
      ["added", "added"],
      ["removed", "removed"],
    ]);
    const text = await it.tokensFile();
    assert.equal(it.status("tokens").state, "written");
    assert.ok(text.includes(`sha256:${hashToken("evt_by_hand")}`) && !text.includes("evt_by_hand"));
    await it.restart();
    assert.equal(it.identify(promoted).role.name, "admin");
    assert.equal(it.works(removed), false);
  });
});

Deno.test("an edit of days alone keeps the moment of issue, and can set an expiry back and forth", async () => {
  await withVault({}, async (it) => {
    const token = await it.issue("alice", "member", 30);
    await editTokens(it, (text) => text.replace(/expires: .*/, "expires: '2026-03-20'"));
    it.clock.wall = Date.UTC(2026, 2, 21);
    assert.throws(() => it.identify(token), refused("token_expired"));
    await editTokens(it, (text) => text.replace(/\n {4}expires: .*/, ""));
    assert.equal(it.identify(token).token.record.expiresAt, null);
    assert.equal(it.identify(token).token.record.issuedAt, NOW);
    await editTokens(it, (text) => text.replace(/issued_at: .*/, "issued_at: '2026-01-02'"));
    assert.equal(it.identify(token).token.record.issuedAt, Date.UTC(2026, 0, 2));
  });
});

Deno.test("an edit of a comment, of white space or of the order changes nothing, and the file is written anew", async () => {
  await withVault({}, async (it) => {
    const tokens = [await it.issue("alice"), await it.issue("bob")];
    await editTokens(
      it,
      (text) => `# hello\n${text.replaceAll("    role", "\n    role  ").replaceAll("role  :", "role :")}`,
    );
    assert.equal(it.status("tokens").state === "refused", false);
    assert.ok(tokens.every((token) => it.works(token)));
    assert.ok(!(await it.tokensFile()).includes("hello"));
  });
});

Deno.test("a token put in another's place in a user's row replaces it, the one in grace too", async () => {
  await withVault({}, async (it) => {
    const first = await it.issue("alice");
    const second = (await it.vault.tokens.rotate({ user: "alice", graceSeconds: 3600 })).token;
    await editTokens(it, (text) => withoutRow(text, "alice") + plainRow("alice", "evt_third"));
    assert.deepEqual([first, second, "evt_third"].map((token) => it.works(token)), [false, false, true]);
    assert.equal(it.vault.users.show("alice").epoch, 1);
    assert.equal(it.vault.tokens.count(), 1);
  });
});

Deno.test("a row taken out ends the user's token in grace too", async () => {
  await withVault({}, async (it) => {
    const first = await it.issue("alice");
    const second = (await it.vault.tokens.rotate({ user: "alice", graceSeconds: 3600 })).token;
    await editTokens(it, (text) => withoutRow(text, "alice").replace("tokens:\n", "tokens: []\n"));
    assert.deepEqual([first, second].map((token) => it.works(token)), [false, false]);
    await it.restart();
    const ended = [...it.vault.state.tokens.values()].map(({ record }) => record.ended);
    assert.deepEqual(ended, ["revoked", "revoked"]);
  });
});

Deno.test("an edited roles file binds at once; default roles that it leaves out stay, other ones go", async () => {
  await withVault({}, async (it) => {
    const { roles } = it.vault;
    const caller = await it.issue("alice");
    await roles.create({ name: "old", scope: ["get_dek"], topK: 1, rateLimit: "1/1s" });
    await it.rolesFile();
    await edit(
      it.rolesPath,
      (text) =>
        `${
          /^#[\s\S]*generation: \d+\n/m.exec(text)![0]
        }roles:\n  member:\n    scope: [get_bundle]\n    top_k: 2\n    rate_limit: 5/1s\n  new:\n    scope: []\n    top_k: 1\n    rate_limit: 1/1s\n`,
    );
    await it.vault.files.reload(false);
    assert.deepEqual(it.identify(caller).role, {
      name: "member",
      scope: ["get_bundle"],
      topK: 2,
      rateLimit: { count: 5, seconds: 1 },
    });
    assert.deepEqual(roles.list().map((role) => role.name), ["admin", "member", "new"]);
    assert.equal(roles.show("admin").topK, 50);
  });
});

Deno.test("a role that a token has can't be edited away", async () => {
  await withVault({}, async (it) => {
    await it.vault.roles.create({ name: "used", scope: [], topK: 1, rateLimit: "1/1s" });
    await it.issue("alice", "used");
    await it.rolesFile();
    await edit(it.rolesPath, (text) => text.replace(/ {2}used:\n( {4}.*\n)+/, ""));
    await it.vault.files.reload(false);
    assert.match(it.status("roles").reason!, /vault-roles\.yml: role "used" is used by 1 token/);
    assert.equal(it.vault.roles.show("used").name, "used");
  });
});

Deno.test("both files edited together are one change: a new role and a token of it, or neither", async () => {
  await withVault({}, async (it) => {
    await it.vault.files.flush();
    await edit(it.rolesPath, (text) => `${text}  fresh:\n    scope: []\n    top_k: 1\n    rate_limit: 1/1s\n`);
    await edit(
      it.tokensPath,
      (text) => text.replace("tokens: []\n", `tokens:\n${plainRow("alice", "evt_a", "fresh")}`),
    );
    const before = it.disk.sequence;
    it.store.failNext();
    await it.vault.files.reload(false);
    assert.deepEqual([it.status("roles").state, it.status("tokens").state], ["refused", "refused"]);
    assert.equal(it.disk.sequence, before);
    assert.throws(() => it.vault.roles.show("fresh"), refused("not_found"));
    assert.equal(it.works("evt_a"), false);
    await it.vault.files.reload(false);
    assert.equal(it.disk.sequence, before + 1);
    assert.equal(it.identify("evt_a").role.name, "fresh");
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

Deno.test("new names in a file of ours follow the rules of issued ones, in form and in case", async () => {
  await withVault({}, async (it) => {
    await it.issue("Alice");
    for (const name of ["../bob", '"line\\nbreak"', "böb", `${"b".repeat(65)}`, '"b b"']) {
      await refusedEdit(it, (text) => text + plainRow(name, "evt_new"), /invalid user name/);
    }
    await refusedEdit(it, (text) => text + plainRow("alice", "evt_new"), /differs only in case/);
    await refusedEdit(
      it,
      (text) => text + plainRow("bob", "evt_1") + plainRow("BOB", "evt_2"),
      /"BOB" differs only in case/,
    );
    assert.equal(it.works("evt_new"), false);
    await it.vault.files.flush();
    await edit(it.rolesPath, (text) => `${text}  ../r:\n    scope: []\n    top_k: 1\n    rate_limit: 1/1s\n`);
    await it.vault.files.reload(false);
    assert.match(it.status("roles").reason!, /line \d+: Invalid role name "\.\.\/r"/);
  });
});

Deno.test("an edit whose commit fails is refused and not half-done; the next reload takes it", async () => {
  await withVault({}, async (it) => {
    const token = await it.issue("alice");
    await it.tokensFile();
    await edit(it.tokensPath, (text) => withoutRow(text, "alice") + plainRow("bob", "evt_bob"));
    it.store.failNext();
    await it.vault.files.reload(false);
    assert.match(it.status("tokens").reason!, /could not be saved/);
    assert.deepEqual([it.works(token), it.works("evt_bob")], [true, false]);
    await it.vault.files.reload(false);
    assert.deepEqual([it.works(token), it.works("evt_bob")], [false, true]);
  });
});

Deno.test("take() applies an edit of an older generation to the present state", async () => {
  await withVault({}, async (it) => {
    const alice = await it.issue("alice");
    const old = await it.tokensFile();
    const bob = await it.issue("bob");
    await it.tokensFile();
    await Deno.writeTextFile(it.tokensPath, old.replace("role: member", "role: admin"));
    await it.vault.files.reload(false);
    const differences = await it.vault.files.take("tokens");
    assert.deepEqual(differences.map(({ row, change }) => [row, change]), [["alice", "changed"], ["bob", "removed"]]);
    assert.equal(it.identify(alice).role.name, "admin");
    assert.equal(it.works(bob), false);
    await it.vault.files.flush();
    assert.equal(it.status("tokens").state, "written");
    await it.restart();
    assert.equal(it.works(bob), false);
  });
});

Deno.test("an edit that was taken counts as ours until the vault has written its own: a crash makes it no stranger", async () => {
  await withClosedVault(async (it) => {
    await it.open({});
    await it.issue("alice");
    await it.tokensFile();
    const edited = await edit(it.tokensPath, (text) => text + plainRow("bob", "evt_bob"));
    await it.vault.files.reload(false);
    await it.kill();
    await Deno.writeTextFile(it.tokensPath, edited);
    await it.open();
    assert.ok(it.works("evt_bob"));
    assert.notEqual(it.status("tokens").state, "refused");
    assert.ok(!(await it.tokensFile()).includes("evt_bob"), "a token in plain text leaves the file as a hash");
  });
});

Deno.test("a row with a hash made elsewhere is taken like one with its token", async () => {
  await withVault({}, async (it) => {
    await editTokens(it, (text) => text.replace("tokens: []\n", `tokens:\n${hashedRow("alice", "evt_elsewhere")}`));
    assert.equal(it.identify("evt_elsewhere").user.record.name, "alice");
    assert.equal(it.vault.tokens.show("alice").issuedAt, null);
  });
});
