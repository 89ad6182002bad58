/**
 * The HTTP server behind a port, on a unix socket that nobody but this process can reach.
 *
 * @module
 */

import { connect, type Socket } from "node:net";
import type { Logger } from "../vault/ports.ts";
import { KeptServer } from "./kept_server.ts";

/** Connections that it has at once; each costs two descriptors. */
const PLACES = 24;
/** The kernel takes no longer path for a unix socket. */
const MAX_SOCKET_PATH_BYTES = 107;

/** What the server is made of. */
export interface ServerBehindOptions {
  /** What the log calls it. */
  readonly name: string;
  readonly logger: Logger;
  readonly handler: (request: Request) => Response | Promise<Response>;
  /** Answers for a handler that threw. */
  readonly onError: (error: unknown) => Response;
  /**
   * A folder that this user alone may enter, for the socket. Absent, or too long a path for a socket: a temporary one
   * that goes at the end.
   */
  readonly folder?: string | undefined;
}

/** A server that is listening. */
export class ServerBehind {
  readonly #path: string;
  readonly #ownFolder: string | null = null;
  readonly #kept: KeptServer<Deno.UnixAddr>;
  readonly #waiting: (() => void)[] = [];
  #free = PLACES;

  /** Opens the server; what makes that impossible is thrown. */
  constructor({ name, logger, handler, onError, folder }: ServerBehindOptions) {
    let path = `${folder}/${name}.http`;
    if (folder === undefined || new TextEncoder().encode(path).length > MAX_SOCKET_PATH_BYTES) {
      this.#ownFolder = Deno.makeTempDirSync({ prefix: "runevault-" });
      path = `${this.#ownFolder}/${name}.http`;
    }
    removeIfThere(path);
    const open = (signal: AbortSignal) => Deno.serve({ path, signal, onListen() {}, onError }, handler);
    this.#path = path;
    this.#kept = new KeptServer(open, logger, name);
    this.#kept.start();
  }

  /** How many wait for a place. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** Connects as soon as there is a place; who asked first comes first. */
  async connect(): Promise<Socket> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => void this.#waiting.push(resolve));
    return connect({ path: this.#path }).once("close", () => this.#giveBack());
  }

  /**
   * Accepts no more connections and waits for the calls in flight, `graceMs` at most; those that take longer end with
   * the process. Never rejects.
   */
  async shutdown(graceMs: number): Promise<void> {
    await this.#kept.shutdown(graceMs);
    if (this.#ownFolder !== null) await Deno.remove(this.#ownFolder, { recursive: true });
  }

  #giveBack(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free++;
    else next();
  }
}

/** A process that was killed leaves its socket behind. */
function removeIfThere(path: string): void {
  try {
    Deno.removeSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
