import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { seededRandom } from "../../tests/fakes/seeded_random.ts";
import { refused } from "../_test_support.ts";
import { SEAL_KEY_BYTES, SealKey } from "./seal_key.ts";

const random = seededRandom("seal keys");
const keyOf = (byte: number) => new SealKey(new Uint8Array(SEAL_KEY_BYTES).fill(byte), random);
const SECRET = new TextEncoder().encode("the team secret");

Deno.test("SealKey opens what it sealed, for the same row alone", () => {
  const key = keyOf(1);
  const sealed = key.seal("secret/1", SECRET);
  assert.deepEqual(new Uint8Array(key.open("secret/1", sealed)), SECRET);
  assert.deepEqual(new Uint8Array(key.open("x", key.seal("x", new Uint8Array(0)))), new Uint8Array(0));
  for (const identity of ["secret/2", "secret/11", "", "meta/seal_check", "secret/1\n"]) {
    assert.throws(() => key.open(identity, sealed), refused("storage_failed"), identity);
  }
});

Deno.test("SealKey opens nothing of another key, nothing damaged, and nothing that is too short", () => {
  const sealed = keyOf(1).seal("secret/1", SECRET);
  assert.throws(() => keyOf(2).open("secret/1", sealed), refused("storage_failed"));
  const bytes = Buffer.from(sealed, "base64");
  for (let i = 0; i < bytes.length; i++) {
    const damaged = Buffer.from(bytes);
    damaged[i]! ^= 0x80;
    assert.throws(() => keyOf(1).open("secret/1", damaged.toString("base64")), refused("storage_failed"), `byte ${i}`);
  }
  for (const text of ["", "AAAA", Buffer.alloc(27).toString("base64"), "not base64!"]) {
    assert.throws(() => keyOf(1).open("secret/1", text), refused("storage_failed"), text);
  }
});

Deno.test("SealKey draws a nonce for each seal", () => {
  const key = keyOf(1);
  const sealed = Array.from({ length: 1000 }, () => key.seal("x", SECRET));
  const nonces = sealed.map((text) => Buffer.from(text, "base64").subarray(0, 12).toString("hex"));
  assert.equal(new Set(nonces).size, 1000);
});

Deno.test("SealKey is made of 32 bytes and of nothing else", () => {
  for (const length of [0, 16, 31, 33, 64]) assert.throws(() => new SealKey(new Uint8Array(length), random), TypeError);
});

Deno.test("SealKey's fingerprints tell keys and secrets apart, and depend on the key", () => {
  assert.match(keyOf(1).fingerprint, /^[0-9a-f]{16}$/);
  assert.notEqual(keyOf(1).fingerprint, keyOf(2).fingerprint);
  assert.equal(keyOf(1).fingerprint, keyOf(1).fingerprint);
  const other = new TextEncoder().encode("another secret");
  assert.notEqual(keyOf(1).fingerprintOf(SECRET), keyOf(1).fingerprintOf(other));
  assert.notEqual(
    keyOf(1).fingerprintOf(SECRET),
    keyOf(2).fingerprintOf(SECRET),
    "no table of guesses fits two vaults",
  );
});

Deno.test("SealKey shows its bytes in no form that a log or a debugger uses", () => {
  const bytes = new Uint8Array(SEAL_KEY_BYTES).fill(0xab);
  const key = new SealKey(bytes, random);
  for (
    const shown of [
      String(key),
      `${key}`,
      JSON.stringify({ key }),
      Deno.inspect(key),
      Deno.inspect({ key }, { depth: 9 }),
    ]
  ) {
    assert.doesNotMatch(shown, /abab|171|q6ur/i, shown);
  }
  assert.deepEqual(Object.keys(key), []);
});
