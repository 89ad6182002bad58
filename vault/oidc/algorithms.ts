/**
 * The signature algorithms of identity tokens (RFC 7518 §3.1, RFC 8037 §3.1): making keys, signing, verifying.
 *
 * RSA and ECDSA sign by WebCrypto, which does so beside the event loop and on every core; Ed25519 takes some 20 µs and
 * is signed at once.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { createPrivateKey, createPublicKey, generateKeyPair, type KeyObject, sign, verify } from "node:crypto";
import type { SigningAlgorithm } from "../storage/identity_records.ts";

/** Every algorithm. */
export const ALGORITHMS: readonly SigningAlgorithm[] = ["RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "EdDSA"];

/** A key pair just made. */
export interface MadeKeyPair {
  readonly publicJwk: Readonly<Record<string, string>>;
  /** PKCS #8, DER. */
  readonly privateKey: Uint8Array<ArrayBuffer>;
}

/** A private key, ready to sign. */
export interface Signer {
  /** The signature of a JWS signing input (RFC 7515 §5.1). */
  sign(input: Uint8Array<ArrayBuffer>): Promise<Uint8Array> | Uint8Array;
}

const MODULUS_LENGTH = 2048;
const CURVES: Readonly<Record<string, string>> = { ES256: "P-256", ES384: "P-384", ES512: "P-521" };
const HASHES: Readonly<Record<string, string>> = { "256": "SHA-256", "384": "SHA-384", "512": "SHA-512" };

/** Makes a key pair, beside the event loop. */
export function makeKeyPair(algorithm: SigningAlgorithm): Promise<MadeKeyPair> {
  const encodings = {
    publicKeyEncoding: { type: "spki", format: "pem" },
    privateKeyEncoding: { type: "pkcs8", format: "der" },
  } as const;
  return new Promise((resolve, reject) => {
    const done = (error: Error | null, publicKey: string, privateKey: Uint8Array) => {
      if (error !== null) return reject(error);
      const publicJwk = createPublicKey(publicKey).export({ format: "jwk" }) as Record<string, string>;
      resolve({ publicJwk, privateKey: new Uint8Array(privateKey) });
    };
    const curve = CURVES[algorithm];
    if (algorithm === "EdDSA") generateKeyPair("ed25519", encodings, done);
    else if (curve !== undefined) generateKeyPair("ec", { namedCurve: curve, ...encodings }, done);
    else generateKeyPair("rsa", { modulusLength: MODULUS_LENGTH, ...encodings }, done);
  });
}

/** Prepares a private key (PKCS #8, DER) for signing. */
export async function signerOf(algorithm: SigningAlgorithm, pkcs8: Uint8Array<ArrayBuffer>): Promise<Signer> {
  const node = createPrivateKey({ key: Buffer.from(pkcs8), format: "der", type: "pkcs8" });
  if (algorithm === "EdDSA") return { sign: (input) => sign(null, input, node) };
  const hash = hashOf(algorithm);
  // The runtime's WebCrypto has no P-521; such a signature takes some 5 ms on the event loop.
  if (algorithm === "ES512") {
    return { sign: (input) => sign("sha512", input, { key: node, dsaEncoding: "ieee-p1363" }) };
  }
  const name = algorithm.startsWith("RS") ? "RSASSA-PKCS1-v1_5" : "ECDSA";
  const curve = CURVES[algorithm];
  const imported = curve === undefined ? { name, hash } : { name, namedCurve: curve };
  const key = await crypto.subtle.importKey("pkcs8", pkcs8, imported, false, ["sign"]);
  return { sign: async (input) => new Uint8Array(await crypto.subtle.sign({ name, hash }, key, input)) };
}

/** Whether a signature is that of a public key. */
export function verifies(
  algorithm: SigningAlgorithm,
  publicKey: KeyObject,
  input: Uint8Array,
  signature: Uint8Array,
): boolean {
  if (algorithm === "EdDSA") return verify(null, input, publicKey, signature);
  const hash = `sha${algorithm.slice(2)}`;
  if (algorithm.startsWith("RS")) return verify(hash, input, publicKey, signature);
  return verify(hash, input, { key: publicKey, dsaEncoding: "ieee-p1363" }, signature);
}

function hashOf(algorithm: SigningAlgorithm): string {
  return HASHES[algorithm.slice(2)]!;
}
