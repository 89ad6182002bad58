/**
 * How the gRPC port proves who it is, and whom it lets connect.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import type { SecureContextOptions } from "node:tls";
import { ServerCredentials } from "@grpc/grpc-js";

/** A certificate chain and its private key, both PEM. */
export interface CertificatePair {
  readonly certPem: string;
  readonly keyPem: string;
}

/** A certificate and key that may be replaced while the port is open. Hands out pairs that match, and no others. */
export interface TlsMaterial {
  current(): CertificatePair;
  /** Calls `listener` after each replacement, until the returned function is called. */
  onChange(listener: (pair: CertificatePair) => void): () => void;
}

/** What to demand of clients. */
export interface TlsOptions {
  /** PEM of the authorities whose certificates clients must show. Absent: clients need none. */
  readonly clientCaPem?: string;
}

/** Returns credentials for a port without TLS. */
export function plaintextCredentials(): ServerCredentials {
  return ServerCredentials.createInsecure();
}

/** Returns credentials for TLS 1.2 and newer; connections made after a replacement of `material` see the new pair. */
export function tlsCredentials(material: TlsMaterial, options: TlsOptions = {}): ServerCredentials {
  return new ReloadingCredentials(material, options);
}

type Watcher = Parameters<ServerCredentials["_addWatcher"]>[0];

/** grpc-js hands what a watcher gets to `setSecureContext` of its HTTP/2 servers. */
class ReloadingCredentials extends ServerCredentials {
  readonly #material: TlsMaterial;
  readonly #options: TlsOptions;
  #unsubscribe: (() => void) | undefined;

  constructor(material: TlsMaterial, options: TlsOptions) {
    const demanded = options.clientCaPem !== undefined;
    const serverOptions = { minVersion: "TLSv1.2", requestCert: demanded, rejectUnauthorized: demanded } as const;
    super(serverOptions, contextOptions(material.current(), options));
    this.#material = material;
    this.#options = options;
  }

  override _addWatcher(watcher: Watcher): void {
    super._addWatcher(watcher);
    this.#unsubscribe ??= this.#material.onChange((pair) => {
      this.updateSecureContextOptions(contextOptions(pair, this.#options));
    });
  }

  override _removeWatcher(watcher: Watcher): void {
    super._removeWatcher(watcher);
    if (this.getWatcherCount() > 0) return;
    this.#unsubscribe?.();
    this.#unsubscribe = undefined;
  }

  override _equals(other: ServerCredentials): boolean {
    return this === other;
  }
}

/**
 * The authorities are always named: without them the runtime takes every root of the machine, and lists them all in
 * the handshake, which clients refuse as too long. Where no client certificate is asked for, the list is not used.
 */
function contextOptions(pair: CertificatePair, { clientCaPem }: TlsOptions): SecureContextOptions {
  return {
    ca: Buffer.from(clientCaPem ?? pair.certPem),
    cert: Buffer.from(pair.certPem),
    key: Buffer.from(pair.keyPem),
  };
}
