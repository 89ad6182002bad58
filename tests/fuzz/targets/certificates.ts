/**
 * Certificates and keys that are the same at each run, for the targets that read them. The keys are those that RFC 7515
 * (A.3) and RFC 8032 (7.1) print; nobody uses them.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { createECDH, createPrivateKey, createPublicKey, type KeyObject } from "node:crypto";
import { toPem } from "../../../server/tls/pem.ts";
import { authorityExtensions, commonName, serverExtensions, signedCertificate } from "../../../server/tls/x509_der.ts";

const KEY_ID = new Uint8Array(20).fill(5).buffer;
/** SEQUENCE { INTEGER 1, INTEGER 1 }: nobody checks it here. */
const SIGNATURE = Uint8Array.of(0x30, 6, 2, 1, 1, 2, 1, 1).buffer;
/** PKCS #8 of an Ed25519 key up to its 32 bytes (RFC 8410 §7). */
const ED25519_HEAD = "302e020100300506032b657004220420";
const ED25519_SEED = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";

function p256(): KeyObject {
  return createPrivateKey({
    format: "jwk",
    key: {
      kty: "EC",
      crv: "P-256",
      x: "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
      y: "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
      d: "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI",
    },
  });
}

function p384(): KeyObject {
  const pair = createECDH("secp384r1");
  pair.setPrivateKey(Buffer.alloc(48, 3));
  const point = pair.getPublicKey();
  const [x, y] = [point.subarray(1, 49), point.subarray(49)].map((half) => half.toString("base64url"));
  const d = pair.getPrivateKey().toString("base64url");
  return createPrivateKey({ format: "jwk", key: { kty: "EC", crv: "P-384", x: x!, y: y!, d } });
}

function ed25519(): KeyObject {
  return createPrivateKey({ key: Buffer.from(ED25519_HEAD + ED25519_SEED, "hex"), format: "der", type: "pkcs8" });
}

/** Keys of three kinds. */
export const KEYS: readonly KeyObject[] = [p256(), p384(), ed25519()];

/** The keys as PEM. */
export const KEY_PEMS: readonly string[] = KEYS.map((key) => {
  return toPem("PRIVATE KEY", new Uint8Array(key.export({ type: "pkcs8", format: "der" })).buffer);
});

/** DER of an authority and of a server for each key. */
export const CERTIFICATES: readonly Uint8Array[] = KEYS.flatMap((key) => {
  const publicKeyInfo = new Uint8Array(createPublicKey(key).export({ type: "spki", format: "der" })).buffer;
  const names = { dnsNames: ["localhost", "vault.example"], ipAddresses: ["127.0.0.1", "::1"] };
  return [authorityExtensions(["localhost", "vault.example"], KEY_ID), serverExtensions(names, KEY_ID, KEY_ID), []]
    .map((extensions) => {
      const subject = commonName("RuneVault CA of a test");
      const serialNumber = Uint8Array.of(0x41, 2, 3).buffer;
      const dates = { notBefore: 1_700_000_000_000, notAfter: 2_000_000_000_000 };
      const fields = { serialNumber, issuer: subject, subject, ...dates, publicKeyInfo, extensions };
      return new Uint8Array(signedCertificate(fields, () => SIGNATURE));
    });
});

/** The certificates as PEM. */
export const CERTIFICATE_PEMS: readonly string[] = CERTIFICATES.map((der) => {
  return toPem("CERTIFICATE", new Uint8Array(der).buffer);
});
