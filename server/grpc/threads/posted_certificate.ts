/**
 * The certificate of a thread, as the main thread posts it.
 *
 * @module
 */

import type { CertificatePair, TlsMaterial } from "../credentials.ts";

/** A pair that is replaced by message. */
export class PostedCertificate implements TlsMaterial {
  readonly #listeners = new Set<(pair: CertificatePair) => void>();
  #pair: CertificatePair;

  constructor(pair: CertificatePair) {
    this.#pair = pair;
  }

  current(): CertificatePair {
    return this.#pair;
  }

  onChange(listener: (pair: CertificatePair) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Takes the pair for connections made from now on. */
  replace(pair: CertificatePair): void {
    this.#pair = pair;
    for (const listener of this.#listeners) listener(pair);
  }
}
