/**
 * The listener of the identity API: an {@link HttpPort}, which knows LIST as a verb and tells who the peer is.
 *
 * @module
 */

import { HttpPort, type RelayThread } from "../../listeners/mod.ts";
import type { Logger } from "../../vault/ports.ts";
import type { TlsMaterial } from "../tls/material.ts";
import type { ApiHandler } from "./api_parts.ts";
import { listenWithoutPlaces } from "./listener_without_places.ts";

/**
 * Connections of clients, each with one inside, so that no client waits for another's to rest: 200 users at once are no
 * attack. Three descriptors each, with those of the other ports they fit into a limit of 1024.
 */
const PLACES = 208;

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
  /** Where the listener may keep sockets of its own; see `HttpPortOptions`. */
  readonly folder?: string;
  /** Where the connections are relayed; see `HttpPortOptions`. */
  readonly thread?: RelayThread | undefined;
  /** How many of that many further connections there are descriptors for. */
  readonly morePlaces?: (wanted: number) => number;
  /** Whether the runtime's TLS servers tell of connections as they come. */
  readonly countsTls: boolean;
}

/** Opens the port; rejects with what makes that impossible. */
export async function listenApi(options: ApiListenerOptions): Promise<ApiListener> {
  const { hostname, port, handler, logger, tls, folder, countsTls, morePlaces, thread } = options;
  if (tls !== null && !countsTls) return listenWithoutPlaces(options, tls);
  const opened = await HttpPort.open({ hostname, port }, {
    name: "api",
    logger,
    folder,
    thread,
    places: PLACES,
    placesInside: PLACES,
    ...(morePlaces === undefined ? {} : { morePlaces }),
    certificate: tls?.current(),
    handler: (request, address) => handler(request, { address, isTls: tls !== null }),
    // The API answers for its own failures; what fails beside it has no body.
    onError: () => new Response(null, { status: 500 }),
  });
  const stopWatching = tls?.onChange((pair) => opened.replaceCertificate(pair));
  return {
    hostname: opened.hostname,
    port: opened.port,
    shutdown: (graceMs) => {
      stopWatching?.();
      return opened.shutdown(graceMs);
    },
  };
}
