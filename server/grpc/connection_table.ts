/**
 * The connections of the gRPC port: how many there may be, and which one goes when there are too many.
 *
 * Accepting fails where a process has no descriptor left, and a `node:http2` server that saw this once accepts nothing
 * any more. So there are fewer places than descriptors. Idle connections are cheap to open: were a full house closed
 * to newcomers, whoever fills it would shut everybody else out. So one makes room, by the order of
 * {@link ./connection_crowds.ts}.
 *
 * @module
 */

import type { Http2Session } from "node:http2";
import type { Socket } from "node:net";
import { plainAddress } from "./call_names.ts";
import { Crowds, type Guest } from "./connection_crowds.ts";
import { SESSIONS_A_TURN } from "./first_bytes.ts";
import type { PeerAccount, UnauthenticatedBudget } from "./unauthenticated_budget.ts";

/** Places before anybody asked how many there could be: few enough for a limit of 1024 descriptors. */
export const FIRST_PLACES = 128;
/** A connection costs some 25 to 90 KiB even when nothing is sent on it. */
export const MOST_PLACES = 4096;
/**
 * Connections that speak HTTP/2 and are closed for others in one turn of the event loop: each has its descriptor for one or two
 * more turns, and newcomers could come faster than they go.
 */
const SESSIONS_CLOSED_A_TURN = SESSIONS_A_TURN;
/**
 * Descriptors left to others: some 850 for the HTTP ports, files of the store, connections that are being closed, and the
 * 128 that the runtime may accept before it is told that there is no place.
 */
export const DESCRIPTORS_LEFT_TO_OTHERS = 1030 + 2 * SESSIONS_CLOSED_A_TURN;
/** How long a "no more descriptors" is believed. */
const ASK_AGAIN_MS = 60_000;
/**
 * What a newcomer has to say something, however many come. Longer than a call takes in a network of one's own, and short
 * enough for a thousand places to take ten thousand newcomers a second, each with its chance.
 */
const CHANCE_MS = 100;
/**
 * Turns of the event loop that a newcomer has at the least: what it sent is read in the turn after it was accepted, and on
 * a busy machine a turn can take longer than {@link CHANCE_MS}.
 */
const CHANCE_TURNS = 2;
/** How long open calls alone keep the connection of a stranger. */
const STRANGER_CALL_MS = 10_000;
/** One whose caller is known goes, where all others are too, after this long without a call. */
const KNOWN_IDLE_MS = 5000;

/** One TCP connection. */
export interface Connection extends Readonly<Guest> {
  readonly account: PeerAccount;
  /** Whose it is, without the port. */
  readonly peerAddress: string;
}

interface Entry extends Guest {
  readonly account: PeerAccount;
  readonly peerAddress: string;
  readonly socket: Socket;
  readonly acceptedTurn: number;
  session: Http2Session | null;
}

