/**
 * An HTTP port that more clients may reach than the process has descriptors.
 *
 * `Deno.serve` takes every connection that there is a descriptor for, tells nobody of it until a request is there, and
 * gives a request's head any time. Whoever opens enough idle connections takes all descriptors, and with them the gRPC
 * port and the store. So connections are accepted here, into a fixed number of places, and passed on to a `Deno.serve`
 * on a unix socket of this process's own. Where all places are taken, the connection that is idle longest makes room;
 * where none is idle, the one whose request has been under way longest, as long as a slow body takes.
 *
 * @module
 */

import { type AddressInfo, createServer, type ListenOptions, type Server, type Socket } from "node:net";
import { createServer as createTlsServer, type Server as TlsServer, type TLSSocket } from "node:tls";
import { RelayedConnection, type TurnLimits } from "./relayed_connection.ts";
import { ServersBehind, type ServersBehindOptions } from "./servers_behind.ts";

/** Each connection costs a descriptor while it is idle or waits for its turn. */
const PLACES = 256;
/** A port that grows with the need grows no further. */
const MOST_PLACES = 4096;
/** How long a "no more descriptors" is believed. */
const ASK_AGAIN_MS = 60_000;
/** A connection that is idle for less may be about to ask. */
const MIN_IDLE_MS = 500;
/** A request that is under way for less may be about to be answered. */
const MIN_BUSY_MS = 5000;
const LIMITS: TurnLimits = { askingMs: 10_000, restingMs: 75_000, takingMs: 30_000 };
const SWEEP_MS = 1000;
/**
 * More than the kernel grants, which cuts it to its own limit. Deno 2.7 counts every connection that a unix listener
 * ever had against this, and accepts no more once it is reached.
 */
const BACKLOG = 1_000_000_000;

/** A certificate chain and its private key, both PEM. */
export interface Certificate {
  readonly certPem: string;
  /** Secret: never log it. */
  readonly keyPem: string;
}

/** What a port is made of. */
export interface HttpPortOptions extends ServersBehindOptions {
  /** Default: 256. */
  readonly places?: number;
  /**
   * Asked where all places are taken, for that many more: how many there are descriptors for. Absent: none. It is not
   * asked again for a while once it gave fewer.
   */
  readonly morePlaces?: (wanted: number) => number;
  /** Default: 10 s for a head, 75 s of rest between requests, 30 s to take what is sent. */
  readonly limits?: Partial<TurnLimits>;
  /** Absent: plaintext. */
  readonly certificate?: Certificate | undefined;
}

/** Where to listen: port 0 takes a free one; a path becomes a socket with the rights that the process's mask leaves. */
export type HttpPortAddress = { readonly hostname: string; readonly port: number } | { readonly path: string };

/** An open port. */
export class HttpPort {
  /** The actual host, and port; of a unix socket the path and 0. */
  readonly hostname: string;
  readonly port: number;
  readonly #listener: Server;
  readonly #behind: ServersBehind;
  readonly #morePlaces: (wanted: number) => number;
  #places: number;
  #askAgainAt = -Infinity;
  readonly #limits: TurnLimits;
  readonly #isTls: boolean;
  readonly #connections = new Set<RelayedConnection>();
  /** Those that have not said yet what TLS needs, by their peer. */
  readonly #handshakes = new Map<string, RelayedConnection>();
  readonly #sweeper: ReturnType<typeof setInterval>;

