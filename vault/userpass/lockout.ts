/**
 * Guessing passwords: how often it may fail before nobody is listened to for a while (S13).
 *
 * Names that nobody has are counted and locked like others, so that a lock tells nothing. An address from which a user
 * logged in lately is counted apart: others' failures don't lock the user out.
 *
 * @module
 */

import { createHmac } from "node:crypto";
import { VaultError } from "../errors.ts";
import type { Clock, RandomSource } from "../ports.ts";
import type { MountRecord } from "../storage/identity_records.ts";

const DEFAULTS = { threshold: 5, durationSeconds: 900, counterResetSeconds: 900 };
const MAX_ENTRIES = 100_000;
const MAX_QUEUE = 64;

/** Who is trying, where. */
export interface Attempt {
  readonly mount: MountRecord;
  /** Lower case. */
  readonly username: string;
  /** Whether a user of this name exists: only then is the name kept. */
  readonly exists: boolean;
  /** The address, where it is one of those that this user is known by. */
  readonly knownAddress: string | undefined;
}

/** One locked name. */
export interface LockedUser {
  readonly mountAccessor: string;
  readonly username: string;
  readonly failures: number;
  readonly secondsLeft: number;
  /** Whether only attempts from one known address are locked. */
  readonly isOneAddress: boolean;
}

interface Entry {
  readonly nameKey: string;
  readonly mountAccessor: string;
  /** Kept only while a user of this name exists (S25). */
  username: string | undefined;
  readonly isOneAddress: boolean;
  failures: number;
  inFlight: number;
  lastFailureAt: number;
  lockedUntil: number;
  readonly waiting: (() => void)[];
}

/** Counts failures. It lives in memory: a restart forgets, as upstream does. */
export class Lockout {
  readonly #clock: Clock;
  readonly #key: Uint8Array;
  readonly #entries = new Map<string, Entry>();

  constructor(clock: Clock, random: RandomSource) {
    this.#clock = clock;
    this.#key = random.bytes(32);
  }

  /**
   * Performs one attempt, unless the name is locked: then nothing is performed. Of attempts that come at once no more
   * run than could fail before the lock.
   *
   * @param perform Resolves with whether it succeeded; where it throws, nothing was tried and nothing is counted.
   * @throws {VaultError} `permission_denied` for a locked name, `rate_limited` where too many wait.
   */
  async guard(attempt: Attempt, perform: () => Promise<boolean>): Promise<boolean> {
    const limits = { ...DEFAULTS, ...attempt.mount.lockout };
    if (limits.disabled) return await perform();
    const entry = this.#entry(attempt);
    await this.#enter(entry, limits);
    let succeeded: boolean | undefined;
    try {
      return succeeded = await perform();
    } finally {
      this.#leave(entry, succeeded, limits);
    }
  }

  /** Names that are locked now, of users who exist. */
  locked(): LockedUser[] {
    const now = this.#clock.monotonic();
    return [...this.#entries.values()].filter((entry) => entry.lockedUntil > now && entry.username !== undefined).map(
      ({ mountAccessor, username, failures, lockedUntil, isOneAddress }) => ({
        mountAccessor,
        username: username!,
        failures,
        secondsLeft: Math.ceil((lockedUntil - now) / 1000),
        isOneAddress,
      }),
    );
  }

  /** Whether a name is locked, from anywhere or from one address. */
  isLocked(mountAccessor: string, username: string): boolean {
    return this.locked().some((one) => one.mountAccessor === mountAccessor && one.username === username);
  }

  /** Forgets every failure of a name. */
  unlock(mountAccessor: string, username: string): void {
    const nameKey = this.#hmac(`${mountAccessor}\n${username}`);
    for (const [key, entry] of this.#entries) {
      if (entry.nameKey === nameKey && entry.inFlight === 0) this.#entries.delete(key);
      else if (entry.nameKey === nameKey) entry.failures = entry.lockedUntil = 0;
    }
  }

  #entry({ mount, username, exists, knownAddress }: Attempt): Entry {
    const nameKey = this.#hmac(`${mount.accessor}\n${username}`);
    const key = knownAddress === undefined ? nameKey : this.#hmac(`${mount.accessor}\n${username}\n${knownAddress}`);
    const known = this.#entries.get(key);
    if (known !== undefined) {
      known.username = exists ? username : undefined;
      return known;
    }
    const entry: Entry = {
      nameKey,
      mountAccessor: mount.accessor,
      username: exists ? username : undefined,
      isOneAddress: knownAddress !== undefined,
      failures: 0,
      inFlight: 0,
      lastFailureAt: 0,
      lockedUntil: 0,
      waiting: [],
    };
    this.#makeRoom();
    this.#entries.set(key, entry);
    return entry;
  }

  async #enter(entry: Entry, limits: typeof DEFAULTS): Promise<void> {
    for (;;) {
      const now = this.#clock.monotonic();
      const isOver = entry.failures >= limits.threshold;
      // Fewer may fail than did already where the mount was tuned since.
      if (isOver && entry.lockedUntil === 0) entry.lockedUntil = lockEnd(entry, limits);
      if (entry.lockedUntil > now) throw new VaultError("permission_denied", "permission denied");
      if (isOver || entry.lockedUntil > 0 || now - entry.lastFailureAt > limits.counterResetSeconds * 1000) {
        entry.failures = entry.lockedUntil = 0;
      }
      if (entry.failures + entry.inFlight < limits.threshold) break;
      if (entry.waiting.length >= MAX_QUEUE) {
        throw new VaultError("rate_limited", "too many logins of one name at once");
      }
      await new Promise<void>((resolve) => entry.waiting.push(resolve));
    }
    entry.inFlight++;
  }

  #leave(entry: Entry, succeeded: boolean | undefined, limits: typeof DEFAULTS): void {
    entry.inFlight--;
    if (succeeded === true) entry.failures = 0;
    if (succeeded === false) {
      entry.failures++;
      entry.lastFailureAt = this.#clock.monotonic();
      if (entry.failures >= limits.threshold) entry.lockedUntil = lockEnd(entry, limits);
    }
    for (const wake of entry.waiting.splice(0)) wake();
  }

  /** The oldest that isn't locked goes first, else the oldest. */
  #makeRoom(): void {
    if (this.#entries.size < MAX_ENTRIES) return;
    const now = this.#clock.monotonic();
    let looked = 0;
    for (const [key, { lockedUntil, inFlight }] of this.#entries) {
      if (inFlight === 0 && (lockedUntil <= now || ++looked > 100)) return void this.#entries.delete(key);
    }
  }

  #hmac(text: string): string {
    return createHmac("sha256", this.#key).update(text, "utf8").digest("base64");
  }
}

function lockEnd({ lastFailureAt }: Entry, { durationSeconds }: typeof DEFAULTS): number {
  return lastFailureAt + durationSeconds * 1000;
}
