/**
 * Authorization codes (RFC 6749 §4.1.2): kept in memory, by their hashes, for five minutes. A restart forgets them, and
 * the application asks again.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { VaultError } from "../../errors.ts";
import type { Clock, RandomSource } from "../../ports.ts";
import { randomBase62 } from "../../service_tokens/token_text.ts";
import type { CodeChallenge } from "./pkce.ts";
import type { Holder } from "./standing.ts";

/** What a code stands for. */
export interface Grant extends Holder {
  /** Tells the tokens of one grant from those of others. */
  readonly id: string;
  readonly provider: string;
  readonly clientId: string;
  readonly redirectUri: string;
  readonly scopes: readonly string[];
  readonly nonce: string | undefined;
  readonly challenge: CodeChallenge | undefined;
  /** When the user gave proof of who they are, in seconds since 1970; undefined: not known. */
  readonly authTime: number | undefined;
}

/** What comes of presenting a code. */
export type Redeemed =
  | { readonly kind: "grant"; readonly grant: Grant }
  /** It was used before: somebody has a copy (RFC 6749 §10.5). */
  | { readonly kind: "replayed"; readonly grant: Grant }
  | { readonly kind: "unknown" };

interface Entry {
  readonly grant: Grant;
  readonly expiresAt: number;
  isUsed: boolean;
}

const LIFETIME_MS = 300_000;
const CODE_LETTERS = 32;
const MAX_CODES = 10_000;
const MAX_CODES_PER_ENTITY = 100;

/** The codes that are out. */
export class AuthorizationCodes {
  readonly #clock: Clock;
  readonly #random: RandomSource;
  /** In the order of their making, which is that of their ends. */
  readonly #entries = new Map<string, Entry>();
  readonly #countByEntity = new Map<string, number>();

  constructor(clock: Clock, random: RandomSource) {
    this.#clock = clock;
    this.#random = random;
  }

  /**
   * Makes a code.
   *
   * @throws {VaultError} `rate_limited` where too many are out.
   */
  make(grant: Grant): string {
    this.#forgetOld();
    const count = this.#countByEntity.get(grant.entityId) ?? 0;
    if (count >= MAX_CODES_PER_ENTITY || this.#entries.size >= MAX_CODES) {
      throw new VaultError("rate_limited", "Too many authorization codes are waiting to be used");
    }
    const code = randomBase62(this.#random, CODE_LETTERS);
    this.#entries.set(hash(code), { grant, expiresAt: this.#clock.monotonic() + LIFETIME_MS, isUsed: false });
    this.#countByEntity.set(grant.entityId, count + 1);
    return code;
  }

  /** Takes a code: whatever comes of it, it is used up. */
  redeem(code: string): Redeemed {
    this.#forgetOld();
    const entry = this.#entries.get(hash(code));
    if (entry === undefined) return { kind: "unknown" };
    const kind = entry.isUsed ? "replayed" : "grant";
    entry.isUsed = true;
    return { kind, grant: entry.grant };
  }

  #forgetOld(): void {
    const now = this.#clock.monotonic();
    for (const [key, { grant, expiresAt }] of this.#entries) {
      if (expiresAt > now) return;
      this.#entries.delete(key);
      const count = this.#countByEntity.get(grant.entityId)! - 1;
      if (count === 0) this.#countByEntity.delete(grant.entityId);
      else this.#countByEntity.set(grant.entityId, count);
    }
  }
}

function hash(code: string): string {
  return createHash("sha256").update(code, "utf8").digest("base64url");
}
