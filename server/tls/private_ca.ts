/**
 * A private certificate authority that can sign this server's names and no others.
 *
 * Agents are asked to trust its certificate, some of them system-wide. The critical name constraint bounds what a
 * thief of its key gains: no certificate for any other host name is accepted. The constraint names DNS names alone: a
 * constraint on IP addresses would make BoringSSL, hence gRPC for Python and C++, refuse every chain. So a stolen key
 * can still sign for any IP address; and a constraint covers the names under a name, which nothing can switch off.
 * OpenSSL, BoringSSL, Go, Node and rustls heed the constraint of an authority that they trust directly; Java does not.
 *
 * Certificates follow RFC 5280, with ECDSA on P-256 and SHA-256.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { createHash, createPublicKey, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import type { Clock, RandomSource } from "../../vault/ports.ts";
import type { TlsPair } from "./material.ts";
import type { TlsNames } from "./names.ts";
import type { MatchingPair } from "./pair.ts";
import { readPrivateKey, toPem } from "./pem.ts";

const DAY_MS = 24 * 60 * 60 * 1000;
const CA_DAYS = 3652;
/** An agent's clock may be behind the vault's. */
const BACKDATE_MS = 60 * 60 * 1000;
/** Some clients refuse a server certificate that is valid for more than 398 days. */
const SERVER_DAYS = 397;
/** How long a server certificate lasts from the moment it is made, unless its authority ends before. */
export const SERVER_LIFETIME_MS = SERVER_DAYS * DAY_MS - BACKDATE_MS;
const KEY_ID_BYTES = 20;
const SERIAL_BYTES = 16;

/** Time and randomness; keys themselves always come from the runtime's own generator. */
export interface IssueSources {
  readonly clock: Clock;
  readonly random: RandomSource;
}

/**
 * Makes an authority: self-signed, ten years, path length 0, permitted to sign `dnsNames` and what lies under them.
 *
 * @param dnsNames Canonical DNS names, one at least.
 */
export async function createPrivateCa(dnsNames: readonly string[], sources: IssueSources): Promise<TlsPair> {
  // With no subtree at all the constraint would be empty, and some clients read that as "anything goes".
  if (dnsNames.length === 0) throw new RangeError("An authority needs one name at least");
  const x509 = await import("./x509_der.ts");
  const { privateKey, publicKey } = newKeyPair();
  // Told apart by name as well: a client that trusts two of our authorities finds the right one at once.
  const subject = x509.commonName(`RuneVault CA ${Buffer.from(sources.random.bytes(4)).toString("hex")}`);
  const notBefore = sources.clock.now() - BACKDATE_MS;
  const certificate = x509.signedCertificate({
    subject,
    issuer: subject,
    serialNumber: newSerialNumber(sources.random),
    notBefore,
    notAfter: notBefore + CA_DAYS * DAY_MS,
    publicKeyInfo: exportPublicKey(publicKey),
    extensions: x509.authorityExtensions(dnsNames, keyIdentifier(publicKey)),
  }, signerOf(privateKey));
  return { certPem: toPem("CERTIFICATE", certificate), keyPem: exportPrivateKey(privateKey) };
}

/**
 * Makes a new key and a server certificate for `names`, signed by `ca`: for 397 days, or until `ca` ends.
 *
 * The authority's certificate follows in the chain, so that a client that was told only its fingerprint finds it in
 * the handshake. Whether the authority may sign the names is for the caller to check ({@link permittedDnsNames}).
 */
export async function issueServerCertificate(
  ca: MatchingPair,
  names: TlsNames,
  sources: IssueSources,
): Promise<TlsPair> {
  const x509 = await import("./x509_der.ts");
  const { privateKey, publicKey } = newKeyPair();
  const caKey = readPrivateKey(ca.keyPem, "the authority's key").key;
  // A certificate that is older or lives longer than its authority is refused by some clients.
  const notBefore = Math.max(sources.clock.now() - BACKDATE_MS, ca.notBefore);
  const certificate = x509.signedCertificate({
    subject: x509.commonName("RuneVault server"),
    issuer: x509.subjectOf(derOf(ca)),
    serialNumber: newSerialNumber(sources.random),
    notBefore,
    notAfter: Math.min(notBefore + SERVER_DAYS * DAY_MS, ca.notAfter),
    publicKeyInfo: exportPublicKey(publicKey),
    extensions: x509.serverExtensions(names, keyIdentifier(publicKey), keyIdentifier(createPublicKey(caKey))),
  }, signerOf(caKey));
  return { certPem: toPem("CERTIFICATE", certificate) + ca.certPem, keyPem: exportPrivateKey(privateKey) };
}

/** The DNS names an authority may sign, each with those under it; null when it may sign any. */
export async function permittedDnsNames(ca: MatchingPair): Promise<readonly string[] | null> {
  const x509 = await import("./x509_der.ts");
  return x509.authorityFacts(derOf(ca)).permittedDnsNames;
}

function newKeyPair(): { readonly privateKey: KeyObject; readonly publicKey: KeyObject } {
  return generateKeyPairSync("ec", { namedCurve: "P-256" });
}

function signerOf(privateKey: KeyObject): (bytes: Uint8Array) => ArrayBuffer {
  return (bytes) => toArrayBuffer(sign("sha256", bytes, { key: privateKey, dsaEncoding: "der" }));
}

/** 126 random bits in 16 octets: the first bit is 0 for positive, the second 1 so that no octet is superfluous. */
function newSerialNumber(random: RandomSource): ArrayBuffer {
  const bytes = random.bytes(SERIAL_BYTES);
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40;
  return toArrayBuffer(bytes);
}

/** The first 160 bits of SHA-256 over the public key's bits (RFC 7093 §2, method 1). */
function keyIdentifier(publicKey: KeyObject): ArrayBuffer {
  const { x, y } = publicKey.export({ format: "jwk" });
  const point = Buffer.concat([Buffer.of(4), Buffer.from(x ?? "", "base64url"), Buffer.from(y ?? "", "base64url")]);
  return toArrayBuffer(createHash("sha256").update(point).digest().subarray(0, KEY_ID_BYTES));
}

function exportPublicKey(key: KeyObject): ArrayBuffer {
  return toArrayBuffer(key.export({ type: "spki", format: "der" }));
}

function exportPrivateKey(key: KeyObject): string {
  return toPem("PRIVATE KEY", toArrayBuffer(key.export({ type: "pkcs8", format: "der" })));
}

function derOf(ca: MatchingPair): ArrayBuffer {
  return toArrayBuffer(ca.certificate.raw);
}

/** A copy of exactly these bytes: a Buffer may be a window on a larger one. */
function toArrayBuffer(bytes: Uint8Array): ArrayBuffer {
  return new Uint8Array(bytes).buffer;
}
