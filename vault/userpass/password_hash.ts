/**
 * Password hashes: which are made, which are taken over, and what each costs.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { VaultError } from "../errors.ts";

/**
 * Argon2id (RFC 9106) with 9 MiB and four passes, one of the settings that OWASP names as equals; of those it is the
 * fastest here, so an attacker's gain by waiting for a weaker one is nothing.
 */
export const ARGON2 = { iterations: 4, memorySize: 9216, parallelism: 1, hashLength: 32 } as const;

/** Longer ones help nobody and cost time to read. */
const MAX_PASSWORD_BYTES = 1024;
/** bcrypt looks at no more. */
const MAX_BCRYPT_BYTES = 72;
const BCRYPT = /^\$2[aby]\$([0-9]{2})\$[./A-Za-z0-9]{53}$/;
const MIN_BCRYPT_COST = 5;
const MAX_BCRYPT_COST = 14;

/** The cost of a bcrypt hash; undefined for any other. */
export function bcryptCost(hash: string): number | undefined {
  const found = BCRYPT.exec(hash);
  return found === null ? undefined : Number(found[1]);
}

/**
 * Checks a hash that is taken over.
 *
 * @throws {VaultError} `invalid_argument`.
 */
export function assertImportable(hash: string): void {
  const cost = bcryptCost(hash);
  if (cost !== undefined && cost >= MIN_BCRYPT_COST && cost <= MAX_BCRYPT_COST) return;
  throw new VaultError("invalid_argument", "password_hash is not a bcrypt hash", {
    hint: `give $2a$, $2b$ or $2y$ with a cost from ${MIN_BCRYPT_COST} to ${MAX_BCRYPT_COST}`,
  });
}

/**
 * Checks a password that is set.
 *
 * @throws {VaultError} `invalid_argument`.
 */
export function assertPassword(password: string): void {
  if (password === "") throw new VaultError("invalid_argument", "missing password");
  if (!password.isWellFormed()) throw new VaultError("invalid_argument", "the password is not valid Unicode text");
  if (Buffer.byteLength(password) <= MAX_PASSWORD_BYTES) return;
  throw new VaultError("invalid_argument", `password length exceeds ${MAX_PASSWORD_BYTES} bytes`);
}

/** Whether a password may be tried against a hash: one that the hash would look at a part of may not. */
export function isTryable(password: string, hash: string): boolean {
  const bytes = Buffer.byteLength(password);
  return bytes <= (bcryptCost(hash) === undefined ? MAX_PASSWORD_BYTES : MAX_BCRYPT_BYTES);
}

const DUMMY_ARGON2 =
  `$argon2id$v=19$m=${ARGON2.memorySize},t=${ARGON2.iterations},p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA`;

/** From this cost on bcrypt takes longer than the Argon2id above: 9 takes 33 ms, 10 takes 59 ms, Argon2id 39 ms. */
const SLOW_BCRYPT_COST = 10;

/**
 * A hash of nothing that anybody knows, as costly as the slowest in use (S13).
 *
 * @param highestBcryptCost Of the bcrypt hashes in use; undefined: there is none.
 */
export function dummyHash(highestBcryptCost: number | undefined): string {
  const isSlower = highestBcryptCost !== undefined && highestBcryptCost >= SLOW_BCRYPT_COST;
  return isSlower ? dummyBcrypt(highestBcryptCost) : DUMMY_ARGON2;
}

function dummyBcrypt(cost: number): string {
  return `$2b$${String(cost).padStart(2, "0")}$${"abcdefghijklmnopqrstuu"}${"abcdefghijklmnopqrstuvwxyz01234"}`;
}
