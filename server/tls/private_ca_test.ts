import assert from "node:assert/strict";
import https from "node:https";
import { join } from "node:path";
import { configError, DAY_MS, LOOPBACK, madeCa, madeServer, openssl, opensslTest, withFolder } from "./_fixtures.ts";
import type { TlsPair } from "./material.ts";
import { assertMatchingPair, type MatchingPair } from "./pair.ts";
import { createPrivateCa, issueServerCertificate, permittedDnsNames } from "./private_ca.ts";
import { authorityFacts } from "./x509_der.ts";

const NAMES = { dnsNames: ["localhost", "eu.vault.example.com"], ipAddresses: ["127.0.0.1", "::1", "2001:db8::5"] };
/** What the authority below was not made for. */
const OUTSIDE = { dnsNames: ["localhost", "bank.example.org"], ipAddresses: ["127.0.0.1"] };

function madeTestCa(): Promise<MatchingPair> {
  return madeCa(["localhost", "vault.example.com"], 0);
}

function serve(pair: TlsPair): Deno.HttpServer<Deno.NetAddr> {
  const { certPem: cert, keyPem: key } = pair;
  return Deno.serve({ hostname: "127.0.0.1", port: 0, cert, key, onListen() {} }, () => new Response("hello"));
}

/** Asks by the runtime's own client, which verifies with rustls-webpki. */
async function fetchFrom(host: string, port: number, caPem: string): Promise<string> {
  using client = Deno.createHttpClient({ caCerts: [caPem] });
  return await (await fetch(`https://${host}:${port}/`, { client })).text();
}

function requestFrom(host: string, port: number, caPem: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    https.get({ host, port, ca: caPem, agent: false }, (response) => {
      response.resume().on("end", () => resolve(response.statusCode));
    }).on("error", reject);
  });
}

Deno.test("createPrivateCa() makes an authority for ten years that signs no other authority and no other name", async () => {
  const ca = await madeTestCa();
  assert.deepEqual(authorityFacts(new Uint8Array(ca.certificate.raw).buffer), {
    version: 3,
    isAuthority: true,
    maySign: true,
    permittedDnsNames: ["localhost", "vault.example.com"],
  });
  assert.deepEqual(await permittedDnsNames(ca), ["localhost", "vault.example.com"]);
  assert.ok(ca.notBefore < Date.now() && Math.abs(ca.notAfter - Date.now() - 3652 * DAY_MS) < DAY_MS);
  assert.ok(ca.certificate.verify(ca.certificate.publicKey));
  await assert.rejects(madeCa([]), RangeError);
});

Deno.test("issueServerCertificate() makes a certificate for 397 days that never outlives its authority", async () => {
  const ca = await madeTestCa();
  const pair = await madeServer(ca, NAMES);
  const server = assertMatchingPair(pair.certPem, pair.keyPem);
  assert.ok(server.certificate.verify(ca.certificate.publicKey));
  assert.equal(server.certificate.ca, false);
  assert.ok(server.notAfter - server.notBefore <= 398 * DAY_MS);
  assert.ok(pair.certPem.endsWith(ca.certPem), "the authority follows in the chain");
  const old = await madeCa(["localhost"], 3600);
  const short = await madeServer(old);
  assert.equal(assertMatchingPair(short.certPem, short.keyPem).notAfter, old.notAfter);
});

Deno.test("issueServerCertificate() draws a serial number of 128 bits, positive whatever is drawn", async () => {
  const ca = await madeTestCa();
  const serials = new Set<string>();
  for (const fill of [0x00, 0xff, 0x80, 0x7f]) {
    const random = { bytes: (length: number) => new Uint8Array(length).fill(fill) };
    const clock = { now: () => Date.now(), monotonic: () => 0 };
    const { certPem, keyPem } = await issueServerCertificate(ca, LOOPBACK, { clock, random });
    const serial = assertMatchingPair(certPem, keyPem).certificate.serialNumber;
    assert.match(serial, /^[4-7][0-9A-F]{31}$/);
    serials.add(serial);
  }
  assert.equal(serials.size, 4);
});

