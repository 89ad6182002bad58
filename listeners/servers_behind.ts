/**
 * The HTTP servers behind a port: one for each peer address that has something to ask, so that what a handler is told of
 * a request's origin is no word of the request. Together they have a fixed number of places.
 *
 * @module
 */

import type { Socket } from "node:net";
import { ServerBehind, type ServerBehindOptions } from "./server_behind.ts";

/** Connections that they have at once; each costs two descriptors. */
const PLACES = 24;
/** Servers that are kept for peers who may come again; each costs a descriptor. */
const RESTING_SERVERS = 8;
/** Requests of a peer who went away may still be under way. */
const GRACE_MS = 60_000;
/** The kernel takes no longer path for a unix socket, and a number comes into it. */
const MAX_SOCKET_PATH_BYTES = 100;

/** Options of all of them. */
export interface ServersBehindOptions extends ServerBehindOptions {
  /**
   * A folder that this user alone may enter, for the sockets. Absent, or too long a path for a socket: a temporary one
   * that goes at the end.
   */
  readonly folder?: string | undefined;
  /** Default: 24. */
  readonly placesInside?: number | undefined;
}

/** A connection to one of them. */
export interface InsideConnection {
  readonly socket: Socket;
  /** Closes it, which gives its place back. Safe to repeat. */
  end(): void;
}

interface Served {
  readonly server: ServerBehind;
  connections: number;
}

/** The servers of one port. */
export class ServersBehind {
  readonly #options: ServersBehindOptions;
  readonly #folder: string;
  readonly #ownsFolder: boolean;
  /** Those that were used last stand last. */
  readonly #servers = new Map<string, Served>();
  readonly #waiting: (() => void)[] = [];
  #free: number;
  #made = 0;

  /** Opens the first server; what makes that impossible is thrown. */
  constructor(options: ServersBehindOptions) {
    const { folder, name, placesInside = PLACES } = options;
    this.#options = options;
    this.#ownsFolder = folder === undefined || byteLength(`${folder}/${name}.http`) > MAX_SOCKET_PATH_BYTES;
    this.#folder = this.#ownsFolder ? Deno.makeTempDirSync({ prefix: "runevault-" }) : folder!;
    this.#free = placesInside;
    if (!this.#ownsFolder) removeLeftSockets(this.#folder, name);
  }

  /** How many wait for a place. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** Connects for a peer as soon as there is a place; who asked first comes first. */
  async connect(peer: string): Promise<InsideConnection> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => void this.#waiting.push(resolve));
    const served = this.#serverOf(peer);
    served.connections++;
    const socket = served.server.connect();
    socket.once("close", () => this.#leave(served));
    return { socket, end: () => void socket.destroy() };
  }

  /** Waits for the calls in flight, `graceMs` at most. Never rejects. */
  async shutdown(graceMs: number): Promise<void> {
    await Promise.all([...this.#servers.values()].map(({ server }) => server.shutdown(graceMs)));
    if (this.#ownsFolder) await Deno.remove(this.#folder, { recursive: true });
  }

  #serverOf(peer: string): Served {
    const found = this.#servers.get(peer);
    const number = found === undefined ? this.#made++ : 0;
    const path = `${this.#folder}/${this.#options.name}${number === 0 ? "" : `.${number}`}.http`;
    const served = found ?? { server: new ServerBehind(path, peer, this.#options), connections: 0 };
    this.#servers.delete(peer);
    this.#servers.set(peer, served);
    return served;
  }

  #leave(served: Served): void {
    served.connections--;
    const next = this.#waiting.shift();
    if (next === undefined) this.#free++;
    else next();
    if (served.connections === 0) this.#closeLongUnused();
  }

  #closeLongUnused(): void {
    const resting = [...this.#servers].filter(([, { connections }]) => connections === 0);
    for (const [peer, { server }] of resting.slice(0, -RESTING_SERVERS)) {
      this.#servers.delete(peer);
      void server.shutdown(GRACE_MS);
    }
  }
}

function byteLength(text: string): number {
  return new TextEncoder().encode(text).length;
}

/** A process that was killed leaves its sockets behind. */
function removeLeftSockets(folder: string, name: string): void {
  for (const entry of Deno.readDirSync(folder)) {
    if (!entry.name.startsWith(`${name}.`) || !/^(\.[0-9]+)?\.http$/.test(entry.name.slice(name.length))) continue;
    Deno.removeSync(`${folder}/${entry.name}`);
  }
}
