import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createHmac } from "node:crypto";
import fc from "fast-check";
import { KeyRoom, vectors } from "./_test_support.ts";

/** RFC 5869 §2.2 and §2.3, written out once more and on another API than the vault's. */
function hkdf(ikm: Uint8Array, salt: Uint8Array, info: Uint8Array, length: number): Buffer {
  const prk = createHmac("sha256", salt.length === 0 ? Buffer.alloc(32) : salt).update(ikm).digest();
  let block: Uint8Array = Buffer.alloc(0);
  let okm: Buffer = Buffer.alloc(0);
  for (let i = 1; okm.length < length; i++) {
    block = createHmac("sha256", prk).update(block).update(info).update(Buffer.of(i)).digest();
    okm = Buffer.concat([okm, block]);
  }
  return okm.subarray(0, length);
}

const ALICE = "baf56f527f1d318cf8430edfe9f4aa1a";
const text = (value: string) => Buffer.from(value, "utf8");

for (const { title, ikm, salt, info, okm } of vectors<{ cases: Record<string, string>[] }>("hkdf-rfc5869.json").cases) {
  Deno.test(`HKDF-SHA256: ${title}, in this runtime and in the derivation that the keys are compared with`, async () => {
    const [secret, saltBytes, infoBytes] = [ikm!, salt!, info!].map((hex) => Buffer.from(hex, "hex"));
    assert.equal(hkdf(secret!, saltBytes!, infoBytes!, okm!.length / 2).toString("hex"), okm);
    const key = await crypto.subtle.importKey("raw", secret!, "HKDF", false, ["deriveBits"]);
    const params = { name: "HKDF", hash: "SHA-256", salt: saltBytes!, info: infoBytes! };
    assert.equal(Buffer.from(await crypto.subtle.deriveBits(params, key, okm!.length * 4)).toString("hex"), okm);
  });
}

Deno.test("AgentKeys.derive() is HKDF without salt for version 1, and with salt and label of its own for version 2", async () => {
  const secrets = fc.uint8Array({ minLength: 1, maxLength: 200, size: "max" });
  const agentIds = fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => bytes.toHex());
  await fc.assert(
    fc.asyncProperty(secrets, agentIds, async (bytes, agentId) => {
      const { keys } = new KeyRoom({ version: 1, bytes });
      const none = new Uint8Array(0);
      assert.deepEqual(await keys.derive(agentId, 1, 1, false), hkdf(bytes, none, text(agentId), 32));
      const version2 = hkdf(bytes, text("runevault/v2"), text(`dek\n${agentId}`), 32);
      assert.deepEqual(await keys.derive(agentId, 1, 2, false), version2);
    }),
    { numRuns: 50 },
  );
});

Deno.test("AgentKeys.derive() gives a key of its own to each agent, secret version and envelope version", async () => {
  const { keys } = new KeyRoom({ version: 1, bytes: text("first") }, { version: 2, bytes: text("second") });
  const made = new Set<string>();
  for (const agentId of [ALICE, "0".repeat(32), "f".repeat(32)]) {
    for (const version of [1, 2]) {
      for (const envelope of [1, 2] as const) {
        const key = await keys.derive(agentId, version, envelope, true);
        made.add(key.toString("hex"));
        assert.equal(keys.cached(agentId, version, envelope), key);
      }
    }
  }
  assert.equal(made.size, 12);
});

Deno.test("AgentKeys.derive() lets no text but an agent id reach the derivation", async () => {
  const { keys } = new KeyRoom({ version: 1, bytes: text("secret") });
  for (
    const label of [
      "",
      "dek\n" + ALICE,
      "oidc-signing-keys",
      ALICE.toUpperCase(),
      `${ALICE}0`,
      ALICE.slice(1),
      `${ALICE}\n`,
    ]
  ) {
    for (const envelope of [1, 2] as const) {
      await assert.rejects(keys.derive(label, 1, envelope, true), TypeError, label);
    }
  }
});

Deno.test("AgentKeys keeps keys of known agents, and none of unknown ones", async () => {
  const { keys } = new KeyRoom({ version: 1, bytes: text("secret") });
  await keys.derive(ALICE, 1, 2, false);
  assert.equal(keys.cached(ALICE, 1, 2), undefined);
  await keys.derive(ALICE, 1, 2, true);
  assert.ok(keys.cached(ALICE, 1, 2));
  assert.equal(keys.cached(ALICE, 1, 1), undefined);
});

Deno.test("AgentKeys keeps the keys that were used last, and never more than its bound", async () => {
  const { keys } = new KeyRoom({ version: 1, bytes: text("secret") });
  const agent = (i: number) => i.toString(16).padStart(32, "0");
  await keys.derive(ALICE, 1, 2, true);
  const bound = 20_000;
  for (let i = 0; i < bound; i += 500) {
    // Alice goes on working while twenty thousand others come by.
    await Promise.all(Array.from({ length: 500 }, (_, j) => keys.derive(agent(i + j), 1, 2, true)));
    assert.ok(keys.cached(ALICE, 1, 2), `after ${i + 500} others`);
  }
  const kept = Array.from({ length: bound }, (_, i) => keys.cached(agent(i), 1, 2) !== undefined);
  assert.equal(kept.filter((isKept) => isKept).length, bound - 1, "with Alice's as many as fit");
  assert.ok(kept.indexOf(false) < 500, "one of those unused for longest made room");
});
