/**
 * Access tokens of the provider (RFC 6750): what an application shows to read a user's claims.
 *
 * A token holds what it stands for, sealed under a key of its own, so nothing is stored for it, and nothing can be read
 * or changed in it. That it still counts is asked of the entity and of the token that it came from, each time.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { VaultError } from "../../errors.ts";
import { SealKey } from "../../keys/seal_key.ts";
import type { Clock, RandomSource } from "../../ports.ts";
import type { Grant } from "./codes.ts";
import type { Holder } from "./standing.ts";

/** What an access token stands for. */
export interface AccessGrant extends Holder {
  readonly id: string;
  readonly provider: string;
  readonly clientId: string;
  readonly scopes: readonly string[];
  /** First millisecond at which it is dead. */
  readonly expiresAt: number;
}

const IDENTITY = "oidc/access_token";
const MAX_LENGTH = 8192;
/** Grants whose codes were replayed; more at once than that are an attack that must not fill the memory. */
const MAX_REVOKED = 10_000;

/** Makes and reads access tokens. */
export class AccessTokens {
  readonly #clock: Clock;
  readonly #key: SealKey;
  readonly #revoked = new Map<string, number>();

  /** @param key Derived from the vault's seal key for this purpose alone. */
  constructor(clock: Clock, random: RandomSource, key: Uint8Array) {
    this.#clock = clock;
    this.#key = new SealKey(key, random);
  }

  /** Makes the token of a grant that counts for `ttlSeconds`. */
  make({ id, provider, clientId, scopes, entityId, epoch, sid }: Grant, ttlSeconds: number): string {
    const expiresAt = this.#clock.now() + ttlSeconds * 1000;
    const access: AccessGrant = { id, provider, clientId, scopes, entityId, epoch, sid, expiresAt };
    const sealed = this.#key.seal(IDENTITY, Buffer.from(JSON.stringify(access), "utf8"));
    return Buffer.from(sealed, "base64").toString("base64url");
  }

  /** What a token stands for; undefined for one that is none, has expired, or whose grant was revoked. */
  read(token: string): AccessGrant | undefined {
    if (token.length > MAX_LENGTH || !/^[A-Za-z0-9_-]+$/.test(token)) return undefined;
    const access = this.#open(token);
    if (access === undefined || access.expiresAt <= this.#clock.now() || this.#revoked.has(access.id)) return undefined;
    return access;
  }

  /** Ends what was given for a grant: its code was presented twice. */
  revoke(grantId: string, accessTtlSeconds: number): void {
    const now = this.#clock.now();
    for (const [id, until] of this.#revoked) if (until <= now) this.#revoked.delete(id);
    if (this.#revoked.size >= MAX_REVOKED) this.#revoked.delete(this.#revoked.keys().next().value!);
    this.#revoked.set(grantId, now + accessTtlSeconds * 1000);
  }

  #open(token: string): AccessGrant | undefined {
    try {
      const opened = this.#key.open(IDENTITY, Buffer.from(token, "base64url").toString("base64"));
      return JSON.parse(Buffer.from(opened).toString("utf8")) as AccessGrant;
    } catch (error) {
      if (error instanceof VaultError) return undefined;
      throw error;
    }
  }
}
