/**
 * What a TLS listener needs, whoever made it.
 *
 * @module
 */

/** A certificate chain and its private key, both PEM. */
export interface TlsPair {
  /** The server's certificate first, then those it hangs on. */
  readonly certPem: string;
  /** Secret: never log it. */
  readonly keyPem: string;
}

/** Certificate and key of a listener, which may be replaced while it is open. */
export interface TlsMaterial {
  /** The pair in use now. */
  current(): TlsPair;
  /** Calls `listener` after each replacement, until the returned function is called. */
  onChange(listener: (pair: TlsPair) => void): () => void;
  /** When the certificate in use expires, in ms since 1970. */
  readonly notAfter: number;
  /** Stops looking for replacements; what is in use stays usable. Safe to repeat. */
  close(): Promise<void>;
}
