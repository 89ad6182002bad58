/**
 * Renewing service tokens.
 *
 * @module
 */

import { VaultError } from "../errors.ts";
import type { ServiceTokenRecord } from "../storage/identity_records.ts";
import { cappedWarning } from "./minting.ts";
import { type LifetimeInput, renewedLifetime } from "./lifetimes.ts";
import { ROOT_TOKEN_PATH } from "./root_tokens.ts";
import type { ServiceTokens, ServiceTokenSurroundings } from "./service_tokens.ts";

/** What the auth method that made a login token says of its renewal now. */
export interface LoginRenewal {
  /** The limits of the login as they are now; null: the login is gone, so nothing is renewed. */
  limitsOf(record: ServiceTokenRecord): { readonly maxTtl: number; readonly policies: readonly string[] } | null;
}

/** A token renewed. */
export interface Renewed {
  readonly record: ServiceTokenRecord;
  readonly warnings: readonly string[];
}

/** Renews tokens. */
export class TokenRenewal {
  readonly #in: ServiceTokenSurroundings;
  readonly #tokens: ServiceTokens;
  readonly #logins = new Map<string, LoginRenewal>();

  constructor(surroundings: ServiceTokenSurroundings, tokens: ServiceTokens) {
    this.#in = surroundings;
    this.#tokens = tokens;
  }

  /** Has mounts of a type asked before tokens of their logins are renewed. */
  registerLogins(mountType: string, renewal: LoginRenewal): void {
    this.#logins.set(mountType, renewal);
  }

  /**
   * Lengthens (or shortens) a token's life.
   *
   * @param increment Seconds from now; 0: as long as it was granted last.
   * @returns null where the login that made it is gone.
   * @throws {VaultError} `invalid_argument` for one that can't be renewed.
   */
  renew(hash: string, increment: number): Promise<Renewed | null> {
    return this.#in.writer.change<Renewed | null>(() => {
      const record = this.#tokens.index.get(hash);
      if (record === undefined || !this.#tokens.isLive(record)) {
        throw new VaultError("invalid_argument", "token not found");
      }
      if (record.path === ROOT_TOKEN_PATH) throw new VaultError("invalid_argument", "invalid lease ID");
      if (!record.renewable || record.expiresAt === null) {
        throw new VaultError("invalid_argument", "lease is not renewable");
      }
      const limits = this.#limits(record);
      if (limits === null) return { writes: [], result: () => null };
      const now = this.#in.clock.now();
      const age = Math.floor((now - record.createdAt) / 1000);
      const granted = renewedLifetime(limits, increment, age);
      if (granted.ttl <= 0) throw new VaultError("invalid_argument", "past the max TTL, cannot renew");
      const renewed: ServiceTokenRecord = {
        ...record,
        ttl: granted.ttl,
        renewedAt: now,
        expiresAt: now + granted.ttl * 1000,
      };
      const warnings = granted.cappedFrom === undefined
        ? []
        : [cappedWarning(granted.cappedFrom, granted.effectiveMax!)];
      return {
        writes: [{ kind: "service_token", key: hash, value: renewed }],
        result: () => ({ record: renewed, warnings }),
      };
    });
  }

  #limits(record: ServiceTokenRecord): LifetimeInput | null {
    const mount = this.#in.mounts.byAccessor(record.mountAccessor);
    const lifetimes = mount === undefined ? null : this.#in.mounts.lifetimes(mount);
    const maxTtl = lifetimes?.maxTtl ?? record.creationTtl;
    const base = {
      ttl: record.ttl,
      explicitMaxTtl: record.explicitMaxTtl,
      period: record.period,
      defaultTtl: record.ttl,
    };
    const login = record.login === undefined || mount === undefined ? undefined : this.#logins.get(mount.type);
    if (login === undefined) return { ...base, maxTtl };
    const now = login.limitsOf(record);
    if (now === null) return null;
    if (now.policies.join() !== record.policies.join()) {
      throw new VaultError("invalid_argument", "failed to renew entry: policies have changed, not renewing", {
        hint: "log in again",
      });
    }
    return { ...base, maxTtl: now.maxTtl > 0 ? Math.min(now.maxTtl, maxTtl) : maxTtl };
  }
}