Deno.test("createPrivateCa() dates an authority that lives past 2049 right", async () => {
  const clock = { now: () => Date.UTC(2045, 0, 1), monotonic: () => 0 };
  const random = { bytes: (length: number) => new Uint8Array(length) };
  const { certPem, keyPem } = await createPrivateCa(["localhost"], { clock, random });
  assert.equal(new Date(assertMatchingPair(certPem, keyPem).notAfter).getUTCFullYear(), 2054);
});

Deno.test("TLS clients accept the server certificate by name and by address", async () => {
  const ca = await madeTestCa();
  await using server = serve(await madeServer(ca, NAMES));
  for (const host of ["localhost", "127.0.0.1"]) {
    assert.equal(await fetchFrom(host, server.addr.port, ca.certPem), "hello");
    assert.equal(await requestFrom(host, server.addr.port, ca.certPem), 200);
  }
});

Deno.test("TLS clients refuse what a thief of the authority's key signs for another host", async () => {
  const ca = await madeTestCa();
  await using server = serve(await madeServer(ca, OUTSIDE));
  await assert.rejects(fetchFrom("localhost", server.addr.port, ca.certPem), /NameConstraintViolation/);
  await assert.rejects(requestFrom("localhost", server.addr.port, ca.certPem));
});

Deno.test("TLS clients refuse a server that another authority signed", async () => {
  await using server = serve(await madeServer(await madeTestCa(), NAMES));
  const other = await madeTestCa();
  await assert.rejects(fetchFrom("localhost", server.addr.port, other.certPem), /invalid peer certificate/);
});

opensslTest("openssl verifies the chain strictly, and refuses a name outside the constraint", async () => {
  await withFolder(async (folder) => {
    const ca = await madeTestCa();
    const verify = async (name: string, text: string, ...more: string[]) => {
      await Deno.writeTextFile(join(folder, name), text);
      return await openssl("verify", "-x509_strict", "-CAfile", join(folder, "ca.pem"), ...more, join(folder, name));
    };
    assert.equal((await verify("ca.pem", ca.certPem, "-check_ss_sig")).ok, true);
    const good = (await madeServer(ca, NAMES)).certPem;
    for (const host of ["localhost", "eu.vault.example.com"]) {
      assert.equal((await verify("good.pem", good, "-purpose", "sslserver", "-verify_hostname", host)).ok, true);
    }
    assert.equal((await verify("good.pem", good, "-verify_ip", "2001:db8::5")).ok, true);
    assert.equal((await verify("good.pem", good, "-purpose", "sslclient")).ok, false);
    const bad = await verify("bad.pem", (await madeServer(ca, OUTSIDE)).certPem);
    assert.match(bad.text, /permitted subtree violation/);
  });
});

opensslTest("openssl reads critical name constraints on DNS names alone and path length 0", async () => {
  await withFolder(async (folder) => {
    await Deno.writeTextFile(join(folder, "ca.pem"), (await madeTestCa()).certPem);
    const { text } = await openssl("x509", "-noout", "-text", "-in", join(folder, "ca.pem"));
    const flat = text.replace(/\s+/g, " ");
    assert.match(flat, /Name Constraints: critical Permitted: DNS:localhost DNS:vault\.example\.com X509v3/);
    assert.match(flat, /Basic Constraints: critical CA:TRUE, pathlen:0 /);
    assert.match(flat, /Key Usage: critical Certificate Sign, CRL Sign /);
    assert.doesNotMatch(flat, /IP:/);
  });
});

Deno.test("readers of certificates survive damaged ones", async () => {
  const der = new Uint8Array((await madeTestCa()).certificate.raw);
  for (let at = 0; at < der.length; at += 3) {
    const damaged = der.slice();
    damaged[at] = (damaged[at] ?? 0) ^ 0xff;
    try {
      authorityFacts(damaged.buffer);
    } catch (error) {
      assert.ok(error instanceof Error);
    }
  }
  await configError(() => assertMatchingPair("", ""));
});
