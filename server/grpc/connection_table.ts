/**
 * The connections of the gRPC port: how many there may be, and which one goes when there are too many.
 *
 * Accepting fails where a process has no descriptor left, and a `node:http2` server that saw this once accepts nothing
 * any more. So there are fewer places than descriptors. Idle connections are cheap to open: were a full house closed
 * to newcomers, whoever fills it would shut everybody else out. So the longest idle one makes room.
 *
 * @module
 */

import type { Http2Session } from "node:http2";
import type { Socket } from "node:net";
import { plainAddress } from "./call_names.ts";
import type { PeerAccount, UnauthenticatedBudget } from "./unauthenticated_budget.ts";

/** Places before anybody asked how many there could be: few enough for a limit of 1024 descriptors. */
export const FIRST_PLACES = 128;
/** A connection costs some 25 to 90 KiB even when nothing is sent on it. */
export const MOST_PLACES = 4096;
/**
 * Descriptors left to others: some 850 for the HTTP ports, files of the store, and the 128 connections that the runtime
 * may accept before it is told that there is no place.
 */
export const DESCRIPTORS_LEFT_TO_OTHERS = 1030;
/** How long a "no more descriptors" is believed. */
const ASK_AGAIN_MS = 60_000;
/** A connection younger than this may be about to call. */
const MIN_IDLE_MS = 500;

/** One TCP connection. */
export interface Connection {
  readonly account: PeerAccount;
  /** Whose it is, without the port. */
  readonly peerAddress: string;
  /** Calls that are open on it. */
  openCalls: number;
  /** When its last call began or ended; null before the first. */
  calledAt: number | null;
}

interface Entry extends Connection {
  readonly socket: Socket;
  readonly acceptedAt: number;
  session: Http2Session | null;
  hasSettings: boolean;
}

/** What the table asks of the outside. */
export interface ConnectionPorts {
  readonly budget: UnauthenticatedBudget;
  /** How long a connection may take until its HTTP/2 settings are there. */
  readonly handshakeMs: number;
  /** Milliseconds of any clock. */
  readonly now: () => number;
  /** How many more descriptors could be opened, `wanted` at most. */
  readonly spareDescriptors: (wanted: number) => number;
  /** How many places there are, for good. Absent: as many as there turn out to be descriptors for. */
  readonly places?: number | undefined;
  /** Told of every connection that is closed from this side. */
  readonly onClosed: (reason: "no_place" | "made_room" | "no_handshake") => void;
}

/** The connections of one server. */
export class ConnectionTable {
  readonly #ports: ConnectionPorts;
  readonly #entries = new Map<string, Entry>();
  readonly #bySession = new WeakMap<Http2Session, Entry>();
  #places: number;
  #askAgainAt: number;

  constructor(ports: ConnectionPorts) {
    this.#ports = ports;
    this.#places = ports.places ?? FIRST_PLACES;
    this.#askAgainAt = ports.places === undefined ? -Infinity : Infinity;
  }

  /** How many connections there are. */
  get size(): number {
    return this.#entries.size;
  }

  /** How many there may be. Grows with the need while there are descriptors. */
  get places(): number {
    return this.#places;
  }

  /** Takes in a socket that was just accepted; false: there was no place for it, and it is closed. */
  accept(socket: Socket): boolean {
    if (this.#entries.size >= this.#places) this.#grow();
    if (this.#entries.size >= this.#places && !this.#makeRoom()) {
      this.#ports.onClosed("no_place");
      socket.destroy();
      return false;
    }
    const key = keyOf(socket);
    const peerAddress = plainAddress(socket.remoteAddress ?? "unknown");
    const account = this.#ports.budget.join(peerAddress);
    const acceptedAt = this.#ports.now();
    const entry = {
      account,
      peerAddress,
      socket,
      acceptedAt,
      session: null,
      hasSettings: false,
      openCalls: 0,
      calledAt: null,
    };
    this.#entries.set(key, entry);
    socket.once("close", () => this.#remove(key, entry));
    return true;
  }

  /** Joins a session to the socket that it speaks on. */
  attach(session: Http2Session): void {
    const entry = this.#entries.get(keyOf(session.socket));
    if (entry === undefined) return;
    entry.session = session;
    this.#bySession.set(session, entry);
    session.once("remoteSettings", () => void (entry.hasSettings = true));
  }

  /** The connection of a session; undefined where it has ended meanwhile. */
  of(session: Http2Session | undefined): Connection | undefined {
    return session === undefined ? undefined : this.#bySession.get(session);
  }

  /** Closes what has not finished its handshake in time. */
  sweep(): void {
    const latest = this.#ports.now() - this.#ports.handshakeMs;
    for (const entry of this.#entries.values()) {
      if (entry.hasSettings || entry.acceptedAt > latest) continue;
      this.#ports.onClosed("no_handshake");
      this.#close(entry);
    }
  }

  #remove(key: string, entry: Entry): void {
    if (this.#entries.get(key) === entry) this.#entries.delete(key);
    this.#ports.budget.leave(entry.account);
  }

  #grow(): void {
    const now = this.#ports.now();
    const wanted = Math.min(this.#places, MOST_PLACES - this.#places);
    if (wanted === 0 || now < this.#askAgainAt) return;
    const spare = this.#ports.spareDescriptors(wanted + DESCRIPTORS_LEFT_TO_OTHERS) - DESCRIPTORS_LEFT_TO_OTHERS;
    if (spare < wanted) this.#askAgainAt = now + ASK_AGAIN_MS;
    this.#places += Math.max(0, Math.min(wanted, spare));
  }

  /** Those that never called go before those that did, and among either the one that is idle longest. */
  #makeRoom(): boolean {
    const latest = this.#ports.now() - MIN_IDLE_MS;
    let found: Entry | undefined;
    for (const entry of this.#entries.values()) {
      if (entry.openCalls === 0 && idleSince(entry) <= latest && goesBefore(entry, found)) found = entry;
    }
    if (found === undefined) return false;
    this.#ports.onClosed("made_room");
    this.#close(found);
    return true;
  }

  /** What is closed here counts no more, also where the socket takes a while to go. */
  #close(entry: Entry): void {
    this.#entries.delete(keyOf(entry.socket));
    if (entry.session === null) entry.socket.destroy();
    else entry.session.destroy();
  }
}

function idleSince(entry: Entry): number {
  return entry.calledAt ?? entry.acceptedAt;
}

function goesBefore(entry: Entry, other: Entry | undefined): boolean {
  if (other === undefined) return true;
  const [never, otherNever] = [entry.calledAt === null, other.calledAt === null];
  return never === otherNever ? idleSince(entry) < idleSince(other) : never;
}

/** A session shows a proxy of its socket, and under TLS another socket than was accepted; both have the same peer. */
function keyOf({ remoteAddress, remotePort }: { remoteAddress?: string | undefined; remotePort?: number | undefined }) {
  return `${remoteAddress} ${remotePort}`;
}
