/**
 * Versions of the team secret: import, rotation, retirement.
 *
 * @module
 */

import { VaultError } from "../errors.ts";
import type { Clock, RandomSource } from "../ports.ts";
import type { VaultState } from "../state.ts";
import type { SecretState, SecretVersionRecord } from "../storage/records.ts";
import type { Write } from "../storage/store.ts";
import type { Writer } from "../writer.ts";
import type { SealKey } from "./seal_key.ts";
import { secretIdentity } from "./team_secrets.ts";

const RANDOM_SECRET_BYTES = 32;

/** What may be told of a version; the fingerprint is keyed and helps no guesser. */
export interface SecretVersion {
  readonly version: number;
  readonly state: SecretState;
  readonly createdAt: number;
  readonly fingerprint: string;
  /** Current tokens that were issued under this version: their version-1 envelopes depend on it. */
  readonly liveTokens: number;
}

/** Everything an operator does with the team secret. It is never shown. */
export class SecretService {
  readonly #state: VaultState;
  readonly #writer: Writer;
  readonly #sealKey: SealKey;
  readonly #clock: Clock;
  readonly #random: RandomSource;

  constructor(state: VaultState, writer: Writer, sealKey: SealKey, clock: Clock, random: RandomSource) {
    this.#state = state;
    this.#writer = writer;
    this.#sealKey = sealKey;
    this.#clock = clock;
    this.#random = random;
  }

  /** All versions, oldest first. */
  list(): SecretVersion[] {
    const live = new Map<number, number>();
    for (const { token } of this.#state.userList) {
      if (token !== null) live.set(token.record.secretVersion, (live.get(token.record.secretVersion) ?? 0) + 1);
    }
    return [...this.#state.secrets.values()]
      .sort((a, b) => a.version - b.version)
      .map((record) => toSummary(record, live.get(record.version) ?? 0));
  }

  /** Draws a new random version and makes it the one that seals; the one before it only opens from now on. */
  rotate(): Promise<SecretVersion> {
    return this.#writer.change(() => {
      const newest = this.#state.secrets.get(Math.max(...this.#state.secrets.keys()))!;
      const bytes = this.#random.bytes(RANDOM_SECRET_BYTES);
      const next = sealSecret(this.#sealKey, newest.version + 1, bytes, this.#clock.now());
      return {
        writes: [putSecret({ ...newest, state: "open-only" }), putSecret(next)],
        result: () => toSummary(next, 0),
      };
    });
  }

  /**
   * Ends a version: nothing sealed under it opens again. The secret stays in the store, sealed.
   *
   * @throws {VaultError} `not_found`, or `precondition_failed` for the newest version.
   */
  retire(version: number): Promise<SecretVersion> {
    return this.#writer.change(() => {
      const record = this.#state.secrets.get(version);
      if (record === undefined) throw new VaultError("not_found", `No version ${version} of the team secret`);
      if (record.state === "active") {
        throw new VaultError("precondition_failed", `Version ${version} is the one that seals`, {
          hint: "run `runevault secret rotate` first",
        });
      }
      const retired: SecretVersionRecord = { ...record, state: "retired" };
      return { writes: [putSecret(retired)], result: () => this.list().find((v) => v.version === version)! };
    });
  }
}

/** A version's record, sealed, as the active one. */
export function sealSecret(sealKey: SealKey, version: number, bytes: Uint8Array, now: number): SecretVersionRecord {
  return {
    version,
    state: "active",
    createdAt: now,
    sealed: sealKey.seal(secretIdentity(version), bytes),
    fingerprint: sealKey.fingerprintOf(bytes),
  };
}

/** The write that stores a version. */
export function putSecret(record: SecretVersionRecord): Write {
  return { kind: "secret", key: String(record.version), value: record };
}

function toSummary(record: SecretVersionRecord, liveTokens: number): SecretVersion {
  const { version, state, createdAt, fingerprint } = record;
  return { version, state, createdAt, fingerprint, liveTokens };
}
