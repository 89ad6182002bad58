import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { scoreBlob, ScoreEncryptor } from "../../tests/fakes/score_ciphertexts.ts";
import { seededRandom } from "../../tests/fakes/seeded_random.ts";
import { refused, type TestVault, withVault } from "../_test_support.ts";
import { type KeySetFiles, readSecretKeyFile } from "../scores/mod.ts";

const DIMENSION = 384;
const SCORES = [0.25, -0.5, 0.75, 0.125];
const BEST_FIRST = [2, 0, 3, 1];

/** A ciphertext of {@link SCORES} under a key set. */
function sealedScores({ secKeyJson }: KeySetFiles, dimension: number): string {
  const { secretKey } = readSecretKeyFile(secKeyJson);
  const encryptor = new ScoreEncryptor(secretKey.coefficients(), dimension, seededRandom("ring"));
  return scoreBlob([encryptor.encryptScores(SCORES)]);
}

async function bestRows(it: TestVault, blob: string): Promise<number[]> {
  return (await it.vault.keyRing.decryptScores(blob, SCORES.length)).map((row) => row.rowIndex);
}

/** The names and modes below a folder, and all bytes of its files. */
async function contentOf(folder: string): Promise<{ modes: Record<string, number>; bytes: Buffer }> {
  const modes: Record<string, number> = {};
  const parts: Uint8Array[] = [];
  for await (const { name } of Deno.readDir(folder)) {
    modes[name] = (await Deno.stat(`${folder}/${name}`)).mode! & 0o777;
    parts.push(await Deno.readFile(`${folder}/${name}`));
  }
  return { modes, bytes: Buffer.concat(parts) };
}

Deno.test("a vault without a key set decrypts nothing and says so", async () => {
  await withVault({}, async (it) => {
    assert.equal(it.vault.keyRing.active, null);
    await assert.rejects(it.vault.keyRing.decryptScores("AAAA", 1), refused("precondition_failed"));
    await assert.rejects(it.vault.keyRing.rotate(), refused("precondition_failed"));
    await assert.rejects(it.vault.keyRing.export("vault-key"), refused("not_found"));
  });
});

Deno.test("a key set made here decrypts at once, and after a restart, and its secret key lies sealed", async () => {
  await withVault({}, async (it) => {
    const record = await it.vault.keyRing.generate({ dimension: DIMENSION });
    assert.deepEqual([record.keyId, record.dimension, record.active], ["vault-key", 512, true]);
    const files = await it.vault.keyRing.export("vault-key");
    const blob = sealedScores(files, record.dimension);
    assert.deepEqual(await bestRows(it, blob), BEST_FIRST);
    const { modes, bytes } = await contentOf(`${it.folder}/keys/vault-key`);
    assert.deepEqual(modes, { "EncKey.json": 0o600, "EvalKey.json": 0o600, "SecKey.json": 0o600 });
    const { key_data } = JSON.parse(files.secKeyJson).entries[0] as { key_data: string };
    for (const form of ["base64", "hex", "latin1"] as const) {
      assert.ok(!bytes.includes(Buffer.from(key_data, "base64").subarray(5).toString(form)), form);
    }
    await it.restart();
    assert.deepEqual(await bestRows(it, blob), BEST_FIRST);
    assert.equal(it.vault.keyRing.publicFiles?.encKeyJson, files.encKeyJson);
  });
});

Deno.test("after a rotation bundles hand out the new key, and ciphertexts under the old one still open", async () => {
  await withVault({}, async (it) => {
    await it.vault.keyRing.generate({ dimension: DIMENSION });
    const old = await it.vault.keyRing.export("vault-key");
    const rotated = await it.vault.keyRing.rotate();
    assert.deepEqual([rotated.keyId, rotated.dimension], ["vault-key-2", 512]);
    const fresh = await it.vault.keyRing.export("vault-key-2");
    assert.notEqual(fresh.encKeyJson, old.encKeyJson);
    assert.equal(it.vault.keyRing.publicFiles?.encKeyJson, fresh.encKeyJson);
    for (const files of [old, fresh]) assert.deepEqual(await bestRows(it, sealedScores(files, 512)), BEST_FIRST);
    await it.restart();
    assert.deepEqual(it.vault.keyRing.list().map((one) => [one.keyId, one.active]).sort(), [
      ["vault-key", false],
      ["vault-key-2", true],
    ]);
    assert.deepEqual(await bestRows(it, sealedScores(old, 512)), BEST_FIRST);
  });
});

