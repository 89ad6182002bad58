/**
 * Attacks through the files that operators edit, each tried as somebody who may write them would.
 *
 * @module
 */

import assert from "node:assert/strict";
import { refused, type TestVault, withVault } from "./_test_support.ts";
import { hashToken } from "./tokens/user_token.ts";

async function edit(path: string, change: (text: string) => string): Promise<void> {
  const before = await Deno.readTextFile(path);
  const after = change(before);
  assert.notEqual(after, before, "the attack changes something");
  await Deno.writeTextFile(path, after);
}

/** The ways in which a file may bring a token back, each onto a vault where it was ended. */
const RESURRECTIONS: readonly [name: string, row: (user: string, token: string) => string][] = [
  ["its old row", (user, token) => hashedRow(user, token)],
  ["its row under another user's name", (_user, token) => hashedRow("newcomer", token)],
  ["the plain token", (user, token) => `  - user: ${user}\n    token: ${token}\n    role: member\n`],
  [
    "the plain token under another name",
    (_user, token) => `  - user: newcomer\n    token: ${token}\n    role: member\n`,
  ],
  [
    "its row with a hash that begins alike",
    (user, token) => hashedRow(user, token, (hash) => hash.slice(0, 32) + "0".repeat(32)),
  ],
];

function hashedRow(user: string, token: string, change = (hash: string) => hash): string {
  const hash = change(hashToken(token));
  return `  - user: ${user}\n    token_hash: sha256:${hash}\n    agent_id: '${hash.slice(0, 32)}'\n    role: member\n`;
}

const ENDS: readonly [name: string, end: (it: TestVault) => Promise<unknown>][] = [
  ["revoked", (it) => it.vault.tokens.revoke("mallory")],
  ["rotated", (it) => it.vault.tokens.rotate({ user: "mallory" })],
  ["rotated with a grace", (it) => it.vault.tokens.rotate({ user: "mallory", graceSeconds: 60 })],
];

for (const [how, end] of ENDS) {
  Deno.test(`attack: bring a ${how} token back through a file, by edit, by take, at a start, without a generation`, async () => {
    await withVault({}, async (it) => {
      const token = await it.issue("mallory");
      await it.issue("alice");
      await end(it);
      it.clock.advance(61_000);
      assert.equal(it.works(token), false);
      for (const [which, row] of RESURRECTIONS) {
        const text = await it.tokensFile();
        const rows = text.replace(/ {2}- user: mallory\n( {4}.*\n)+/, "") + row("mallory", token);
        await Deno.writeTextFile(it.tokensPath, rows);
        const before = it.disk.sequence;
        await it.vault.files.reload(false);
        assert.equal(it.status("tokens").state, "refused", which);
        // By hand, too, and as a file of Rune-Vault.
        await Deno.writeTextFile(it.tokensPath, rows.replace(/generation: \d+\n/, ""));
        const taken = it.vault.files.take("tokens");
        await assert.rejects(taken, refused("config_invalid", /was revoked, rotated, or is another/), which);
        assert.equal(it.works(token), false, which);
        assert.equal(it.disk.sequence, before);
        await it.vault.files.discard("tokens");
      }
      assert.equal(it.vault.state.userByName("newcomer"), undefined);
      const good = await it.tokensFile();
      await Deno.writeTextFile(
        it.tokensPath,
        good.replace(/ {2}- user: mallory\n( {4}.*\n)+/, "") + hashedRow("mallory", token),
      );
      await it.kill();
      await assert.rejects(it.open({}), refused("config_invalid", /was revoked, rotated/));
      await Deno.writeTextFile(it.tokensPath, good);
      await it.open({});
      assert.equal(it.works(token), false);
    });
  });
}

Deno.test("attack: put the whole tokens file of yesterday back, with and without a kill in between", async () => {
  await withVault({}, async (it) => {
    const token = await it.issue("mallory");
    const yesterday = await it.tokensFile();
    await it.vault.tokens.revoke("mallory");
    await Deno.writeTextFile(it.tokensPath, yesterday);
    await it.vault.files.reload(false);
    await it.vault.files.flush();
    assert.equal(it.works(token), false);
    await Deno.writeTextFile(it.tokensPath, yesterday);
    await it.restart();
    assert.equal(it.works(token), false);
    for (const user of ["alice", "bob"]) {
      await it.issue(user);
      await it.tokensFile();
    }
    await Deno.writeTextFile(it.tokensPath, yesterday);
    await it.restart();
    assert.equal(it.status("tokens").state, "refused", "older than the text before the last one");
    assert.equal(it.works(token), false);
    assert.ok(it.vault.tokens.show("alice"), "nor is what came later undone");
  });
});

Deno.test("attack: take over another's data key by giving one's own row their agent id", async () => {
  await withVault({}, async (it) => {
    const alice = it.identify(await it.issue("alice"));
    await it.issue("mallory");
    const victim = hashToken("whatever mallory holds");
    const rows = [
      `  - user: eve\n    token_hash: sha256:${victim}\n    agent_id: '${alice.agentId}'\n    role: member\n`,
      hashedRow("eve", "x", (hash) => alice.agentId + hash.slice(32)),
    ];
    for (const row of rows) {
      await it.tokensFile();
      await edit(it.tokensPath, (text) => text + row);
      await it.vault.files.reload(false);
      assert.equal(it.status("tokens").state, "refused");
      await assert.rejects(it.vault.files.take("tokens"), refused("config_invalid"));
      await it.vault.files.discard("tokens");
    }
    assert.equal(it.vault.state.userByName("eve"), undefined);
    assert.equal(it.vault.state.tokens.get(alice.agentId)?.user.record.name, "alice");
  });
});

Deno.test("attack: get root or another way in through the roles file", async () => {
  await withVault({}, async (it) => {
    const token = await it.issue("mallory");
    for (const line of ["    policies: [root]\n", "    scope: [root]\n"]) {
      await it.rolesFile();
      await edit(it.rolesPath, (text) => `${text}  evil:\n${line}    top_k: 1\n    rate_limit: 1/1s\n`);
      await it.vault.files.reload(false);
      assert.equal(it.status("roles").state, "refused");
      await it.vault.files.discard("roles");
    }
    await it.rolesFile();
    await edit(
      it.rolesPath,
      (text) => text.replaceAll("scope: [get_public_key, decrypt_scores, decrypt_metadata]", "scope: [manage_tokens]"),
    );
    await it.vault.files.reload(false);
    assert.deepEqual(it.identify(token).role.scope, ["manage_tokens"], "it is kept, and opens no method");
  });
});
