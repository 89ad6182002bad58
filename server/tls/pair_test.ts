import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { configError, DAY_MS, madeCa, madeServer } from "./_fixtures.ts";
import { assertMatchingPair } from "./pair.ts";

const NAMES = { cert: '"server.pem"', key: '"server.key"' };

Deno.test("assertMatchingPair() takes a chain with the key of its first certificate", async () => {
  const { certPem, keyPem } = await madeServer(await madeCa());
  const pair = assertMatchingPair(`text before\n${certPem}`, `${keyPem}text after`, NAMES);
  assert.equal(pair.certPem, certPem);
  assert.equal(pair.keyPem, keyPem);
  assert.ok(Math.abs(pair.notAfter - Date.now() - 397 * DAY_MS) < DAY_MS);
  assert.ok(pair.notBefore < Date.now());
});

Deno.test("assertMatchingPair() takes certificate and key out of one file", async () => {
  const { certPem, keyPem } = await madeServer(await madeCa());
  const pair = assertMatchingPair(keyPem + certPem, keyPem + certPem, NAMES);
  assert.ok(!pair.certPem.includes("PRIVATE") && !pair.keyPem.includes("CERTIFICATE"));
});

Deno.test("assertMatchingPair() refuses another key of the same kind and one of another kind", async () => {
  const ca = await madeCa();
  const { certPem } = await madeServer(ca);
  const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey.export({ type: "pkcs8", format: "pem" });
  const other = await madeServer(ca);
  for (const keyPem of [other.keyPem, String(rsa)]) {
    const { message } = await configError(() => assertMatchingPair(certPem, keyPem, NAMES));
    assert.ok(message.includes(NAMES.cert) && message.includes(NAMES.key));
  }
});

Deno.test("assertMatchingPair() says so when the chain is in the wrong order", async () => {
  const ca = await madeCa();
  const { certPem, keyPem } = await madeServer(ca);
  const reversed = ca.certPem + certPem;
  const error = await configError(() => assertMatchingPair(reversed, keyPem, NAMES));
  assert.ok(error.message.includes("certificate 2") && error.hint?.includes("first"));
});
