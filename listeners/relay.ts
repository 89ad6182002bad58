/**
 * Accepts a port's connections into a fixed number of places, watches whose turn each is, and passes it on to a server
 * behind. Where all places are taken, the connection that is idle longest makes room; where none is idle, the one whose
 * request has been under way longest, as long as a slow body takes.
 *
 * @module
 */

import type { AddressInfo, Server, Socket } from "node:net";
import type { Server as TlsServer, TLSSocket } from "node:tls";
import { bind, keyOf } from "./bound_listener.ts";
import { InsidePlaces } from "./inside_places.ts";
import type { Certificate, OpenRelay, RelayPlan, RelayPorts } from "./open_relay.ts";
import { RelayedConnection, type TurnLimits } from "./relayed_connection.ts";

/** A port that grows with the need grows no further. */
const MOST_PLACES = 4096;
/** How long a "no more descriptors" is believed. */
const ASK_AGAIN_MS = 60_000;
/** A connection that is idle for less may be about to ask. */
const MIN_IDLE_MS = 500;
/** A request that is under way for less may be about to be answered. */
const MIN_BUSY_MS = 5000;
const SWEEP_MS = 1000;

/** A relay of this thread. */
export class Relay implements OpenRelay {
  readonly hostname: string;
  readonly port: number;
  readonly #listener: Server;
  readonly #inside: InsidePlaces;
  readonly #morePlaces: (wanted: number) => number;
  #places: number;
  #askAgainAt = -Infinity;
  readonly #limits: TurnLimits;
  readonly #isTls: boolean;
  readonly #connections = new Set<RelayedConnection>();
  /** Those that have not said yet what TLS needs, by their peer. */
  readonly #handshakes = new Map<string, RelayedConnection>();
  readonly #sweeper: ReturnType<typeof setInterval>;
  #whenEmpty: () => void = () => {};

  private constructor(listener: Server, plan: RelayPlan, { servers, morePlaces, logger }: RelayPorts) {
    const address = listener.address() as AddressInfo | string;
    [this.hostname, this.port] = typeof address === "string" ? [address, 0] : [address.address, address.port];
    this.#listener = listener;
    this.#inside = new InsidePlaces(plan.placesInside, servers);
    this.#morePlaces = morePlaces;
    this.#places = plan.places;
    this.#limits = plan.limits;
    this.#isTls = plan.certificate !== undefined;
    listener.on("connection", (socket) => this.#admit(socket));
    listener.on("secureConnection", (socket: TLSSocket) => this.#handshakes.get(keyOf(socket))?.relay(socket));
    listener.on("error", ({ message }) => {
      logger.log("error", "listener_failed", { listener: plan.name, reason: message });
    });
    this.#sweeper = setInterval(() => this.#sweep(), Math.min(SWEEP_MS, ...Object.values(this.#limits)));
  }

  /** Listens; rejects with what makes that impossible. The mask is the one of this moment. */
  static async open(plan: RelayPlan, ports: RelayPorts): Promise<Relay> {
    return new Relay(await bind(plan.address, plan.certificate), plan, ports);
  }

  replaceCertificate({ certPem, keyPem }: Certificate): void {
    (this.#listener as TlsServer).setSecureContext({ cert: certPem, key: keyPem });
  }

  stopAccepting(): void {
    this.#listener.close();
    clearInterval(this.#sweeper);
    for (const connection of this.#connections) if (connection.idleSince !== null) connection.end();
  }

  async drain(graceMs: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, graceMs);
    this.#whenEmpty = resolve;
    if (this.#connections.size > 0) await promise;
    clearTimeout(timer);
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
    if (this.#connections.size === 0) this.#whenEmpty();
  }

  #connectInside(peer: string): ReturnType<InsidePlaces["connect"]> {
    const inside = this.#inside.connect(peer);
    if (this.#inside.waiting > 0) this.#makeRoomInside();
    return inside;
  }

  #sweep(): void {
    for (const connection of this.#connections) if (connection.isLate(this.#limits)) connection.end();
    for (let waiting = this.#inside.waiting; waiting > 0 && this.#makeRoomInside(); waiting--);
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
