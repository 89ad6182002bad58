import assert from "node:assert/strict";
import fc from "fast-check";
import { VaultError } from "../../vault/errors.ts";
import { configError, madeCa, madeServer } from "./_fixtures.ts";
import { pemBlocks, readCertificates, readPrivateKey, toPem } from "./pem.ts";
import { ownNow } from "../../tests/own_time.ts";

Deno.test("pemBlocks() finds the blocks between other text, with any line ending", () => {
  const block = toPem("CERTIFICATE", new Uint8Array(100).buffer);
  const text = `Bag Attributes\r\n  friendlyName: x\r\n${block.replaceAll("\n", "\r\n")}junk\n${block}`;
  assert.deepEqual(pemBlocks(text), [{ label: "CERTIFICATE", text: block }, { label: "CERTIFICATE", text: block }]);
  assert.equal(block.split("\n")[1]?.length, 64);
});

Deno.test("pemBlocks() skips a block that does not end, and takes the one inside it", () => {
  const block = toPem("PRIVATE KEY", new Uint8Array(3).buffer);
  assert.deepEqual(pemBlocks(`-----BEGIN CERTIFICATE-----\nAAAA\n${block}`), [{ label: "PRIVATE KEY", text: block }]);
  assert.deepEqual(pemBlocks("-----BEGIN CERTIFICATE-----\nAAAA\n-----END PRIVATE KEY-----\n"), []);
});

Deno.test("pemBlocks() takes a megabyte of beginnings in linear time", () => {
  const started = ownNow();
  assert.deepEqual(pemBlocks("-----BEGIN A-----\n".repeat(58_000)), []);
  assert.ok(ownNow() - started < 1000);
});

Deno.test("readCertificates() reads a chain and names what it cannot read", async () => {
  const ca = await madeCa();
  const { certPem } = await madeServer(ca);
  const chain = readCertificates(certPem, '"a.pem"');
  assert.deepEqual(chain.map((one) => one.certificate.ca), [false, true]);
  assert.equal(chain.map((one) => one.pem).join(""), certPem);
  const broken = toPem("CERTIFICATE", new Uint8Array([48, 3, 2, 1, 0]).buffer);
  assert.ok((await configError(() => readCertificates(certPem + broken, '"a.pem"'))).message.includes('3 in "a.pem"'));
  assert.ok((await configError(() => readCertificates("", '"a.pem"'))).hint?.includes("BEGIN CERTIFICATE"));
  await configError(() => readCertificates(ca.certPem.repeat(201), '"a.pem"'));
});

Deno.test("readPrivateKey() cuts the key out of what stands around it", async () => {
  const { keyPem, certPem } = await madeCa();
  const parameters = "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n";
  const { key, pem } = readPrivateKey(parameters + certPem + keyPem, '"a.key"');
  assert.equal(pem, keyPem);
  assert.equal(key.asymmetricKeyType, "ec");
});

Deno.test("readPrivateKey() refuses no key, two keys, an encrypted key and a broken one, and shows none of it", async () => {
  const { keyPem } = await madeCa();
  const secret = keyPem.split("\n")[1] ?? "";
  const encrypted = keyPem.replaceAll("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
  const traditional = keyPem.replace("KEY-----\n", "KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\n");
  const broken = keyPem.replace(/MIG/, "MIH");
  for (const text of ["", keyPem + keyPem, encrypted, traditional, broken, keyPem.replace(secret, "")]) {
    const error = await configError(() => readPrivateKey(text, '"a.key"'));
    assert.ok(error.message.includes('"a.key"'));
    assert.ok(!`${error.message}${error.hint}${error.cause}`.includes(secret.slice(4, 40)));
  }
  for (const text of [encrypted, traditional]) {
    assert.ok((await configError(() => readPrivateKey(text, "x"))).message.includes("passphrase"));
  }
});

Deno.test("readCertificates() and readPrivateKey() answer damaged files with config_invalid", async () => {
  const pair = await madeServer(await madeCa());
  const damage = fc.tuple(fc.constantFrom(pair.certPem, pair.keyPem), fc.nat(2000), fc.string({ maxLength: 4 }));
  fc.assert(
    fc.property(damage, ([text, at, change]) => {
      const damaged = text.slice(0, at) + change + text.slice(at + change.length);
      for (const read of [readCertificates, readPrivateKey]) {
        try {
          read(damaged, "x");
        } catch (error) {
          assert.ok(error instanceof VaultError && error.kind === "config_invalid");
        }
      }
    }),
    { numRuns: 300 },
  );
});
