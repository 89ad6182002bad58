/**
 * The HTTP server behind a port for the requests of one peer, on a unix socket that nobody but this process can reach.
 *
 * @module
 */

import type { Logger } from "../vault/ports.ts";
import { KeptServer } from "./kept_server.ts";

/** What the server is made of. */
export interface ServerBehindOptions {
  /** What the log calls it. */
  readonly name: string;
  readonly logger: Logger;
  /** `peer` is the address that the connection comes from; empty on a unix socket. */
  readonly handler: (request: Request, peer: string) => Response | Promise<Response>;
  /** Answers for a handler that threw. */
  readonly onError: (error: unknown) => Response;
}

/** A server that is listening. */
export class ServerBehind {
  readonly #kept: KeptServer<Deno.UnixAddr>;

  /** Opens the server; what makes that impossible is thrown. */
  constructor(path: string, peer: string, { name, logger, handler, onError }: ServerBehindOptions) {
    const open = (signal: AbortSignal) =>
      Deno.serve({ path, signal, onListen() {}, onError }, (request) => handler(request, peer));
    this.#kept = new KeptServer(open, logger, name);
    this.#kept.start();
  }

  /**
   * Accepts no more connections and waits for the calls in flight, `graceMs` at most; those that take longer end with
   * the process. Never rejects.
   */
  shutdown(graceMs: number): Promise<void> {
    return this.#kept.shutdown(graceMs);
  }
}
