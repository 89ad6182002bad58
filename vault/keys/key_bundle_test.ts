import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createCipheriv } from "node:crypto";
import { NOW, refused, TEAM_SECRET, type TestVault, withVault } from "../_test_support.ts";
import type { Caller } from "../tokens/authenticator.ts";
import { AgentKeys } from "./agent_keys.ts";
import { KeyBundles, type PublicKeyFiles } from "./key_bundle.ts";
import { TeamSecrets } from "./team_secrets.ts";

const SETTINGS = { indexName: "notes", envectorEndpoint: "index.example:443", envectorApiKey: "the shared index key" };
const OPTIONS = { suppliedSecret: TEAM_SECRET, clientSettings: SETTINGS };

interface Bundle {
  readonly [field: string]: unknown;
  readonly agent_id: string;
  readonly agent_dek?: string;
  readonly deks?: Record<string, string>;
}

async function manifest(it: TestVault, caller: Caller): Promise<Bundle> {
  return JSON.parse(Buffer.concat(await it.vault.bundles.manifest(caller)).toString("utf8"));
}

async function callerWith(it: TestVault, ...scope: string[]): Promise<Caller> {
  const name = `role${it.vault.roles.list().length}`;
  await it.vault.roles.create({ name, scope, topK: 1, rateLimit: "9/1s" });
  return it.identify(await it.issue(`user-${name}`, name));
}

/** The bundle service over FHE key files of a test's choice, which no key ring has to make. */
function bundlesWith(it: TestVault, fheKeys: () => PublicKeyFiles | null): KeyBundles {
  const { state, users } = it.vault;
  const secrets = new TeamSecrets(state, it.sealKey);
  const keys = new AgentKeys(secrets);
  return new KeyBundles({
    state,
    secrets,
    keys,
    users,
    clock: it.clock,
    settings: SETTINGS,
    v1Policy: "accept",
    fheKeys,
  });
}

Deno.test("a member's bundle holds everything that Rune-Vault's did, and the keys of version 2 beside it", async () => {
  await withVault(OPTIONS, async (it) => {
    const caller = it.identify(await it.issue("alice"));
    const bundle = await manifest(it, caller);
    assert.deepEqual(Object.keys(bundle).sort(), [
      "agent_dek",
      "agent_id",
      "deks",
      "envector_api_key",
      "envector_endpoint",
      "envelope",
      "index_name",
      "key_id",
      "key_version",
    ]);
    assert.deepEqual({ ...bundle, agent_dek: "", deks: "" }, {
      key_id: "vault-key",
      index_name: "notes",
      envector_endpoint: "index.example:443",
      envector_api_key: "the shared index key",
      agent_id: caller.agentId,
      envelope: 2,
      key_version: 1,
      agent_dek: "",
      deks: "",
    });
    assert.equal(Buffer.from(bundle.agent_dek!, "base64").length, 32);
    assert.deepEqual(Object.keys(bundle.deks!), ["1"]);
    assert.notEqual(bundle.deks!["1"], bundle.agent_dek);
  });
});

Deno.test("what a client seals with its bundle's keys, this vault opens: version 1, and each version of the secret", async () => {
  await withVault(OPTIONS, async (it) => {
    const caller = it.identify(await it.issue("alice"));
    await it.vault.secrets.rotate();
    await it.vault.secrets.rotate();
    const bundle = await manifest(it, caller);
    assert.deepEqual([bundle["key_version"], Object.keys(bundle.deks!)], [3, ["1", "2", "3"]]);
    const iv = Buffer.alloc(16, 3);
    const ctr = createCipheriv("aes-256-ctr", Buffer.from(bundle.agent_dek!, "base64"), iv);
    const envelopes = [
      JSON.stringify({ a: caller.agentId, c: Buffer.concat([iv, ctr.update("one")]).toString("base64") }),
    ];
    for (const [k, key] of Object.entries(bundle.deks!)) {
      const nonce = Buffer.alloc(12, 4);
      const gcm = createCipheriv("aes-256-gcm", Buffer.from(key, "base64"), nonce);
      gcm.setAAD(Buffer.from(`runevault/v2\n${caller.agentId}\n${k}`));
      const c = Buffer.concat([nonce, gcm.update(`two, ${k}`), gcm.final(), gcm.getAuthTag()]).toString("base64");
      envelopes.push(JSON.stringify({ v: 2, a: caller.agentId, k: Number(k), c }));
    }
    const opened = await it.vault.envelopes.open(envelopes, { user: caller.user, ownOnly: true });
    assert.deepEqual(opened.map(String), ["one", "two, 1", "two, 2", "two, 3"]);
  });
});

