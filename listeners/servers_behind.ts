/**
 * The HTTP servers behind a port: one for each peer address that has something to ask, so that what a handler is told of
 * a request's origin is no word of the request.
 *
 * @module
 */

import { ServerBehind, type ServerBehindOptions } from "./server_behind.ts";
import { socketFolder } from "./socket_folder.ts";

/** Requests of a peer who went away may still be under way. */
const GRACE_MS = 60_000;

/** Options of all of them. */
export interface ServersBehindOptions extends ServerBehindOptions {
  /**
   * A folder that this user alone may enter, for the sockets. Absent, or too long a path for a socket: a temporary one
   * that goes at the end.
   */
  readonly folder?: string | undefined;
}

/** The servers of one port. */
export class ServersBehind {
  readonly #options: ServersBehindOptions;
  readonly #folder: string;
  readonly #isTemporary: boolean;
  readonly #servers = new Map<string, ServerBehind>();
  #made = 0;
  #isShut = false;

  constructor(options: ServersBehindOptions) {
    const { folder, name } = options;
    this.#options = options;
    ({ path: this.#folder, isTemporary: this.#isTemporary } = socketFolder(folder));
    if (!this.#isTemporary) removeLeftSockets(this.#folder, name);
  }

  /** Opens a peer's server; returns the path of its socket. What makes that impossible is thrown, a shutdown too. */
  open(peer: string): string {
    if (this.#isShut) throw new Error("The port is closed");
    const number = this.#made++;
    const path = `${this.#folder}/${this.#options.name}${number === 0 ? "" : `.${number}`}.http`;
    this.#servers.set(peer, new ServerBehind(path, peer, this.#options));
    return path;
  }

  /** Closes a peer's server once what is under way there has ended. */
  close(peer: string): void {
    void this.#servers.get(peer)?.shutdown(GRACE_MS);
    this.#servers.delete(peer);
  }

  /** Waits for the calls in flight, `graceMs` at most. Never rejects. */
  async shutdown(graceMs: number): Promise<void> {
    this.#isShut = true;
    await Promise.all([...this.#servers.values()].map((server) => server.shutdown(graceMs)));
    if (this.#isTemporary) await Deno.remove(this.#folder, { recursive: true });
  }
}

/** A process that was killed leaves its sockets behind. */
function removeLeftSockets(folder: string, name: string): void {
  for (const entry of Deno.readDirSync(folder)) {
    if (!entry.name.startsWith(`${name}.`) || !/^(\.[0-9]+)?\.http$/.test(entry.name.slice(name.length))) continue;
    Deno.removeSync(`${folder}/${entry.name}`);
  }
}
