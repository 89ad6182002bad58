/**
 * What becomes of a signing key's record when it is written or rotated. Nothing here keeps or changes anything.
 *
 * @module
 */

import { VaultError } from "../errors.ts";
import type { OidcKeyPair, OidcKeyRecord, OidcRoleRecord, SigningAlgorithm } from "../storage/identity_records.ts";
import { ALGORITHMS } from "./algorithms.ts";

const DAY = 86_400;
const MIN_ROTATION_PERIOD = 60;
const MAX_PERIODS_TO_VERIFY = 10;

/** What a write of a key may say; absent fields stay. */
export interface OidcKeyInput {
  readonly rotationPeriod?: number;
  readonly verificationTtl?: number;
  /** Null: every role that names the key. */
  readonly allowedClientIds?: readonly string[] | null;
  readonly algorithm?: string;
}

/** What a key is written with. */
export interface KeyWrite {
  readonly name: string;
  readonly input: OidcKeyInput;
  readonly algorithm: SigningAlgorithm;
  /** The pairs that sign now and next, where the algorithm is new; null: those of before. */
  readonly pairs: readonly [OidcKeyPair, OidcKeyPair] | null;
}

/** The record of a key after a write, at the time `now`; its periods must go together ({@link assertPeriods}). */
export function updatedKey(before: OidcKeyRecord | undefined, write: KeyWrite, now: number): OidcKeyRecord {
  const { name, input, algorithm, pairs } = write;
  const rotationPeriod = input.rotationPeriod ?? before?.rotationPeriod ?? DAY;
  const verificationTtl = input.verificationTtl ?? before?.verificationTtl ?? DAY;
  const given = input.allowedClientIds === undefined ? before?.allowedClientIds : input.allowedClientIds ?? undefined;
  // Of pairs of another algorithm, what the first signed still verifies; the second never signed.
  const retired = before === undefined ? [] : pairs === null ? before.retired : retire(before, verificationTtl, now);
  const isRescheduled = before === undefined || rotationPeriod !== before.rotationPeriod || pairs !== null;
  return {
    name,
    algorithm,
    rotationPeriod,
    verificationTtl,
    ...(given === undefined ? {} : { allowedClientIds: given }),
    signing: pairs?.[0] ?? before!.signing,
    next: pairs?.[1] ?? before!.next,
    retired,
    rotatesAt: isRescheduled ? now + rotationPeriod * 1000 : before.rotatesAt,
  };
}

/** The record of a key once its next pair signs, and `next` after that. */
export function rotatedKey(
  record: OidcKeyRecord,
  next: OidcKeyPair,
  verificationTtl: number,
  now: number,
): OidcKeyRecord {
  return {
    ...record,
    signing: record.next,
    next,
    retired: retire(record, verificationTtl, now),
    rotatesAt: now + record.rotationPeriod * 1000,
  };
}

/**
 * Refuses periods that don't go together, or are too short for what a role's tokens live.
 *
 * @throws {VaultError} `invalid_argument`.
 */
export function assertPeriods(
  { name, rotationPeriod, verificationTtl }: OidcKeyRecord,
  roles: Iterable<OidcRoleRecord>,
): void {
  if (rotationPeriod < MIN_ROTATION_PERIOD) {
    throw new VaultError("invalid_argument", "rotation_period must be at least one minute");
  }
  if (verificationTtl > MAX_PERIODS_TO_VERIFY * rotationPeriod) {
    throw new VaultError("invalid_argument", "verification_ttl cannot be longer than 10x rotation_period", {
      hint: "give verification_ttl too: its default is 24h",
    });
  }
  for (const role of roles) if (role.key === name && role.ttl > verificationTtl) throw tooShort(name, verificationTtl);
}

function tooShort(name: string, verificationTtl: number): VaultError {
  return new VaultError(
    "invalid_argument",
    `unable to update key ${
      JSON.stringify(name)
    } because it is currently referenced by one or more roles with a token ttl greater than ${verificationTtl} seconds`,
  );
}

/** An algorithm by its name; undefined where none was given. */
export function algorithmOf(given: string | undefined): SigningAlgorithm | undefined {
  if (given === undefined) return undefined;
  const known = ALGORITHMS.find((one) => one === given);
  if (known !== undefined) return known;
  throw new VaultError("invalid_argument", `unknown signing algorithm ${JSON.stringify(given.slice(0, 20))}`, {
    hint: `algorithms are ${ALGORITHMS.join(", ")}`,
  });
}

/** When something is to be done to a key. */
export function momentsOf({ rotatesAt, retired }: OidcKeyRecord): number[] {
  return [rotatesAt, ...retired.map((pair) => pair.expiresAt!)];
}

/** The pair that signs goes to those that only verify, without its private part. */
function retire(record: OidcKeyRecord, verificationTtl: number, now: number): OidcKeyPair[] {
  const { sealed: _private, ...publicPart } = record.signing;
  return [...record.retired, { ...publicPart, expiresAt: now + verificationTtl * 1000 }];
}
