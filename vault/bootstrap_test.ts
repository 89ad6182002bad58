import assert from "node:assert/strict";
import { MemoryStore } from "../tests/fakes/memory_store.ts";
import { seededRandom } from "../tests/fakes/seeded_random.ts";
import { NOW, refused, TEAM_SECRET, type TestVault, withClosedVault, withVault } from "./_test_support.ts";
import { SealKey } from "./keys/seal_key.ts";
import { TeamSecrets } from "./keys/team_secrets.ts";
import { isEmpty } from "./bootstrap.ts";
import { VaultState } from "./state.ts";

const OTHER_KEY = new SealKey(new Uint8Array(32).fill(8), seededRandom("another seal key"));

function secretOf(it: TestVault): string {
  return new TextDecoder().decode(new TeamSecrets(it.vault.state, it.sealKey).reveal(1));
}

function warnings(it: TestVault): string[] {
  return it.logger.events.filter(({ level }) => level === "warn").map(({ event }) => event);
}

Deno.test("a first start makes the check value, version 1 of the secret and the default roles, in one commit", async () => {
  await withVault({ suppliedSecret: TEAM_SECRET }, (it) => {
    const [first] = it.store.asked;
    for (const kind of ["meta", "secret", "role"]) assert.ok(first!.some((write) => write.kind === kind), kind);
    assert.equal(secretOf(it), TEAM_SECRET);
    assert.deepEqual([...it.vault.state.roles.keys()].sort(), ["admin", "member"]);
    assert.equal(it.vault.state.userList.length, 0);
    assert.equal(isEmpty(it.vault.state), false);
    assert.equal(isEmpty(new VaultState()), true);
    return Promise.resolve();
  });
});

Deno.test("a first start without a secret draws one of 32 bytes", async () => {
  await withVault({}, (it) => {
    assert.equal(new TeamSecrets(it.vault.state, it.sealKey).reveal(1).length, 32);
    assert.deepEqual(warnings(it), []);
    return Promise.resolve();
  });
});

Deno.test("a first start that can't save fails as a whole, and the next one begins anew", async () => {
  await withClosedVault(async (it) => {
    const store = new MemoryStore(it.disk);
    store.failNext();
    await assert.rejects(it.open({ store, suppliedSecret: TEAM_SECRET }), refused("storage_failed"));
    assert.equal(it.disk.sequence, 0);
    await it.open({ suppliedSecret: "another secret, and no trace of the first" });
    assert.match(secretOf(it), /^another/);
  });
});

Deno.test("a second start changes nothing in the store, with the same secret or with none", async () => {
  await withVault({ suppliedSecret: TEAM_SECRET }, async (it) => {
    await it.tokensFile();
    const before = it.disk.sequence;
    await it.restart({ suppliedSecret: TEAM_SECRET });
    assert.equal(it.disk.sequence, before);
    await it.kill();
    await it.open({});
    assert.equal(it.disk.sequence, before);
    assert.equal(secretOf(it), TEAM_SECRET);
  });
});

Deno.test("a default role that is missing is put back at a start; one that was changed is left as it is", async () => {
  await withVault({}, async (it) => {
    await it.vault.roles.update("admin", { topK: 7 });
    await it.vault.files.flush();
    await it.kill();
    it.disk.table("role").delete("member");
    await it.open();
    assert.deepEqual([it.vault.roles.show("admin").topK, it.vault.roles.show("member").topK], [7, 10]);
  });
});

Deno.test("another seal key than the store's stops the start, showing both fingerprints, and changes nothing", async () => {
  await withVault({ suppliedSecret: TEAM_SECRET }, async (it) => {
    await it.issue("alice");
    await it.close();
    const right = it.sealKey;
    const before = structuredClone(it.disk.records);
    it.sealKey = OTHER_KEY;
    for (const suppliedSecret of [TEAM_SECRET, "another secret"]) {
      await assert.rejects(it.open({ suppliedSecret }), (error: unknown) => {
        const both = new RegExp(`${OTHER_KEY.fingerprint}.*${right.fingerprint}`);
        return refused("config_invalid", both)(error) && /seal\.key/.test(String((error as { hint?: string }).hint));
      });
    }
    assert.deepEqual(it.disk.records, before);
    it.sealKey = right;
    await it.open({});
    assert.ok(it.vault.tokens.show("alice"));
  });
});

Deno.test("a store in use whose check value is missing or damaged stops the start: no new one is made", async () => {
  await withVault({}, async (it) => {
    await it.issue("alice");
    await it.close();
    const meta = it.disk.table("meta");
    const check = meta.get("seal_check")!;
    meta.set("seal_check", JSON.stringify({ value: JSON.parse(check).value.replace(/^..../, "AAAA") }));
    await assert.rejects(it.open(), refused("config_invalid", /seal key/));
    meta.set("seal_check", JSON.stringify({ value: 7 }));
    await assert.rejects(it.open(), refused("config_invalid", /seal key/));
    meta.delete("seal_check");
    await assert.rejects(it.open(), refused("config_invalid", /no check value/));
    assert.equal(meta.has("seal_check"), false);
    meta.set("seal_check", check);
    await it.open();
  });
});

