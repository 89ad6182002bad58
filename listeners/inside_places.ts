/**
 * The connections from a port's relay to the servers behind it: together they have a fixed number of places, and a server
 * that nobody has used for long is given back.
 *
 * @module
 */

import { connect, type Socket } from "node:net";

/** Servers that are kept for peers who may come again; each costs a descriptor. */
const RESTING_SERVERS = 8;
/**
 * How long after each other a server is tried that can't be reached: a flood may have taken the last descriptor, and with it
 * the server's listener, which comes back by itself. Nothing has been sent by then.
 */
const TRIED_AGAIN_AFTER_MS = [20, 60, 200, 600, 1200];

/** Who opens the servers behind, one for each peer address. */
export interface InsideServers {
  /** Resolves to the path of the unix socket on which the peer's server listens. */
  open(peer: string): Promise<string>;
  /** Told once no connection of the peer is left, and many others have come since. */
  close(peer: string): void;
}

/** A connection to one of them. */
export interface InsideConnection {
  readonly socket: Socket;
  /** Closes it, which gives its place back. Safe to repeat. */
  end(): void;
}

interface Served {
  readonly peer: string;
  readonly path: Promise<string>;
  connections: number;
}

/** The places of one port. */
export class InsidePlaces {
  readonly #servers: InsideServers;
  /** Those that were used last stand last. */
  readonly #served = new Map<string, Served>();
  readonly #waiting: (() => void)[] = [];
  #free: number;

  constructor(places: number, servers: InsideServers) {
    this.#free = places;
    this.#servers = servers;
  }

  /** How many wait for a place. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** Connected for a peer as soon as there is a place; who asked first comes first. Rejects where no server comes. */
  async connect(peer: string): Promise<InsideConnection> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => void this.#waiting.push(resolve));
    const served = this.#use(peer);
    try {
      const socket = await reached(await served.path);
      socket.once("close", () => this.#leave(served));
      return { socket, end: () => void socket.destroy() };
    } catch (error) {
      this.#leave(served);
      throw error;
    }
  }

  #use(peer: string): Served {
    const served = this.#served.get(peer) ?? this.#open(peer);
    served.connections++;
    this.#served.delete(peer);
    this.#served.set(peer, served);
    return served;
  }

  /** One that couldn't be opened is asked for anew; one that nobody reaches for a moment comes back by itself. */
  #open(peer: string): Served {
    const served = { peer, path: this.#servers.open(peer), connections: 0 };
    served.path.catch(() => this.#served.get(peer) === served && this.#served.delete(peer));
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
    const resting = [...this.#served.values()].filter(({ connections }) => connections === 0);
    for (const { peer } of resting.slice(0, -RESTING_SERVERS)) {
      this.#served.delete(peer);
      this.#servers.close(peer);
    }
  }
}

/** A socket that is connected, by the last attempt at the latest, whose failure is thrown. */
async function reached(path: string): Promise<Socket> {
  for (const waitMs of TRIED_AGAIN_AFTER_MS) {
    const socket = await connected(path).catch(() => null);
    if (socket !== null) return socket;
    await new Promise((resolve) => setTimeout(resolve, waitMs));
  }
  return connected(path);
}

/** A socket that is connected. Deno 2.7 never closes one that is given up while it connects. */
function connected(path: string): Promise<Socket> {
  const { promise, resolve, reject } = Promise.withResolvers<Socket>();
  const socket = connect({ path });
  socket.once("error", reject).once("connect", () => {
    socket.off("error", reject);
    resolve(socket);
  });
  return promise;
}
