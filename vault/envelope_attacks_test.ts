/**
 * Attacks on envelopes and their keys, each tried as an attacker would.
 *
 * @module
 */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createCipheriv } from "node:crypto";
import { openedTexts, refused, TEAM_SECRET, type TestVault, withVault } from "./_test_support.ts";

/** A member's bundle, which is all that an attacker with a member's token has of keys. */
async function bundleOf(
  it: TestVault,
  token: string,
): Promise<{ agent_id: string; agent_dek: string; deks: Record<string, string> }> {
  return JSON.parse(Buffer.concat(await it.vault.bundles.manifest(it.identify(token))).toString("utf8"));
}

const everyEnvelopeOf = (it: TestVault, token: string) => ({ user: it.identify(token).user, ownOnly: false });

Deno.test("attack: have a version-2 envelope opened as version 1, and altered bit by bit, through the unauthenticated door", async () => {
  await withVault({ suppliedSecret: TEAM_SECRET }, async (it) => {
    const token = await it.issue("mallory");
    const { agentId } = it.identify(token);
    const plaintext = "pay 100 to alice, as agreed";
    const [sealed] = await it.vault.envelopes.seal([plaintext], agentId);
    const payload = Buffer.from(JSON.parse(sealed!).c, "base64");
    // GCM's first block counter is nonce ‖ 00000002 (NIST SP 800-38D §7.1): as an IV it would continue the key stream.
    const iv = Buffer.concat([payload.subarray(0, 12), Buffer.of(0, 0, 0, 2)]);
    const recast = Buffer.concat([iv, payload.subarray(12, -16)]).toString("base64");
    const opened = await it.vault.envelopes.open(
      [JSON.stringify({ a: agentId, c: recast })],
      everyEnvelopeOf(it, token),
    )
      .then(([bytes]) => bytes!, (error) => (assert.ok(refused("ciphertext_invalid")(error)), Buffer.alloc(0)));
    let equalBytes = 0;
    for (const [i, byte] of opened.entries()) if (byte === plaintext.charCodeAt(i)) equalBytes++;
    assert.ok(equalBytes < 5, `${equalBytes} bytes of the plaintext came out`);
  });
});

Deno.test("attack: ask version 1 for the key stream and the hash key of version 2, and forge with them", async () => {
  await withVault({ suppliedSecret: TEAM_SECRET }, async (it) => {
    const token = await it.issue("mallory");
    const { agent_id, agent_dek, deks } = await bundleOf(it, token);
    assert.notEqual(agent_dek, deks["1"]);
    // What 26 chosen openings would yield under one shared key is what encrypting under agent_dek yields here.
    const nonce = Buffer.alloc(12, 1);
    const stolen = createCipheriv("aes-256-gcm", Buffer.from(agent_dek, "base64"), nonce);
    stolen.setAAD(Buffer.from(`runevault/v2\n${agent_id}\n1`));
    const c = Buffer.concat([nonce, stolen.update("forged"), stolen.final(), stolen.getAuthTag()]).toString("base64");
    const forged = JSON.stringify({ v: 2, a: agent_id, k: 1, c });
    await assert.rejects(it.vault.envelopes.open([forged], everyEnvelopeOf(it, token)), refused("ciphertext_invalid"));
  });
});

Deno.test("attack: name a sealing label as the author, so that rows copied from the database open", async () => {
  await withVault({ suppliedSecret: TEAM_SECRET }, async (it) => {
    const token = await it.issue("mallory");
    const { sealed } = it.vault.state.secrets.get(1)!;
    const labels = [
      "secret/1",
      "meta/seal_check",
      "runevault/sealed\nsecret/1",
      "dek\nsecret/1",
      "oidc-signing-keys",
      "",
      "/",
      "0".repeat(31),
      "G".repeat(32),
    ];
    for (const a of labels) {
      for (const envelope of [{ a, c: sealed }, { v: 2, a, k: 1, c: sealed }]) {
        const opened = it.vault.envelopes.open([JSON.stringify(envelope)], everyEnvelopeOf(it, token));
        await assert.rejects(opened, refused("ciphertext_invalid", /"a" is not 32/), a);
      }
    }
    // Neither does a row open under a name that is allowed.
    const asV2 = JSON.stringify({ v: 2, a: it.identify(token).agentId, k: 1, c: sealed });
    await assert.rejects(it.vault.envelopes.open([asV2], everyEnvelopeOf(it, token)), refused("ciphertext_invalid"));
  });
});

