/**
 * The listener of the identity API. It is `Deno.serve`, which knows LIST as a verb and tells who the peer is.
 *
 * @module
 */

import { KeptServer } from "../../listeners/mod.ts";
import type { Logger } from "../../vault/ports.ts";
import type { TlsMaterial, TlsPair } from "../tls/material.ts";
import type { ApiHandler } from "./api.ts";

/** An open listener. */
export interface ApiListener {
  readonly hostname: string;
  readonly port: number;
  /** Waits for the calls in flight, `graceMs` at most. Never rejects. */
  shutdown(graceMs: number): Promise<void>;
}

/** What is listened with. */
export interface ApiListenerOptions {
  readonly hostname: string;
  /** 0 picks a free one. */
  readonly port: number;
  readonly handler: ApiHandler;
  readonly logger: Logger;
  /** Null: plaintext. */
  readonly tls: TlsMaterial | null;
}

/** How long calls of a replaced certificate's server may take. */
const REPLACED_GRACE_MS = 30_000;

/** Opens the port; what makes that impossible is thrown. */
export function listenApi(options: ApiListenerOptions): ApiListener {
  const { tls } = options;
  if (tls === null) {
    const { kept, port } = keep(options, options.port, null);
    return { hostname: options.hostname, port, shutdown: (graceMs) => kept.shutdown(graceMs) };
  }
  let { kept, port } = keep(options, options.port, tls.current());
  // A second server on the same port takes new connections with the new certificate; the first ends when it is idle.
  const stopWatching = tls.onChange((pair) => {
    const former = kept;
    kept = keep(options, port, pair).kept;
    void former.shutdown(REPLACED_GRACE_MS);
  });
  return {
    hostname: options.hostname,
    port,
    shutdown: async (graceMs) => {
      stopWatching();
      await kept.shutdown(graceMs);
    },
  };
}

function keep(options: ApiListenerOptions, wantedPort: number, pair: TlsPair | null) {
  const { hostname, handler, logger } = options;
  let port = wantedPort;
  const serve = (signal: AbortSignal) => {
    const address = { hostname, port, signal, onListen() {} };
    const secured = pair === null ? {} : { cert: pair.certPem, key: pair.keyPem, reusePort: true };
    const server = Deno.serve(
      { ...address, ...secured },
      (request, info) => handler(request, { address: info.remoteAddr.hostname, isTls: pair !== null }),
    );
    port = server.addr.port;
    return server;
  };
  const kept = new KeptServer<Deno.NetAddr>(serve, logger, "api");
  kept.start();
  return { kept, port };
}