Deno.test("a key set of another vault is taken over as it is, without its evaluation key too, and in force at once", async () => {
  await withVault({}, async (theirs) => {
    await theirs.vault.keyRing.generate({ dimension: DIMENSION, keyId: "team" });
    const { secKeyJson, encKeyJson } = await theirs.vault.keyRing.export("team");
    await withVault({ fallbackDimension: 512 }, async (it) => {
      const record = await it.vault.keyRing.import({ secKeyJson, encKeyJson });
      assert.deepEqual([record.keyId, record.dimension, record.evaluationKeySha256], ["team", 512, null]);
      assert.deepEqual(await it.vault.keyRing.export("team"), { secKeyJson, encKeyJson });
      assert.equal(it.vault.keyRing.publicFiles?.evalKeyJson, undefined);
      assert.deepEqual(await bestRows(it, sealedScores({ secKeyJson, encKeyJson }, 512)), BEST_FIRST);
    });
  });
});

Deno.test("no key file is ever overwritten: not by the same id, not where a folder is in the way", async () => {
  await withVault({}, async (it) => {
    await it.vault.keyRing.generate({ dimension: DIMENSION });
    const files = await it.vault.keyRing.export("vault-key");
    await assert.rejects(it.vault.keyRing.import(files), refused("already_exists"));
    await assert.rejects(
      it.vault.keyRing.generate({ dimension: DIMENSION, keyId: "vault-key" }),
      refused("already_exists"),
    );
    await Deno.mkdir(`${it.folder}/keys/vault-key-2`);
    await Deno.writeTextFile(`${it.folder}/keys/vault-key-2/SecKey.json`, "somebody's");
    await assert.rejects(it.vault.keyRing.rotate(), refused("already_exists"));
    assert.equal(await Deno.readTextFile(`${it.folder}/keys/vault-key-2/SecKey.json`), "somebody's");
    assert.deepEqual(await it.vault.keyRing.export("vault-key"), files);
  });
});

Deno.test("files that don't belong together are refused, and nothing is left of them", async () => {
  await withVault({}, async (it) => {
    await it.vault.keyRing.generate({ dimension: DIMENSION, keyId: "one" });
    await it.vault.keyRing.generate({ dimension: DIMENSION, keyId: "two" });
    const one = await it.vault.keyRing.export("one");
    const two = await it.vault.keyRing.export("two");
    const mixed = { secKeyJson: one.secKeyJson, encKeyJson: two.encKeyJson.replaceAll('"two"', '"one"') };
    await assert.rejects(it.vault.keyRing.import(mixed), refused("invalid_argument"));
    for (const keyId of ["../up", "", "a/b", ".", ".."]) {
      await assert.rejects(it.vault.keyRing.generate({ dimension: DIMENSION, keyId }), refused("invalid_argument"));
    }
    const names = (await Array.fromAsync(Deno.readDir(`${it.folder}/keys`))).map((entry) => entry.name).sort();
    assert.deepEqual(names, ["one", "two"]);
  });
});

Deno.test("a commit that fails leaves no key in force and nothing in the way of the next try", async () => {
  await withVault({}, async (it) => {
    await it.vault.files.flush();
    it.store.failNext();
    await assert.rejects(it.vault.keyRing.generate({ dimension: DIMENSION }), refused("storage_failed"));
    assert.equal(it.vault.keyRing.active, null);
    assert.equal(it.vault.keyRing.publicFiles, null);
    assert.equal((await it.vault.keyRing.generate({ dimension: DIMENSION })).keyId, "vault-key");
  });
});

Deno.test("an attacker who swaps EncKey.json on disk stops the next start instead of reading what clients encrypt", async () => {
  await withVault({}, async (it) => {
    await it.vault.keyRing.generate({ dimension: DIMENSION, keyId: "ours" });
    await it.vault.keyRing.generate({ dimension: DIMENSION, keyId: "theirs" });
    const ours = `${it.folder}/keys/ours/EncKey.json`;
    const text = await Deno.readTextFile(`${it.folder}/keys/theirs/EncKey.json`);
    await Deno.writeTextFile(ours, text.replaceAll('"theirs"', '"ours"'));
    await assert.rejects(
      it.restart(),
      (error: Error) => /invalid_argument|config_invalid/.test((error as never)["kind"]),
    );
  });
});

Deno.test("a sealed secret key moved to another key set's folder does not open there", async () => {
  await withVault({}, async (it) => {
    await it.vault.keyRing.generate({ dimension: DIMENSION, keyId: "one" });
    await it.vault.keyRing.generate({ dimension: DIMENSION, keyId: "two" });
    await Deno.copyFile(`${it.folder}/keys/one/SecKey.json`, `${it.folder}/keys/two/SecKey.json`);
    await assert.rejects(it.restart(), refused("config_invalid"));
  });
});

Deno.test("score rows that leave are counted for their user, also when many answers wait at once", async () => {
  await withVault({}, async (it) => {
    const { user } = it.identify(await it.issue("alice"));
    const commits = it.vault.state.sequence;
    await Promise.all(Array.from({ length: 50 }, () => it.vault.users.addScoreRows(user, 10)));
    assert.equal(it.vault.users.show("alice").scoreRows, 500);
    assert.ok(it.vault.state.sequence - commits < 5, "answers that wait together share a commit");
    await it.restart();
    assert.equal(it.vault.users.show("alice").scoreRows, 500);
  });
});