Deno.test("each key is in the bundle of those roles only that may have it, and its leaving is recorded for them only", async () => {
  await withVault(OPTIONS, async (it) => {
    const cases: [scope: string[], dek: boolean, indexKey: boolean][] = [
      [["get_bundle"], false, false],
      [["get_bundle", "get_dek"], true, false],
      [["get_bundle", "get_index_key"], false, true],
      [["get_bundle", "get_dek", "get_index_key"], true, true],
      [["get_public_key"], true, true],
      [["get_bundle", "decrypt_metadata", "decrypt_own_metadata", "decrypt_scores", "manage_tokens"], false, false],
      [[], false, false],
    ];
    for (const [scope, dek, indexKey] of cases) {
      const caller = await callerWith(it, ...scope);
      const bundle = await manifest(it, caller);
      assert.deepEqual(
        ["agent_dek" in bundle, "deks" in bundle, "envector_api_key" in bundle],
        [dek, dek, indexKey],
        scope.join(),
      );
      assert.deepEqual([bundle.agent_id, bundle["envelope"], bundle["key_version"]], [caller.agentId, 2, 1]);
      const { agentKeyLeftAt, indexKeyLeftAt } = it.vault.users.show(caller.user.record.name);
      assert.deepEqual([agentKeyLeftAt, indexKeyLeftAt], [dek ? NOW : null, indexKey ? NOW : null], scope.join());
    }
  });
});

Deno.test("where no index key is configured none leaves, and none is recorded as having left", async () => {
  await withVault({}, async (it) => {
    const caller = it.identify(await it.issue("alice"));
    const bundle = await manifest(it, caller);
    assert.ok(!("envector_api_key" in bundle) && !("index_name" in bundle) && !("envector_endpoint" in bundle));
    assert.equal(it.vault.users.show("alice").indexKeyLeftAt, null);
  });
});

Deno.test("a key leaves only after that was written down: no record, no bundle", async () => {
  await withVault(OPTIONS, async (it) => {
    const caller = it.identify(await it.issue("alice"));
    it.store.failNext();
    await assert.rejects(Promise.resolve(it.vault.bundles.manifest(caller)), refused("storage_failed"));
    const release = it.store.hold();
    let given = false;
    const asked = Promise.resolve(it.vault.bundles.manifest(caller)).then(() => given = true);
    await new Promise((resolve) => setTimeout(resolve, 20));
    assert.equal(given, false, "the commit is still under way");
    release();
    await asked;
    assert.equal(JSON.parse(it.disk.table("user").values().next().value!).agentKeyLeftAt, NOW);
  });
});

Deno.test("the first leaving alone is recorded: later bundles commit nothing", async () => {
  await withVault(OPTIONS, async (it) => {
    const caller = it.identify(await it.issue("alice"));
    await manifest(it, caller);
    const before = it.disk.sequence;
    it.clock.advance(1000);
    await manifest(it, caller);
    await it.vault.secrets.rotate();
    await manifest(it, caller);
    assert.equal(it.disk.sequence, before + 1, "the rotation, and nothing else");
    assert.equal(it.vault.users.show("alice").agentKeyLeftAt, NOW);
  });
});

Deno.test("a bundle changes with the role, with a rotation and with a retirement, at the next call", async () => {
  await withVault(OPTIONS, async (it) => {
    const { roles, secrets } = it.vault;
    const token = await it.issue("alice");
    const keysNow = async () => {
      const bundle = await manifest(it, it.identify(token));
      return [Object.keys(bundle.deks ?? {}), "agent_dek" in bundle, bundle["key_version"]];
    };
    assert.deepEqual(await keysNow(), [["1"], true, 1]);
    await roles.update("member", { scope: ["get_bundle"] });
    assert.deepEqual(await keysNow(), [[], false, 1]);
    await roles.update("member", { scope: ["get_public_key"] });
    await secrets.rotate();
    assert.deepEqual(await keysNow(), [["1", "2"], true, 2]);
    await secrets.retire(1);
    assert.deepEqual(await keysNow(), [["2"], false, 2], "a client that went on writing version 1 would lose its data");
  });
});