Deno.test("another team secret than version 1 stops the start, showing both keyed fingerprints and neither secret", async () => {
  await withVault({ suppliedSecret: TEAM_SECRET }, async (it) => {
    await it.vault.secrets.rotate();
    await it.close();
    const before = it.disk.sequence;
    const fingerprint = (secret: string) => it.sealKey.fingerprintOf(new TextEncoder().encode(secret));
    for (const suppliedSecret of ["wrong horse battery staple", `${TEAM_SECRET} `, ""]) {
      await assert.rejects(it.open({ suppliedSecret }), (error: unknown) => {
        const both = new RegExp(`${fingerprint(suppliedSecret)}.*version 1.*${fingerprint(TEAM_SECRET)}`);
        return refused("config_invalid", both)(error) && !/horse/.test((error as Error).message);
      });
    }
    assert.equal(it.disk.sequence, before);
    await it.open({ suppliedSecret: TEAM_SECRET });
  });
});

Deno.test("a team secret that is short is reported at every start until its version is retired", async () => {
  await withVault({ suppliedSecret: "hunter2" }, async (it) => {
    assert.deepEqual(
      it.logger.events.filter(({ event }) => event === "team_secret_is_short").map(({ fields }) => fields["bytes"]),
      [7],
    );
    assert.doesNotMatch(it.logger.text(), /hunter2/);
    await it.kill();
    it.logger.events.length = 0;
    await it.open({});
    assert.deepEqual(warnings(it), ["team_secret_is_short"], "also where the operator no longer supplies it");
    await it.vault.secrets.rotate();
    await it.vault.secrets.retire(1);
    it.logger.events.length = 0;
    await it.restart();
    assert.deepEqual(warnings(it), []);
    assert.doesNotMatch(it.logger.text(), /hunter2/);
  });
});

Deno.test("a team secret of sixteen bytes is not called short, one of fifteen is", async () => {
  await withVault({ suppliedSecret: "x".repeat(16) }, (it) => Promise.resolve(assert.deepEqual(warnings(it), [])));
  await withVault(
    { suppliedSecret: "x".repeat(15) },
    (it) => Promise.resolve(assert.deepEqual(warnings(it), ["team_secret_is_short"])),
  );
});

Deno.test("a team secret that is also a token is reported: of an old file at its first start, of the environment, and a dead one", async () => {
  const secret = "evt_00112233445566778899aabbccddeeff";
  const about = (it: TestVault) =>
    it.logger.events.filter(({ event }) => event === "team_secret_is_a_token").map(({ fields }) => fields["user"]);
  const tokens = `tokens:\n- {user: alice, token: ${secret}, role: member}\n`;
  await withVault({ suppliedSecret: secret, tokens }, async (it) => {
    assert.deepEqual(about(it), ["alice"]);
    await it.vault.tokens.revoke("alice");
    it.logger.events.length = 0;
    await it.restart();
    assert.deepEqual(about(it), ["alice"], "whoever held it knows it still");
    assert.doesNotMatch(it.logger.text(), /00112233/);
  });
  await withVault({ suppliedSecret: secret, legacyTokens: ["other", secret] }, (it) => {
    assert.deepEqual(about(it), ["legacy_1"]);
    return Promise.resolve();
  });
});

Deno.test("shared tokens of an old environment become admins legacy_0 and so on, once, in a vault without users", async () => {
  await withVault({ legacyTokens: ["evt_a", "evt_b", "evt_a"] }, async (it) => {
    assert.deepEqual(["evt_a", "evt_b"].map((token) => it.identify(token).user.record.name), ["legacy_0", "legacy_1"]);
    assert.ok(
      [...it.vault.tokens.list()].every(({ role, expiresAt, issuedAt }) =>
        role === "admin" && expiresAt === null && issuedAt === null
      ),
    );
    assert.deepEqual([it.vault.tokens.count(), it.vault.state.userList.length], [2, 2]);
    assert.ok(warnings(it).includes("legacy_tokens_taken"));
    assert.doesNotMatch(it.logger.text(), /evt_a/);
    await it.vault.tokens.revoke("legacy_0");
    it.logger.events.length = 0;
    await it.restart();
    assert.equal(it.works("evt_a"), false, "the environment brings no revoked token back");
    assert.ok(it.works("evt_b"));
    assert.ok(warnings(it).includes("legacy_tokens_passed_over"));
  });
});

Deno.test("shared tokens of an old environment are passed over by a vault that ever held a user", async () => {
  await withVault({}, async (it) => {
    await it.issue("alice");
    await it.vault.tokens.revoke("alice");
    await it.restart({ legacyTokens: ["evt_a"] });
    assert.equal(it.works("evt_a"), false);
    assert.equal(it.vault.tokens.count(), 0);
  });
});

Deno.test("shared tokens seal and open under version 1, as they did", async () => {
  await withVault({ suppliedSecret: TEAM_SECRET }, async (it) => {
    await it.vault.secrets.rotate();
    await it.restart({ legacyTokens: ["evt_a"] });
    assert.equal(it.vault.tokens.show("legacy_0").secretVersion, 1);
    assert.equal(it.vault.tokens.show("legacy_0").issuedAt, null);
    assert.equal(it.vault.users.show("legacy_0").createdAt, NOW);
  });
});
