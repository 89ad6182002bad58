/**
 * The signature algorithms of identity tokens (RFC 7518 §3.1, RFC 8037 §3.1): making keys, signing, verifying.
 *
 * Ed25519 takes some 20 µs and is signed at once. RSA and ECDSA are signed at once by native code where it is loaded;
 * else by WebCrypto, which does so beside the event loop and on every core. docs/decisions/0009 has the figures.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { createPrivateKey, createPublicKey, generateKeyPair, type KeyObject, sign, verify } from "node:crypto";
import type { Json, SigningAlgorithm } from "../storage/identity_records.ts";
import { isFasterNatively, isPlainlyWritten, type NativeJwt } from "./native_jwt.ts";

/** Every algorithm. */
export const ALGORITHMS: readonly SigningAlgorithm[] = ["RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "EdDSA"];

/** A key pair just made. */
export interface MadeKeyPair {
  readonly publicJwk: Readonly<Record<string, string>>;
  /** PKCS #8, DER. */
  readonly privateKey: Uint8Array<ArrayBuffer>;
}

/** The claims of a JWT. */
export type Claims = Readonly<Record<string, Json>>;

/** A private key, ready to sign. */
export interface Signer {
  /** A signed JWT (RFC 7519) in the compact form of RFC 7515 §7.1. */
  sign(claims: Claims): Promise<string> | string;
}

/** Signs the bytes of a JWS signing input (RFC 7515 §5.1). */
type SignBytes = (input: Uint8Array<ArrayBuffer>) => Promise<Uint8Array> | Uint8Array;

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

const utf8 = new TextEncoder();

/**
 * Prepares a private key for signing.
 *
 * @param pkcs8 The key in DER.
 * @param native The native library, where it is loaded.
 */
export async function signerOf(
  algorithm: SigningAlgorithm,
  kid: string,
  pkcs8: Uint8Array<ArrayBuffer>,
  native: NativeJwt | undefined,
): Promise<Signer> {
  const key = createPrivateKey({ key: Buffer.from(pkcs8), format: "der", type: "pkcs8" });
  const signBytes = await signBytesOf(algorithm, key, pkcs8);
  const header = encoded({ typ: "JWT", alg: algorithm, kid });
  const byRuntime: Signer = { sign: (claims) => compact(`${header}.${encoded(claims)}`, signBytes) };
  if (native === undefined || !isFasterNatively(algorithm)) return byRuntime;
  const pem = key.export({ type: "pkcs8", format: "pem" }) as string;
  return {
    sign: (claims) => isPlainlyWritten(claims) ? native.sign(claims, pem, algorithm, kid) : byRuntime.sign(claims),
  };
}

async function signBytesOf(
  algorithm: SigningAlgorithm,
  node: KeyObject,
  pkcs8: Uint8Array<ArrayBuffer>,
): Promise<SignBytes> {
  if (algorithm === "EdDSA") return (input) => sign(null, input, node);
  const hash = hashOf(algorithm);
  // The runtime's WebCrypto has no signing with P-521; such a signature takes some 2 ms on the event loop.
  if (algorithm === "ES512") return (input) => sign("sha512", input, { key: node, dsaEncoding: "ieee-p1363" });
  const name = algorithm.startsWith("RS") ? "RSASSA-PKCS1-v1_5" : "ECDSA";
  const curve = CURVES[algorithm];
  const imported = curve === undefined ? { name, hash } : { name, namedCurve: curve };
  const key = await crypto.subtle.importKey("pkcs8", pkcs8, imported, false, ["sign"]);
  return async (input) => new Uint8Array(await crypto.subtle.sign({ name, hash }, key, input));
}

function compact(input: string, signBytes: SignBytes): Promise<string> | string {
  // Joined it is one piece; a template's is put together by whoever reads it, which doubles the time of an answer's JSON.
  const joined = (signature: Uint8Array) => [input, base64url(signature)].join(".");
  const signature = signBytes(utf8.encode(input));
  return signature instanceof Promise ? signature.then(joined) : joined(signature);
}

function encoded(value: unknown): string {
  return base64url(utf8.encode(JSON.stringify(value)));
}

/** By the runtime: it takes a quarter of the time of a `Buffer`. */
function base64url(bytes: Uint8Array): string {
  return bytes.toBase64({ alphabet: "base64url", omitPadding: true });
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