  private constructor(listener: Server, options: HttpPortOptions) {
    const address = listener.address() as AddressInfo | string;
    [this.hostname, this.port] = typeof address === "string" ? [address, 0] : [address.address, address.port];
    this.#behind = new ServersBehind(options);
    this.#listener = listener;
    this.#places = options.places ?? PLACES;
    this.#morePlaces = options.morePlaces ?? (() => 0);
    this.#limits = { ...LIMITS, ...options.limits };
    this.#isTls = options.certificate !== undefined;
    listener.on("connection", (socket) => this.#admit(socket));
    listener.on("secureConnection", (socket: TLSSocket) => this.#handshakes.get(keyOf(socket))?.relay(socket));
    listener.on("error", ({ message }) => {
      options.logger.log("error", "listener_failed", { listener: options.name, reason: message });
    });
    this.#sweeper = setInterval(() => this.#sweep(), Math.min(SWEEP_MS, ...Object.values(this.#limits)));
  }

  /** Opens a port; rejects with what makes that impossible. The mask is the one of this moment. */
  static async open(address: HttpPortAddress, options: HttpPortOptions): Promise<HttpPort> {
    const listener = makeListener(options.certificate);
    await listening(listener, "path" in address ? address : { host: address.hostname, port: address.port });
    try {
      return new HttpPort(listener, options);
    } catch (error) {
      listener.close();
      throw error;
    }
  }

  /** Shows another certificate to those who connect from now on; whoever is connected stays. */
  replaceCertificate({ certPem, keyPem }: Certificate): void {
    (this.#listener as TlsServer).setSecureContext({ cert: certPem, key: keyPem });
  }

  /**
   * Accepts no more connections and waits for the calls in flight, `graceMs` at most; those that take longer end with
   * the process. Never rejects.
   */
  async shutdown(graceMs: number): Promise<void> {
    this.#listener.close();
    clearInterval(this.#sweeper);
    for (const connection of this.#connections) if (connection.idleSince !== null) connection.end();
    await this.#behind.shutdown(graceMs);
  }

  #admit(outside: Socket): void {
    if (this.#connections.size >= this.#places) this.#grow();
    if (this.#connections.size >= this.#places && !this.#makeRoom(() => true)) return void outside.destroy();
    const key = keyOf(outside);
    const peer = outside.remoteAddress ?? "";
    const connection = new RelayedConnection(outside, {
      connectInside: () => this.#connectInside(peer),
      now: () => performance.now(),
      onEnd: (ended) => this.#forget(ended, key),
    });
    this.#connections.add(connection);
    if (this.#isTls) this.#handshakes.set(key, connection);
    else connection.relay(outside);
  }

  #grow(): void {
    const now = performance.now();
    const wanted = Math.min(this.#places, MOST_PLACES - this.#places);
    if (wanted <= 0 || now < this.#askAgainAt) return;
    const more = Math.max(0, Math.min(wanted, this.#morePlaces(wanted)));
    if (more < wanted) this.#askAgainAt = now + ASK_AGAIN_MS;
    this.#places += more;
  }

  #forget(connection: RelayedConnection, key: string): void {
    this.#connections.delete(connection);
    if (this.#handshakes.get(key) === connection) this.#handshakes.delete(key);
  }

  #connectInside(peer: string): ReturnType<ServersBehind["connect"]> {
    const inside = this.#behind.connect(peer);
    if (this.#behind.waiting > 0) this.#makeRoomInside();
    return inside;
  }

  #sweep(): void {
    for (const connection of this.#connections) if (connection.isLate(this.#limits)) connection.end();
    for (let waiting = this.#behind.waiting; waiting > 0 && this.#makeRoomInside(); waiting--);
  }

  #makeRoomInside(): boolean {
    return this.#makeRoom((connection) => connection.hasInside);
  }

  /** Ends one connection among those that would help; false where each of them may be about to ask or be answered. */
  #makeRoom(helps: (connection: RelayedConnection) => boolean): boolean {
    const now = performance.now();
    const found = this.#longest(helps, (one) => one.idleSince, now - MIN_IDLE_MS) ??
      this.#longest(helps, (one) => one.busySince, now - MIN_BUSY_MS);
    found?.end();
    return found !== undefined;
  }

  #longest(
    helps: (connection: RelayedConnection) => boolean,
    sinceOf: (connection: RelayedConnection) => number | null,
    latest: number,
  ): RelayedConnection | undefined {
    let found: { connection: RelayedConnection; since: number } | undefined;
    for (const connection of this.#connections) {
      const since = sinceOf(connection);
      if (since === null || since > latest || !helps(connection)) continue;
      if (found === undefined || since < found.since) found = { connection, since };
    }
    return found?.connection;
  }
}

/** Under TLS HTTP/2 isn't offered: `head_watch.ts` says why. */
function makeListener(certificate: Certificate | undefined): Server {
  if (certificate === undefined) return createServer({ allowHalfOpen: true, noDelay: true });
  const { certPem: cert, keyPem: key } = certificate;
  return createTlsServer({ cert, key, ALPNProtocols: ["http/1.1"] });
}

/** Listens; rejects where that fails. */
function listening(listener: Server, options: ListenOptions): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  listener.once("error", reject).listen({ ...options, backlog: BACKLOG }, () => {
    listener.off("error", reject);
    resolve();
  });
  return promise;
}

/** A secured socket is another than was accepted; both have the same peer. */
function keyOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}
