/**
 * Certificate and key from files that somebody else replaces, such as a certificate tool.
 *
 * The contents are compared, not times or inode numbers: that sees every way of replacing a file (rename, rewriting in
 * place, a symbolic link pointed elsewhere), on every file system.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { asVaultError, VaultError } from "../../vault/errors.ts";
import type { Clock, Logger } from "../../vault/ports.ts";
import { isoTime } from "./iso_time.ts";
import type { TlsMaterial, TlsPair } from "./material.ts";
import { assertMatchingPair, type MatchingPair, type PairNames } from "./pair.ts";
import { repeat, type Repetition } from "./repeat.ts";
import { type KeyModeRule, readKeyFile, readPublicFile } from "./tls_file.ts";

/** What to watch, and what to do it with. */
export interface TlsFilesOptions {
  /** The chain, the server's own certificate first. */
  readonly certPath: string;
  /** The private key; may be the same file. */
  readonly keyPath: string;
  /** How often to look. A replacement is in use after two intervals at most; 2 unless given. */
  readonly intervalSeconds?: number | undefined;
  readonly keyMode?: KeyModeRule | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
}

const INTERVAL_SECONDS = 2;

/**
 * Loads a pair, and takes over each valid one that replaces it.
 *
 * A replacement that is broken (unparsable, not matching, expired, not valid yet, key readable by others) leaves the
 * old pair in use and is logged once. A change is acted on only when two looks in a row found the same contents:
 * certificate and key are replaced one after the other, and half a change is not an error.
 *
 * @throws {VaultError} `config_invalid` when the pair cannot be used at the start.
 */
export async function watchTlsFiles(options: TlsFilesOptions): Promise<TlsMaterial> {
  const first = await readState(options);
  const pair = usablePair(first, options);
  if (pair.notBefore > options.clock.now()) {
    // Not refused: after a boot the clock may be behind until the network has told the time.
    options.logger.log("warn", "tls_certificate_not_yet_valid", describe(pair, options));
  }
  return new WatchedTlsFiles(options, first.digest, pair);
}

/** The files as one look found them: their texts, or why they could not be read. */
interface FileState {
  readonly digest: string;
  readonly found: { readonly certPem: string; readonly keyPem: string } | VaultError;
}

async function readState(options: TlsFilesOptions): Promise<FileState> {
  try {
    const certPem = await readPublicFile(options.certPath);
    const keyPem = await readKeyFile(options.keyPath, options.keyMode ?? {});
    return { digest: digestOf("read", certPem, keyPem), found: { certPem, keyPem } };
  } catch (thrown) {
    const error = asVaultError(thrown);
    return { digest: digestOf("unreadable", error.message, ""), found: error };
  }
}

function digestOf(...parts: readonly string[]): string {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(`${part.length}:${part}`);
  return hash.digest("hex");
}

function usablePair(state: FileState, options: TlsFilesOptions): MatchingPair {
  if (state.found instanceof VaultError) throw state.found;
  const names: PairNames = { cert: `"${options.certPath}"`, key: `"${options.keyPath}"` };
  const pair = assertMatchingPair(state.found.certPem, state.found.keyPem, names);
  if (pair.notAfter > options.clock.now()) return pair;
  throw new VaultError("config_invalid", `The certificate in ${names.cert} expired on ${isoTime(pair.notAfter)}`, {
    hint: "Put a valid pair there; the key must belong to it",
  });
}

function describe(pair: MatchingPair, options: TlsFilesOptions): Record<string, unknown> {
  return {
    certPath: options.certPath,
    fingerprint: pair.certificate.fingerprint256,
    notBefore: isoTime(pair.notBefore),
    notAfter: isoTime(pair.notAfter),
  };
}

class WatchedTlsFiles implements TlsMaterial {
  readonly #options: TlsFilesOptions;
  readonly #listeners = new Set<(pair: TlsPair) => void>();
  readonly #repetition: Repetition;
  #pair: MatchingPair;
  /** What is in use. */
  #usedDigest: string;
  /** What the look before this one found. */
  #seenDigest: string;
  /** The broken state that was logged last; null once the files are in order again. */
  #loggedDigest: string | null = null;

  constructor(options: TlsFilesOptions, digest: string, pair: MatchingPair) {
    this.#options = options;
    this.#pair = pair;
    this.#usedDigest = this.#seenDigest = digest;
    this.#repetition = repeat(options.intervalSeconds ?? INTERVAL_SECONDS, () => this.#look());
  }

  get notAfter(): number {
    return this.#pair.notAfter;
  }

  current(): TlsPair {
    return { certPem: this.#pair.certPem, keyPem: this.#pair.keyPem };
  }

  onChange(listener: (pair: TlsPair) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async close(): Promise<void> {
    this.#listeners.clear();
    await this.#repetition.stop();
  }

  async #look(): Promise<void> {
    const state = await readState(this.#options);
    const settled = state.digest === this.#seenDigest;
    this.#seenDigest = state.digest;
    if (state.digest === this.#usedDigest) this.#loggedDigest = null;
    else if (settled) this.#tryToUse(state);
  }

  #tryToUse(state: FileState): void {
    try {
      const pair = usablePair(state, this.#options);
      if (pair.notBefore > this.#options.clock.now()) throw notYetValid(pair, this.#options);
      this.#use(state.digest, pair);
    } catch (thrown) {
      this.#refuse(state.digest, asVaultError(thrown));
    }
  }

  #use(digest: string, pair: MatchingPair): void {
    this.#pair = pair;
    this.#usedDigest = digest;
    this.#loggedDigest = null;
    this.#options.logger.log("info", "tls_certificate_replaced", describe(pair, this.#options));
    for (const listener of this.#listeners) this.#tell(listener);
  }

  /** One listener that fails must not keep the others on the old certificate. */
  #tell(listener: (pair: TlsPair) => void): void {
    try {
      listener(this.current());
    } catch (thrown) {
      const reason = thrown instanceof Error ? thrown.message : "unknown";
      this.#options.logger.log("error", "tls_listener_not_updated", { certPath: this.#options.certPath, reason });
    }
  }

  #refuse(digest: string, error: VaultError): void {
    if (this.#loggedDigest === digest) return;
    this.#loggedDigest = digest;
    const { certPath, keyPath, logger } = this.#options;
    const inUseUntil = isoTime(this.#pair.notAfter);
    logger.log("error", "tls_certificate_refused", {
      certPath,
      keyPath,
      reason: error.message,
      hint: error.hint,
      inUseUntil,
    });
  }
}

function notYetValid(pair: MatchingPair, options: TlsFilesOptions): VaultError {
  const from = isoTime(pair.notBefore);
  return new VaultError("config_invalid", `The certificate in "${options.certPath}" is valid only from ${from} on`, {
    hint: "It is taken into use then; if that is past already, check the clock",
  });
}
