/**
 * The identity API over TLS on a runtime before Deno 2.7.13, whose TLS servers tell nothing of a connection before it has
 * asked for something: idle ones take descriptors until there is none left, and then the port closes and opens again.
 *
 * @module
 */

import { KeptServer } from "../../listeners/mod.ts";
import type { TlsMaterial, TlsPair } from "../tls/material.ts";
import type { ApiListener, ApiListenerOptions } from "./listener.ts";

/** How long calls of a replaced certificate's server may take. */
const REPLACED_GRACE_MS = 30_000;

/** Opens the port; what makes that impossible is thrown. */
export function listenWithoutPlaces(options: ApiListenerOptions, tls: TlsMaterial): ApiListener {
  options.logger.log("warn", "listener_without_places", {
    listener: "api",
    hint: `Deno ${Deno.version.deno} can't count TLS connections: let few clients reach this port`,
  });
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

function keep(options: ApiListenerOptions, wantedPort: number, { certPem: cert, keyPem: key }: TlsPair) {
  const { hostname, handler, logger } = options;
  let port = wantedPort;
  const serve = (signal: AbortSignal) => {
    const server = Deno.serve(
      { hostname, port, signal, onListen() {}, cert, key, reusePort: true },
      (request, info) => handler(request, { address: info.remoteAddr.hostname, isTls: true }),
    );
    port = server.addr.port;
    return server;
  };
  const kept = new KeptServer<Deno.NetAddr>(serve, logger, "api");
  kept.start();
  return { kept, port };
}
