/**
 * Per-user data keys: derived on demand, never stored.
 *
 * HKDF-SHA-256 (RFC 5869) with a version of the team secret as `ikm`. The version-1 derivation has no salt (RFC 5869
 * §2.2 reads that as zeros) and the agent id as `info`; both are frozen, since data written by Rune-Vault can only be
 * read this way. Version-2 envelopes have a key of their own: under one shared key, opening a version-1 envelope (AES-CTR
 * without authentication) would be an oracle for the key stream of version 2 (AES-GCM), and so for forgeries.
 * Deciding who may ask for a key is the caller's duty.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import type { TeamSecrets } from "./team_secrets.ts";

/** The envelope version that a data key is for. One key, one use. */
export type EnvelopeVersion = 1 | 2;

/** What an agent id looks like. No other text from outside may reach HKDF's `info`. */
export const AGENT_ID = /^[0-9a-f]{32}$/;

/** The most keys kept in memory, about 200 bytes each. */
const MAX_CACHED_KEYS = 20_000;

const SALT_V2 = Buffer.from("runevault/v2", "utf8");

/** Derives data keys and caches those of agent ids that the vault knows. */
export class AgentKeys {
  readonly #secrets: TeamSecrets;
  readonly #cache = new Map<string, Buffer>();

  constructor(secrets: TeamSecrets) {
    this.#secrets = secrets;
  }

  /** A key derived before, or undefined: the synchronous way for the common case. */
  cached(agentId: string, secretVersion: number, envelope: EnvelopeVersion): Buffer | undefined {
    const name = cacheName(agentId, secretVersion, envelope);
    const key = this.#cache.get(name);
    if (key === undefined) return undefined;
    // A Map keeps insertion order: putting a key back makes it the youngest.
    this.#cache.delete(name);
    this.#cache.set(name, key);
    return key;
  }

  /**
   * The data key of an agent, 32 bytes.
   *
   * @param agentId 32 lower-case hex digits; anything else is a programmer's mistake.
   * @param known Whether the vault issued this agent id. Unknown ones are derived and not kept, or an outsider's
   *   inventions would push out the keys in use.
   */
  async derive(agentId: string, secretVersion: number, envelope: EnvelopeVersion, known: boolean): Promise<Buffer> {
    const cached = this.cached(agentId, secretVersion, envelope);
    if (cached !== undefined) return cached;
    if (!AGENT_ID.test(agentId)) throw new TypeError("An agent id is 32 lower-case hex digits");
    const ikm = await this.#secrets.hkdfKey(secretVersion);
    const key = Buffer.from(await crypto.subtle.deriveBits(hkdf(agentId, envelope), ikm, 256));
    if (known) this.#keep(cacheName(agentId, secretVersion, envelope), key);
    return key;
  }

  #keep(name: string, key: Buffer): void {
    if (this.#cache.size >= MAX_CACHED_KEYS) this.#cache.delete(this.#cache.keys().next().value!);
    this.#cache.set(name, key);
  }
}

function cacheName(agentId: string, secretVersion: number, envelope: EnvelopeVersion): string {
  return `${envelope}${agentId}${secretVersion}`;
}

function hkdf(agentId: string, envelope: EnvelopeVersion): HkdfParams {
  return envelope === 1
    ? { name: "HKDF", hash: "SHA-256", salt: new Uint8Array(0), info: Buffer.from(agentId, "utf8") }
    : { name: "HKDF", hash: "SHA-256", salt: SALT_V2, info: Buffer.from(`dek\n${agentId}`, "utf8") };
}
