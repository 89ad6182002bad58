import assert from "node:assert/strict";
import { generateKeyPairSync, sign } from "node:crypto";
import { join } from "node:path";
import { AsnConvert } from "@peculiar/asn1-schema";
import { Certificate, Version } from "@peculiar/asn1-x509";
import { configError, madeCa, madeServer, RecordingLogger, ShiftedClock, withFolder } from "./_fixtures.ts";
import { loadClientCa } from "./client_ca.ts";
import type { MatchingPair } from "./pair.ts";
import { toPem } from "./pem.ts";

/** The authority with some of its to-be-signed part changed, signed again by its own key. */
function changed(ca: MatchingPair, change: (certificate: Certificate) => void): string {
  const certificate = AsnConvert.parse(new Uint8Array(ca.certificate.raw), Certificate);
  change(certificate);
  const bytes = new Uint8Array(AsnConvert.serialize(certificate.tbsCertificate));
  certificate.signatureValue = new Uint8Array(sign("sha256", bytes, ca.keyPem)).buffer;
  delete certificate.tbsCertificateRaw;
  return toPem("CERTIFICATE", AsnConvert.serialize(certificate));
}

async function load(text: string, logger = new RecordingLogger()) {
  let loaded: Awaited<ReturnType<typeof loadClientCa>> | undefined;
  await withFolder(async (folder) => {
    const path = join(folder, "clients.pem");
    await Deno.writeTextFile(path, text);
    loaded = await loadClientCa(path, { clock: new ShiftedClock(), logger });
  });
  return loaded!;
}

Deno.test("loadClientCa() takes a bundle of authorities, and nothing but them into use", async () => {
  const [one, two] = [await madeCa(), await madeCa(["a.example.com"])];
  const { pem, subjects } = await load(`# ours\n${one.certPem}\n${two.certPem}${two.keyPem}`);
  assert.equal(pem, one.certPem + two.certPem);
  assert.deepEqual(subjects, [one.certificate.subject, two.certificate.subject]);
});

Deno.test("loadClientCa() refuses an authority of X.509 version 1 and names it", async () => {
  const ca = await madeCa();
  const versionOne = changed(ca, ({ tbsCertificate }) => {
    tbsCertificate.version = Version.v1;
    delete tbsCertificate.extensions;
  });
  const { message } = await configError(() => load(ca.certPem + versionOne));
  assert.match(message, /^Certificate 2 in ".*clients\.pem" \(CN=RuneVault CA [0-9a-f]{8}\) is of X\.509 version 1; /);
});

Deno.test("loadClientCa() refuses a certificate that is no authority or may not sign", async () => {
  const ca = await madeCa();
  const { certPem } = await madeServer(ca);
  assert.match((await configError(() => load(certPem))).message, /CA:TRUE/);
  const keyUsage = "2.5.29.15";
  const noSigner = changed(ca, ({ tbsCertificate }) => {
    const usage = tbsCertificate.extensions?.find((one) => one.extnID === keyUsage);
    new Uint8Array(usage!.extnValue.buffer).set([3, 2, 1, 2]);
  });
  assert.match((await configError(() => load(noSigner))).message, /keyCertSign/);
  const anyUse = changed(ca, ({ tbsCertificate }) => {
    const { extensions } = tbsCertificate;
    extensions!.splice(extensions!.findIndex((one) => one.extnID === keyUsage), 1);
  });
  assert.equal((await load(anyUse)).subjects.length, 1);
});

Deno.test("loadClientCa() leaves out an expired authority and logs it, and refuses when none is left", async () => {
  const [old, current] = [await madeCa(["localhost"], 3700), await madeCa()];
  const logger = new RecordingLogger();
  assert.equal((await load(old.certPem + current.certPem, logger)).pem, current.certPem);
  assert.equal(logger.named("tls_client_ca_expired")[0]?.fields.subject, old.certificate.subject);
  assert.match((await configError(() => load(old.certPem))).message, /expired/);
});

Deno.test("loadClientCa() refuses what holds no certificate", async () => {
  const key = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({ type: "pkcs8", format: "pem" });
  for (const text of ["", "hello", String(key)]) {
    const { message } = await configError(() => load(text));
    assert.match(message, /clients\.pem" holds no certificate$/);
  }
  const missing = await configError(() =>
    loadClientCa("/nowhere/ca.pem", { clock: new ShiftedClock(), logger: new RecordingLogger() })
  );
  assert.ok(missing.message.includes("/nowhere/ca.pem"));
});