Deno.test("attack: seal in another agent's name through rewrap of an envelope that was never theirs", async () => {
  await withVault({ suppliedSecret: TEAM_SECRET }, async (it) => {
    const [alice, mallory] = [await it.issue("alice"), await it.issue("mallory")];
    const victim = it.identify(alice).agentId;
    // Version 1 proves no author: this is noise under alice's key that happens to be text, or refused.
    const iv = Buffer.alloc(16);
    const fake = JSON.stringify({ a: victim, c: Buffer.concat([iv, Buffer.from("x")]).toString("base64") });
    const made = await it.vault.envelopes.rewrap([fake]).catch(() => []);
    for (const envelope of made) {
      assert.equal(JSON.parse(envelope).o, 1, "what came of version 1 says for ever that nobody proved its author");
      const laundered = JSON.stringify({ ...JSON.parse(envelope), o: undefined });
      await assert.rejects(
        it.vault.envelopes.open([laundered], everyEnvelopeOf(it, mallory)),
        refused("ciphertext_invalid"),
      );
    }
    const own = await it.vault.envelopes.seal(["hello"], it.identify(mallory).agentId);
    const renamed = JSON.stringify({ ...JSON.parse(own[0]!), a: victim });
    await assert.rejects(it.vault.envelopes.rewrap([renamed]), refused("ciphertext_invalid"));
  });
});

Deno.test("attack: read others' envelopes with a role that may read its own alone", async () => {
  await withVault({ suppliedSecret: TEAM_SECRET }, async (it) => {
    await it.vault.roles.create({
      name: "own",
      scope: ["get_bundle", "decrypt_own_metadata"],
      topK: 1,
      rateLimit: "9/1s",
    });
    const [alice, mallory] = [await it.issue("alice"), await it.issue("mallory", "own")];
    const right = { user: it.identify(mallory).user, ownOnly: true };
    const sealed = await it.vault.envelopes.seal(["for alice"], it.identify(alice).agentId);
    const own = await it.vault.envelopes.seal(["mine"], it.identify(mallory).agentId);
    for (
      const batch of [sealed, [...own, ...sealed], [
        JSON.stringify({ ...JSON.parse(own[0]!), a: it.identify(alice).agentId }),
      ]]
    ) {
      await assert.rejects(it.vault.envelopes.open(batch, right), refused("scope_denied"));
    }
    assert.deepEqual(await openedTexts(it.vault.envelopes, own, right), ["mine"]);
  });
});

Deno.test("attack: get a key out of the vault with a role that was given none", async () => {
  await withVault(
    { suppliedSecret: TEAM_SECRET, clientSettings: { envectorApiKey: "the shared index key" } },
    async (it) => {
      await it.vault.roles.create({
        name: "keyless",
        scope: ["get_bundle", "decrypt_own_metadata"],
        topK: 1,
        rateLimit: "9/1s",
      });
      const token = await it.issue("agent", "keyless");
      const caller = it.identify(token);
      const texts = [
        Buffer.concat(await it.vault.bundles.manifest(caller)).toString("utf8"),
        Buffer.concat(await it.vault.bundles.bundle(caller)).toString("utf8"),
      ];
      const keys = await Promise.all(
        ([1, 2] as const).map(async (version) => {
          await it.vault.roles.update("keyless", { scope: ["get_public_key"] });
          const bundle = await bundleOf(it, token);
          return version === 1 ? bundle.agent_dek : bundle.deks["1"]!;
        }),
      );
      for (const text of texts) {
        for (const secret of [...keys, "the shared index key", "agent_dek", "deks", "envector_api_key"]) {
          assert.ok(
            !text.includes(secret),
          );
        }
      }
      // It reads and writes all the same.
      const [sealed] = await it.vault.envelopes.seal(["sealed here"], caller.agentId);
      assert.deepEqual(await openedTexts(it.vault.envelopes, [sealed!], { user: caller.user, ownOnly: true }), [
        "sealed here",
      ]);
    },
  );
});

Deno.test("attack: keep a bundle with keys after the role lost them", async () => {
  await withVault({ suppliedSecret: TEAM_SECRET }, async (it) => {
    const token = await it.issue("mallory");
    assert.ok((await bundleOf(it, token)).agent_dek);
    await it.vault.roles.update("member", { scope: ["get_bundle"] });
    const after = await bundleOf(it, token);
    assert.ok(!("agent_dek" in after) && !("deks" in after));
  });
});
