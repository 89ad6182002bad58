/**
 * Password hashes: which are made, which are taken over, and what each costs.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { VaultError } from "../errors.ts";
import type { RandomSource } from "../ports.ts";

/** Argon2id (RFC 9106): 19 MiB as OWASP asks for at the least, and five passes over them where it asks for two. */
export const ARGON2 = { iterations: 5, memorySize: 19_456, parallelism: 1, hashLength: 32 } as const;
const OUR_COSTS = costsOf(ARGON2.iterations);
/** The costs of an Argon2id hash in PHC form. */
const ARGON2_COSTS = /^\$argon2id\$v=19\$m=([0-9]+),t=([0-9]+),p=1\$/;

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

/** Whether a hash is as those that are made now; any other is replaced at the next login. */
export function isOfOurMaking(hash: string): boolean {
  return hash.startsWith(OUR_COSTS);
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

/** A hash of our making that no password fits: a login with it is closed until somebody sets a new password. */
export function unmatchedHash(random: RandomSource): string {
  const [salt, digest] = [random.bytes(16), random.bytes(ARGON2.hashLength)].map((bytes) =>
    Buffer.from(bytes).toString("base64").replaceAll("=", "")
  );
  return `${OUR_COSTS}${salt}$${digest}`;
}

/** How a hash of ours begins that makes so many passes. */
function costsOf(passes: number): string {
  return `$argon2id$v=19$m=${ARGON2.memorySize},t=${passes},p=${ARGON2.parallelism}$`;
}

/**
 * What is hashed after a password didn't fit, so that every failure costs as much: one Argon2id, and the work of the slowest
 * bcrypt hash in use (S13). The work of Argon2id is that of its passes, so one of two passes and one of three make one of five;
 * bcrypt's doubles with its cost, so c, c, c + 1, … n - 1 make one of n.
 *
 * @param tried The hash that was tried; undefined: none, as there is no such user.
 * @param highestBcryptCost Of the bcrypt hashes in use; undefined: there is none.
 */
export function dummiesAfter(tried: string | undefined, highestBcryptCost: number | undefined): string[] {
  const cost = tried === undefined ? undefined : bcryptCost(tried);
  const missing = ARGON2.iterations - (tried === undefined ? 0 : passesOf(tried));
  const argon2 = missing > 0 ? [dummyArgon2(missing)] : [];
  if (highestBcryptCost === undefined) return argon2;
  if (cost === undefined) return [...argon2, dummyBcrypt(highestBcryptCost)];
  const rest = Array.from({ length: Math.max(0, highestBcryptCost - cost) }, (_, i) => dummyBcrypt(cost + i));
  return [...argon2, ...rest];
}

/** How many passes over the memory of one of ours take as much work as a hash does; 0 for one that isn't Argon2id. */
function passesOf(hash: string): number {
  const [, memory = 0, passes = 0] = ARGON2_COSTS.exec(hash) ?? [];
  return Math.round(Number(memory) * Number(passes) / ARGON2.memorySize);
}

function dummyArgon2(passes: number): string {
  return `${costsOf(passes)}${"A".repeat(22)}$${"A".repeat(43)}`;
}

function dummyBcrypt(cost: number): string {
  return `$2b$${String(cost).padStart(2, "0")}$${"abcdefghijklmnopqrstuu"}${"abcdefghijklmnopqrstuvwxyz01234"}`;
}
