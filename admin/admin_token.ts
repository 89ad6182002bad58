/**
 * The admin token: its form, its digest, and the proof by which a server shows that it holds it.
 *
 * The token is 256 random bits, so its SHA-256 is as good as the token to compare with and useless to send. The proof
 * is an HMAC under that digest: whoever sits on the admin port while the vault is away cannot make it, and what it
 * learns from being asked is a nonce and the first 64 bits of the digest.
 *
 * @module
 */

import { createHash, createHmac, timingSafeEqual } from "node:crypto";

const TOKEN_FORM = /^adm_[0-9a-f]{64}$/;
const OPERATOR_TOKEN_FORM = /^(adm|opr)_[0-9a-f]{64}$/;

/** The lengths that a nonce may have: any multiple of {@link NONCE_STEP} up to this. */
const NONCE_MAX = 128;
const NONCE_MIN = 16;

/**
 * The proof covers `nonce ‖ port` as text. If any length would do, a process on port 18081 could turn its caller's
 * nonce N into N1 and have the server on port 8081 answer for it. A port has at most 5 digits, so lengths that are
 * 8 apart leave no second way to read the same text.
 */
const NONCE_STEP = 8;
const NONCE_FORM = /^[A-Za-z0-9_-]+$/;

/** Makes an admin token from 32 random bytes. */
export function adminTokenFrom(bytes: Uint8Array): string {
  if (bytes.length !== 32) throw new RangeError("An admin token is made of 32 bytes");
  return `adm_${Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}

/** The token in the text of its file (one line, with or without its newline), or undefined where it is none. */
export function parseAdminToken(text: string): string | undefined {
  const line = text.replace(/\r?\n$/, "");
  return TOKEN_FORM.test(line) ? line : undefined;
}

/** The token in the text of an operator's own file, or undefined where it is none; `admin.token` is one too. */
export function parseOperatorToken(text: string): string | undefined {
  const line = text.replace(/\r?\n$/, "");
  return OPERATOR_TOKEN_FORM.test(line) ? line : undefined;
}

/** SHA-256 of a token: what the server keeps of it, and the key of its proofs. */
export function digestAdminToken(token: string): Uint8Array {
  return sha256(token);
}

/** Whether a presented token is the one with this digest. Digests are compared, so no prefix leaks by timing. */
export function isAdminToken(presented: string, digest: Uint8Array): boolean {
  return timingSafeEqual(digestAdminToken(presented), digest);
}

/** The name under which a proof is asked for: the first 16 hex digits of the digest. */
export function adminTokenId(digest: Uint8Array): string {
  return Array.from(digest.subarray(0, 8), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Whether a nonce has a form that is answered: 16 to 128 letters, digits, `_` or `-`, in multiples of 8. */
export function isNonce(nonce: string): boolean {
  const { length } = nonce;
  return length >= NONCE_MIN && length <= NONCE_MAX && length % NONCE_STEP === 0 && NONCE_FORM.test(nonce);
}

/** The proof for a nonce: HMAC-SHA-256 (RFC 2104) over nonce ‖ port in decimal, as hex. */
export function proveAdminToken(key: Uint8Array, nonce: string, port: number): string {
  return createHmac("sha256", key).update(`${nonce}${port}`, "utf8").digest("hex");
}

/** Whether `given` is the proof for a nonce and port under `key`. */
export function isProof(given: string, key: Uint8Array, nonce: string, port: number): boolean {
  return timingSafeEqual(sha256(given), sha256(proveAdminToken(key, nonce, port)));
}

/**
 * The key that answers for an id: the digest where the id is ours, else one drawn from `decoyKey`. Both are computed
 * either way, and each unknown id has a key of its own, so neither time nor two questions tell which ids exist.
 */
export function proofKeyFor(id: string, digest: Uint8Array, decoyKey: Uint8Array): Uint8Array {
  const decoy = createHmac("sha256", decoyKey).update(id, "utf8").digest();
  return timingSafeEqual(sha256(id), sha256(adminTokenId(digest))) ? digest : decoy;
}

/** Texts of any length are compared by their digests: `timingSafeEqual` throws on unequal lengths. */
function sha256(text: string): Uint8Array {
  return createHash("sha256").update(text, "utf8").digest();
}
