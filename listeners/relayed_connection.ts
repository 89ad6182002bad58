/**
 * One connection of a client, passed on to the HTTP server behind. It is HTTP to nobody here: the bytes are looked at
 * only to know whose turn it is, so that each side can be given a time.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import type { Socket } from "node:net";
import { HeadWatch } from "./head_watch.ts";
import type { InsideConnection } from "./inside_places.ts";

/** A head longer than this is the server's to refuse. */
const MAX_HELD_BYTES = 64 * 1024;
/** `HTTP/1.1 100 Continue` begins so: an answer after which the body is still to come. */
const INTERIM = new TextEncoder().encode("HTTP/1.1 1");

/**
 * How long the server behind isn't told that a client has ended its side while it waits for its answer. That may be a client
 * who has said all, and may be one who went away; the server takes either for the latter.
 */
const HALF_CLOSED_MS = 3000;

/**
 * What the server behind is given in place of a head that can be read in two ways: no head and no line of one has a NUL,
 * so it answers 400 in its turn, and closes.
 */
const NO_HEAD = Buffer.from("\0\r\n\r\n");

/** How long each turn may take, in milliseconds. */
export interface TurnLimits {
  /** From the connection, or the first byte of a request, to the end of the request's head. */
  readonly askingMs: number;
  /** From the last byte of an answer to the first of the next request. */
  readonly restingMs: number;
  /** For the client to take what is written to it. */
  readonly takingMs: number;
}

/** What a connection asks of the outside. */
export interface ConnectionPorts {
  /** Connects to the server behind, as soon as there is a place. Asked once, when a head is there. */
  readonly connectInside: () => Promise<InsideConnection>;
  /** Milliseconds of a monotonic clock. */
  readonly now: () => number;
  /** Told when the connection has ended. */
  readonly onEnd: (connection: RelayedConnection) => void;
}

/**
 * Whose turn it is. `asking`: the client's, its request's head is not all there. `answering`: the server's; how long
 * it gives the body, and itself, is its own affair. `resting`: nobody's, the last answer has begun and no request has.
 */
type Turn = "asking" | "answering" | "resting";

/** A connection from its acceptance to its end. */
export class RelayedConnection {
  #outside: Socket;
  readonly #ports: ConnectionPorts;
  #inside: InsideConnection | "wanted" | null = null;
  #turn: Turn = "asking";
  #since: number;
  #takingSince: number | null = null;
  #head = new HeadWatch();
  #held: Buffer[] = [];
  #heldBytes = 0;
  /** False while what the client says can't be passed on. */
  #isHearing = true;
  /** What follows an ambiguous head is nobody's request. */
  #isDeaf = false;
  #hasEnded = false;
  #halfClosed: ReturnType<typeof setTimeout> | undefined;

  /** @param outside The client's connection; it must be allowed to be half open. Nothing is relayed yet. */
  constructor(outside: Socket, ports: ConnectionPorts) {
    this.#outside = outside;
    this.#ports = ports;
    this.#since = ports.now();
    this.#endWith(outside);
  }

