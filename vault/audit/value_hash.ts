/**
 * Secret values in the trail: two entries can be compared, and nothing read.
 *
 * @module
 */

import { TokenHasher } from "../service_tokens/token_text.ts";
import type { SealKey } from "../keys/seal_key.ts";

/** Hashes values under a key of the vault's own, the same for as long as the vault has its seal key. */
export class ValueHasher {
  readonly #hasher: TokenHasher;

  constructor(sealKey: SealKey) {
    this.#hasher = new TokenHasher(sealKey.deriveKey("runevault/audit-values"));
  }

  /** `hmac-sha256:` and the HMAC-SHA256 of a value, hex. */
  hash(value: string): string {
    return `hmac-sha256:${this.#hasher.hash(value)}`;
  }
}
