import assert from "node:assert/strict";
import { NOW, refused, withClosedVault, withVault } from "../_test_support.ts";
import { lastValidDay } from "../dates.ts";
import { hashToken } from "../tokens/user_token.ts";
import { edit, editTokens, hashedRow, plainRow, refusedEdit, withoutRow } from "./_face_test_support.ts";

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
