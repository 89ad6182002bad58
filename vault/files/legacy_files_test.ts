import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createCipheriv, hkdfSync } from "node:crypto";
import { openedTexts, refused, TEAM_SECRET, withClosedVault, withVault } from "../_test_support.ts";
import { lastValidDay } from "../dates.ts";
import { hashToken } from "../tokens/user_token.ts";

const ALICE = "evt_00112233445566778899aabbccddeeff";
const BOB = "evt_ffeeddccbbaa99887766554433221100";

const ROLES = `roles:
  admin:
    scope: [get_public_key, decrypt_scores, decrypt_metadata, manage_tokens]
    top_k: 40
    rate_limit: 150/60s
  agent:
    scope: [get_public_key, decrypt_scores, decrypt_metadata]
    top_k: 10
    rate_limit: 30/60s
  researcher:
    scope: [get_public_key, decrypt_scores, teleport]
`;

const TOKENS = `tokens:
- created: '2026-03-20'
  expires: '2026-06-18'
  role: admin
  token: ${ALICE}
  user: alice
- role: agent
  token: ${BOB}
  user: bob the "builder"
- role: researcher
  token: anything goes
  user: ../../Carol
- role: member
  token: '42'
  user: ALICE
`;

/** What a client of Rune-Vault sealed before this vault was there (RFC 5869 HKDF, AES-256-CTR). */
function sealedByOldClient(token: string, plaintext: string): string {
  const agentId = hashToken(token).slice(0, 32);
  const key = Buffer.from(hkdfSync("sha256", TEAM_SECRET, "", agentId, 32));
  const iv = Buffer.alloc(16, 9);
  const cipher = createCipheriv("aes-256-ctr", key, iv);
  return JSON.stringify({ a: agentId, c: Buffer.concat([iv, cipher.update(plaintext, "utf8")]).toString("base64") });
}

Deno.test("Rune-Vault's two files, dropped in place, are a complete migration", async () => {
  await withVault({ roles: ROLES, tokens: TOKENS, suppliedSecret: TEAM_SECRET }, (it) => {
    assert.deepEqual([ALICE, BOB, "anything goes", "42"].map((token) => it.identify(token).user.record.name), [
      "alice",
      'bob the "builder"',
      "../../Carol",
      "ALICE",
    ]);
    assert.deepEqual([it.identify(ALICE).role.topK, it.identify(BOB).role.name], [40, "agent"]);
    const researcher = it.identify("anything goes").role;
    assert.deepEqual([researcher.scope, researcher.topK, researcher.rateLimit], [
      ["get_public_key", "decrypt_scores"],
      5,
      { count: 30, seconds: 60 },
    ]);
    assert.equal(lastValidDay(it.identify(ALICE).token.record.expiresAt!), "2026-06-18");
    const warned = it.logger.events.filter(({ event }) => event === "file_read").map(({ fields }) => fields["warning"]);
    for (
      const about of [
        /unknown scope "teleport"/,
        /top_k is missing/,
        /created is missing/,
        /"\.\.\/\.\.\/Carol"/,
        /"ALICE" differs only/,
      ]
    ) {
      assert.ok(warned.some((warning) => about.test(String(warning))), String(about));
    }
    return Promise.resolve();
  });
});

Deno.test("what was sealed under the old vault opens, also after a rotation of the secret", async () => {
  await withVault({ roles: ROLES, tokens: TOKENS, suppliedSecret: TEAM_SECRET }, async (it) => {
    const right = { user: it.identify(BOB).user, ownOnly: false };
    const old = [sealedByOldClient(ALICE, "alice's"), sealedByOldClient("of a user long gone", "gone")];
    assert.deepEqual(await openedTexts(it.vault.envelopes, old, right), ["alice's", "gone"]);
    await it.vault.secrets.rotate();
    assert.deepEqual(await openedTexts(it.vault.envelopes, old, right), ["alice's", "gone"]);
  });
});

Deno.test("old files that come after a rotation belong to version 1 all the same: their envelopes open", async () => {
  await withVault({ suppliedSecret: TEAM_SECRET }, async (it) => {
    await it.vault.secrets.rotate();
    await it.vault.files.flush();
    await Deno.writeTextFile(it.rolesPath, ROLES);
    await Deno.writeTextFile(it.tokensPath, TOKENS);
    await it.vault.files.reload(false);
    const caller = it.identify(ALICE);
    assert.equal(caller.token.record.secretVersion, 1);
    const right = { user: caller.user, ownOnly: true };
    assert.deepEqual(await openedTexts(it.vault.envelopes, [sealedByOldClient(ALICE, "mine")], right), ["mine"]);
  });
});