Deno.test("agent_dek is left out where version-1 envelopes are refused", async () => {
  await withVault({ ...OPTIONS, envelopeV1: "refuse" }, async (it) => {
    const bundle = await manifest(it, it.identify(await it.issue("alice")));
    assert.deepEqual(["agent_dek" in bundle, Object.keys(bundle.deks!)], [false, ["1"]]);
  });
});

Deno.test("a bundle asked for twice is the same text, answered at once the second time", async () => {
  await withVault(OPTIONS, async (it) => {
    const caller = it.identify(await it.issue("alice"));
    const first = await it.vault.bundles.manifest(caller);
    const second = it.vault.bundles.manifest(caller);
    assert.ok(!(second instanceof Promise));
    assert.deepEqual(Buffer.concat(second), Buffer.concat(first));
  });
});

Deno.test("FHE key files are in the bundle, EvalKey.json in the large one only, and follow a change of the key at once", async () => {
  await withVault(OPTIONS, async (it) => {
    const caller = it.identify(await it.issue("alice"));
    let files: PublicKeyFiles | null = { keyId: "vault-key", encKeyJson: '{"e":"é"}', evalKeyJson: '{"big":"\\n"}' };
    const bundles = bundlesWith(it, () => files);
    const large = async () => JSON.parse(Buffer.concat(await bundles.bundle(caller)).toString("utf8"));
    const small = async () => JSON.parse(Buffer.concat(await bundles.manifest(caller)).toString("utf8"));
    assert.deepEqual(await large(), { "EvalKey.json": '{"big":"\\n"}', ...await small() });
    assert.equal((await small())["EncKey.json"], '{"e":"é"}');
    files = { keyId: "vault-key-2", encKeyJson: "{}" };
    assert.deepEqual([(await small())["key_id"], (await small())["EncKey.json"]], ["vault-key-2", "{}"]);
    assert.deepEqual(await large(), await small());
    files = null;
    assert.deepEqual([(await small())["key_id"], "EncKey.json" in await small()], ["vault-key", false]);
  });
});

Deno.test("a bundle never mixes two FHE keys, though the key changes while it is being made", async () => {
  await withVault(OPTIONS, async (it) => {
    const caller = it.identify(await it.issue("alice"));
    const old = { keyId: "old", encKeyJson: "old", evalKeyJson: "old" };
    let files = old;
    const bundles = bundlesWith(it, () => files);
    const release = it.store.hold();
    const made = bundles.bundle(caller);
    files = { keyId: "new", encKeyJson: "new", evalKeyJson: "new" };
    release();
    const bundle = JSON.parse(Buffer.concat(await made).toString("utf8"));
    const { key_id, "EncKey.json": encKey, "EvalKey.json": evalKey } = bundle;
    assert.deepEqual([key_id, encKey, evalKey], ["old", "old", "old"]);
  });
});

Deno.test("bundles of two thousand users hold a large FHE key in memory once", async () => {
  await withVault({}, async (it) => {
    const files = { keyId: "vault-key", encKeyJson: "k".repeat(175_000), evalKeyJson: "e".repeat(1_000_000) };
    const bundles = bundlesWith(it, () => files);
    const large = new Set<ArrayBufferLike>();
    let ownBytes = 0;
    for (let i = 0; i < 2000; i++) {
      const caller = it.identify(await it.issue(`user${i}`));
      for (const part of [...await bundles.manifest(caller), ...await bundles.bundle(caller)]) {
        if (part.length > 100_000) large.add(part.buffer);
        else ownBytes += part.length;
      }
    }
    assert.equal(large.size, 2, "EncKey.json and EvalKey.json, each once");
    assert.ok(ownBytes / 4000 < 2000, "what is kept for each user is small");
  });
});