  /** Begins to relay: on the connection itself, or on what TLS has made of it. */
  relay(outside: Socket): void {
    if (outside !== this.#outside) this.#endWith(outside);
    this.#outside = outside;
    if (this.#hasEnded) return void outside.destroy();
    outside.on("readable", () => this.#hearAll());
    outside.on("end", () => this.#endInside());
  }

  /** A socket that fails says so and closes; an error that nobody listens for would end the process. */
  #endWith(socket: Socket): void {
    socket.on("error", () => this.end()).on("close", () => this.end());
  }

  /** Since when nobody has asked for anything here; null while something is under way. */
  get idleSince(): number | null {
    return this.#turn === "answering" || this.#takingSince !== null ? null : this.#since;
  }

  /** Since when the server behind has had a request; null while it has none. */
  get busySince(): number | null {
    return this.#turn === "answering" ? this.#since : null;
  }

  /** Whether it holds a connection to the server behind. */
  get hasInside(): boolean {
    return this.#inside !== null && this.#inside !== "wanted";
  }

  /** Whether a turn has taken longer than it may. */
  isLate({ askingMs, restingMs, takingMs }: TurnLimits): boolean {
    const now = this.#ports.now();
    if (this.#takingSince !== null && now > this.#takingSince + takingMs) return true;
    if (this.#turn === "answering") return false;
    return now > this.#since + (this.#turn === "asking" ? askingMs : restingMs);
  }

  /** Ends both sides. Safe to repeat. */
  end(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    clearTimeout(this.#halfClosed);
    this.#held = [];
    this.#outside.destroy();
    if (this.#inside !== null && this.#inside !== "wanted") this.#inside.end();
    this.#ports.onEnd(this);
  }

  /** A client that has said all may still be waiting for its answer. */
  #endInside(): void {
    const inside = this.#inside;
    if (inside === null) return this.end();
    if (inside === "wanted") return;
    if (this.#turn !== "answering") return void inside.socket.end();
    this.#halfClosed ??= setTimeout(() => inside.socket.end(), HALF_CLOSED_MS);
  }

  /**
   * Bytes are fetched from both sockets, never sent: one of Deno 2.7 that is paused and goes on while its last read is
   * still under way reads twice at once, and what it read comes out in another order.
   */
  #hearAll(): void {
    while (this.#isHearing && !this.#hasEnded) {
      const bytes = this.#outside.read() as Buffer | null;
      if (bytes === null) return;
      this.#hear(bytes);
    }
  }

  #hearAgain(): void {
    this.#isHearing = true;
    this.#hearAll();
  }

  #hear(heard: Buffer): void {
    if (this.#isDeaf) return;
    const bytes = this.#watch(heard);
    if (this.#hasEnded) return;
    if (this.#inside !== null && this.#inside !== "wanted") return this.#passIn(this.#inside.socket, bytes);
    this.#held.push(bytes);
    this.#heldBytes += bytes.length;
    if (this.#turn === "answering" || this.#heldBytes > MAX_HELD_BYTES) this.#wantInside();
  }

  /** What is passed on: the bytes, as long as they can be read in one way. */
  #watch(bytes: Buffer): Buffer {
    if (this.#turn === "answering") return bytes;
    if (this.#turn === "resting") this.#turnTo("asking");
    const heard = this.#head.hear(bytes);
    if (heard === "refused") this.end();
    if (heard === "complete" || heard === "ambiguous") this.#turnTo("answering");
    this.#isDeaf = heard === "ambiguous";
    return this.#isDeaf ? NO_HEAD : bytes;
  }

  #passIn(inside: Socket, bytes: Buffer): void {
    if (inside.write(bytes)) return;
    this.#isHearing = false;
    inside.once("drain", () => this.#hearAgain());
  }

  /** Takes no more from the client until it can be passed on. */
  #wantInside(): void {
    if (this.#inside !== null) return;
    this.#inside = "wanted";
    this.#isHearing = false;
    this.#ports.connectInside().then((inside) => this.#takeInside(inside), () => this.end());
  }

  #takeInside(taken: InsideConnection): void {
    this.#inside = taken;
    if (this.#hasEnded) return taken.end();
    const inside = taken.socket;
    inside.on("readable", () => this.#answerAll(inside));
    inside.on("error", () => this.end()).on("close", () => this.#finish());
    inside.write(Buffer.concat(this.#held));
    this.#held = [];
    if (this.#outside.readableEnded) this.#endInside();
    this.#hearAgain();
  }

  #answerAll(inside: Socket): void {
    while (this.#takingSince === null && !this.#hasEnded) {
      const bytes = inside.read() as Buffer | null;
      if (bytes === null) return;
      this.#passOut(inside, bytes);
    }
  }

  #passOut(inside: Socket, bytes: Buffer): void {
    if (!INTERIM.every((byte, i) => bytes[i] === byte)) this.#turnTo("resting");
    if (this.#outside.write(bytes)) return;
    this.#takingSince = this.#ports.now();
    this.#outside.once("drain", () => {
      this.#takingSince = null;
      this.#since = this.#ports.now();
      this.#answerAll(inside);
    });
  }

  /** The server behind has closed: what is on its way to the client may still arrive. */
  #finish(): void {
    if (this.#hasEnded) return;
    this.#takingSince ??= this.#ports.now();
    this.#outside.end(() => this.end());
  }

  #turnTo(turn: Turn): void {
    this.#turn = turn;
    this.#since = this.#ports.now();
    if (turn === "asking") this.#head = new HeadWatch();
  }
}