Deno.test("the tokens leave the file as hashes, odd names stay, and the result is read without complaint", async () => {
  await withVault({ roles: ROLES, tokens: TOKENS }, async (it) => {
    const text = await it.tokensFile();
    await it.rolesFile();
    for (const token of [ALICE, BOB, "anything goes", "'42'"]) assert.ok(!text.includes(token), token);
    assert.ok(text.includes(hashToken(BOB)));
    for (const path of [it.rolesPath, it.tokensPath]) {
      const now = await Deno.readTextFile(path);
      await Deno.writeTextFile(path, `${now}# looked at\n`);
    }
    await it.vault.files.reload(false);
    assert.deepEqual(it.vault.files.status().map(({ state }) => state).includes("refused"), false);
    assert.equal(it.identify(BOB).role.name, "agent");
    await it.restart();
    assert.ok(it.works("anything goes"));
    assert.ok(!(await it.tokensFile()).includes("anything goes"));
    assert.doesNotMatch(it.logger.text(), /00112233445566778899|anything goes/);
  });
});

Deno.test("a tokens file that says agent and brings no roles along gets the role that member was then", async () => {
  const tokens = `tokens:\n- {role: agent, token: ${BOB}, user: bob}\n`;
  await withVault({ tokens }, async (it) => {
    const { role } = it.identify(BOB);
    assert.deepEqual({ ...role, name: "member" }, it.vault.roles.show("member"));
    assert.equal(role.name, "agent");
    assert.ok((await it.rolesFile()).includes("  agent:\n"));
    await it.restart();
    assert.ok(it.works(BOB));
  });
});

Deno.test("a role of an old token that no file knows stops the start, naming the line", async () => {
  await withClosedVault(async (it) => {
    const tokens = `tokens:\n- {role: member, token: a, user: a}\n- {role: wizard, token: ${BOB}, user: bob}\n`;
    await assert.rejects(it.open({ tokens }), refused("config_invalid", /line 3: unknown role "wizard"/));
    assert.equal(it.disk.table("user").size, 0);
    assert.equal(await Deno.readTextFile(it.tokensPath), tokens);
  });
});

Deno.test("an old file onto a vault that held users is an older edit: refused as a whole, naming the rows that changed", async () => {
  await withVault({ suppliedSecret: TEAM_SECRET }, async (it) => {
    const present = await it.issue("present");
    await it.issue("revoked");
    await it.vault.tokens.revoke("revoked");
    await it.tokensFile();
    await Deno.writeTextFile(it.tokensPath, TOKENS.replaceAll("researcher", "member").replaceAll("agent", "member"));
    await it.vault.files.reload(false);
    const { state, reason } = it.status("tokens");
    assert.equal(state, "refused");
    assert.match(reason!, /no generation.*changed since: "present", "revoked"$/);
    assert.equal(it.works(ALICE), false);
    assert.ok(it.works(present));
    await it.restart();
    assert.equal(it.status("tokens").state, "refused", "at a start, too: it is no invalid file");
    assert.equal(it.works(ALICE), false);
  });
});

Deno.test("also where all users are gone again, and also after a restart: a vault that ever held one takes no old file", async () => {
  await withVault({}, async (it) => {
    await it.issue("once");
    await it.vault.tokens.revoke("once");
    await it.tokensFile();
    await it.close();
    await Deno.writeTextFile(it.tokensPath, `tokens:\n- {role: member, token: ${BOB}, user: bob}\n`);
    await it.open();
    assert.equal(it.status("tokens").state, "refused");
    assert.equal(it.works(BOB), false);
  });
});

Deno.test("roles may come before users: a roles file of Rune-Vault is taken as long as there was no user", async () => {
  await withVault({ roles: ROLES }, async (it) => {
    assert.equal(it.vault.roles.show("researcher").topK, 5);
    await it.vault.files.flush();
    await it.restart({ tokens: TOKENS });
    assert.equal(it.identify(BOB).role.name, "agent");
  });
});

Deno.test("the files of another vault, generation and all, are taken whole by one that never held a user", async () => {
  let carried = { roles: "", tokens: "" };
  await withVault({}, async (it) => {
    await it.vault.roles.create({ name: "own", scope: ["get_bundle"], topK: 1, rateLimit: "1/1s" });
    await it.vault.tokens.issue({ user: "alice", role: "own" });
    for (let i = 0; i < 5; i++) {
      await it.vault.tokens.rotate({ user: "alice" });
      await it.tokensFile();
    }
    carried = { roles: await it.rolesFile(), tokens: await it.tokensFile() };
  });
  assert.match(carried.tokens, /generation: [5-9]/);
  await withVault(carried, async (it) => {
    assert.equal(it.vault.tokens.show("alice").role, "own");
    assert.ok((await it.tokensFile()).includes("alice"));
    assert.equal(it.status("tokens").state, "written");
  });
});

Deno.test("a crash before the hashes are written: the old file is known again and rewritten, tokens and all", async () => {
  await withClosedVault(async (it) => {
    await it.open({ roles: ROLES, tokens: TOKENS });
    await it.kill();
    await Deno.writeTextFile(it.tokensPath, TOKENS);
    await it.open({});
    assert.notEqual(it.status("tokens").state, "refused");
    assert.ok(it.works(ALICE));
    assert.ok(!(await it.tokensFile()).includes(ALICE));
  });
});
