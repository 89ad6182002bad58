/**
 * The versions of the team secret, unsealed in memory.
 *
 * @module
 */

import type { SecretVersionRecord } from "../storage/records.ts";
import type { VaultState } from "../state.ts";
import type { SealKey } from "./seal_key.ts";

/** The shortest team secret that is not reported as weak, in bytes. */
export const SHORT_SECRET_BYTES = 16;

/** Opens team-secret versions and imports each once as an HKDF key (RFC 5869's `ikm`). */
export class TeamSecrets {
  readonly #state: Pick<VaultState, "secrets">;
  readonly #sealKey: SealKey;
  readonly #imported = new Map<number, Promise<CryptoKey>>();

  constructor(state: Pick<VaultState, "secrets">, sealKey: SealKey) {
    this.#state = state;
    this.#sealKey = sealKey;
  }

  /** The record of a version, or undefined. */
  find(version: number): SecretVersionRecord | undefined {
    return this.#state.secrets.get(version);
  }

  /** The version under which new envelopes are written. */
  get newest(): number {
    return Math.max(...this.#state.secrets.keys());
  }

  /** The versions whose envelopes still open, ascending. */
  get openable(): number[] {
    return [...this.#state.secrets.values()].filter((r) => r.state !== "retired").map((r) => r.version).sort((a, b) =>
      a - b
    );
  }

  /** The secret's bytes, for a check against what an operator supplied. */
  reveal(version: number): Uint8Array {
    return this.#sealKey.open(secretIdentity(version), this.#state.secrets.get(version)!.sealed);
  }

  /** The version as input keying material that can't be read back. */
  hkdfKey(version: number): Promise<CryptoKey> {
    const known = this.#imported.get(version);
    if (known !== undefined) return known;
    const bytes = new Uint8Array(this.reveal(version));
    const imported = crypto.subtle.importKey("raw", bytes, "HKDF", false, ["deriveBits"]);
    this.#imported.set(version, imported);
    return imported;
  }
}

/** The sealed row's identity, part of its associated data. */
export function secretIdentity(version: number): string {
  return `secret/${version}`;
}