/** What the table asks of the outside. */
export interface ConnectionPorts {
  readonly budget: UnauthenticatedBudget;
  /** How long a connection may take until its HTTP/2 settings are there. */
  readonly handshakeMs: number;
  /** Milliseconds of any clock. */
  readonly now: () => number;
  /** Calls back at the end of a turn of the event loop. */
  readonly afterTurn: (ended: () => void) => void;
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
  readonly #crowds = new Crowds<Entry>();
  #places: number;
  /** Sessions that were closed in this turn to make room. */
  #sessionsClosed = 0;
  #askAgainAt: number;
  /** Turns of the event loop, counted only as long as somebody is new. */
  #turn = 0;
  #countUntil = 0;

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
    this.#countTurns();
    const peerAddress = plainAddress(socket.remoteAddress ?? "unknown");
    const account = this.#ports.budget.join(peerAddress);
    if (!this.#hasPlaceFor(account)) {
      this.#ports.budget.leave(account);
      this.#ports.onClosed("no_place");
      socket.destroy();
      return false;
    }
    const entry: Entry = {
      account,
      peerAddress,
      socket,
      acceptedAt: this.#ports.now(),
      acceptedTurn: this.#turn,
      session: null,
      stage: "silent",
      openCalls: 0,
      calledAt: null,
    };
    this.#add(entry);
    return true;
  }

  /** Joins a session to the socket that it speaks on. */
  attach(session: Http2Session): void {
    const entry = this.#entries.get(keyOf(session.socket));
    if (entry === undefined) return;
    entry.session = session;
    this.#bySession.set(session, entry);
    session.once("remoteSettings", () => void (entry.stage === "silent" && this.#crowds.advance(entry, "spoken")));
  }

  /** The connection of a session; undefined where it has ended meanwhile. */
  of(session: Http2Session | undefined): Connection | undefined {
    return session === undefined ? undefined : this.#bySession.get(session);
  }

  /** Counts a call that begins, at a time of the clock. */
  callBegan(connection: Connection, at: number): void {
    const entry = connection as Entry;
    entry.openCalls++;
    entry.calledAt = at;
    if (entry.stage === "silent" || entry.stage === "spoken") this.#crowds.advance(entry, "called");
  }

  /**
   * Counts the end of a call. From the first that was answered to somebody who has authenticated, its caller is known;
   * true: that was this one.
   */
  callEnded(connection: Connection, at: number, isKnown: () => boolean): boolean {
    const entry = connection as Entry;
    entry.openCalls--;
    entry.calledAt = at;
    if (entry.stage === "known" || !isKnown()) return false;
    this.#crowds.advance(entry, "known");
    return true;
  }

  /** Closes what has not finished its handshake in time. */
  sweep(): void {
    const latest = this.#ports.now() - this.#ports.handshakeMs;
    for (const entry of this.#entries.values()) {
      if (entry.stage !== "silent" || entry.acceptedAt > latest) continue;
      this.#ports.onClosed("no_handshake");
      this.#close(entry);
    }
  }

  #add(entry: Entry): void {
    const key = keyOf(entry.socket);
    this.#entries.set(key, entry);
    this.#crowds.add(entry);
    entry.socket.once("close", () => this.#remove(key, entry));
  }

  #countTurns(): void {
    const isCounting = this.#turn < this.#countUntil;
    this.#countUntil = this.#turn + CHANCE_TURNS;
    if (!isCounting) this.#countTurn();
  }

  #countTurn(): void {
    this.#ports.afterTurn(() => {
      this.#sessionsClosed = 0;
      if (++this.#turn < this.#countUntil) this.#countTurn();
    });
  }

  #remove(key: string, entry: Entry): void {
    if (this.#entries.get(key) === entry) this.#entries.delete(key);
    this.#crowds.remove(entry);
    this.#ports.budget.leave(entry.account);
  }

  #hasPlaceFor(account: PeerAccount): boolean {
    if (this.#entries.size >= this.#places) this.#grow();
    return this.#entries.size < this.#places || this.#makeRoom(account);
  }

  #grow(): void {
    const now = this.#ports.now();
    const wanted = Math.min(this.#places, MOST_PLACES - this.#places);
    if (wanted === 0 || now < this.#askAgainAt) return;
    const spare = this.#ports.spareDescriptors(wanted + DESCRIPTORS_LEFT_TO_OTHERS) - DESCRIPTORS_LEFT_TO_OTHERS;
    if (spare < wanted) this.#askAgainAt = now + ASK_AGAIN_MS;
    this.#places += Math.max(0, Math.min(wanted, spare));
  }

  #makeRoom(newcomer: PeerAccount): boolean {
    const now = this.#ports.now();
    const [turn, chanceUntil] = [this.#turn - CHANCE_TURNS, now - CHANCE_MS];
    const found = this.#crowds.firstToGo(newcomer, {
      hadItsChance: ({ acceptedAt, acceptedTurn }) => acceptedAt <= chanceUntil && acceptedTurn <= turn,
      busyUntil: now - STRANGER_CALL_MS,
      idleUntil: now - KNOWN_IDLE_MS,
    });
    if (found === undefined) return false;
    if (found.session !== null && ++this.#sessionsClosed > SESSIONS_CLOSED_A_TURN) return false;
    this.#ports.onClosed("made_room");
    this.#close(found);
    return true;
  }

  /** What is closed here counts no more, also where the socket takes a while to go. */
  #close(entry: Entry): void {
    this.#entries.delete(keyOf(entry.socket));
    this.#crowds.remove(entry);
    if (entry.session === null) entry.socket.destroy();
    else entry.session.destroy();
  }
}

/** A session shows a proxy of its socket, and under TLS another socket than was accepted; both have the same peer. */
function keyOf({ remoteAddress, remotePort }: { remoteAddress?: string | undefined; remotePort?: number | undefined }) {
  return `${remoteAddress} ${remotePort}`;
}
