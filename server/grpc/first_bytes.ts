/**
 * Starts HTTP/2 on connections that have said how it begins, a few in each turn of the event loop.
 *
 * The client speaks first, with TLS (RFC 8446, §2) as without (RFC 9113, §3.4), so nobody waits for a server that waits.
 * Who connects and is silent, or speaks something else, then costs a socket and no more: a session takes three times the memory, and the pinned runtime
 * keeps nghttp2's record of every one for good (`docs/decisions/0045_large_blocks_apart.md`). Before Deno 2.7.13 the runtime
 * also works off 61 tasks of sessions for each time that it accepts, and it accepts 128 connections in a turn: were a
 * session begun for each, those that end would keep their descriptors for as long as others come.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import type { Socket } from "node:net";

/** A session takes up to three of those tasks. */
export const SESSIONS_A_TURN = 16;

/** What every client of HTTP/2 says first (RFC 9113, §3.4). */
const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

/** What a peer has to say before HTTP/2 begins. */
export const FIRST_SAID = {
  /** The preface. */
  plain: PREFACE,
  /** Anything: it is for TLS to judge. */
  tls: Buffer.alloc(0),
};

/** The connections of one server that have not said anything, or wait for their turn. */
export class FirstBytes {
  readonly #afterTurn: (ended: () => void) => void;
  readonly #onOther: () => void;
  readonly #waiting = new Set<() => void>();
  #left = SESSIONS_A_TURN;

  /**
   * @param afterTurn Calls back at the end of a turn of the event loop.
   * @param onOther Told of each that said something else.
   */
  constructor(afterTurn: (ended: () => void) => void, onOther: () => void) {
    this.#afterTurn = afterTurn;
    this.#onOther = onOther;
  }

  /**
   * Starts once the peer has said what it must, and there is a turn for it; what it said can be read then. Of one that says
   * something else, or has closed by then, never.
   */
  await(socket: Socket, must: Buffer, start: () => void): void {
    // One that nobody listens for ends the process.
    socket.on("error", () => {});
    let said = Buffer.alloc(0);
    // Put back only once it is complete: bytes that are put back are told of again, at once.
    const hear = () => {
      const bytes = socket.read() as Buffer | null;
      // They ended their side, which nobody else would notice.
      if (bytes === null) return void socket.destroy();
      said = Buffer.concat([said, bytes]);
      if (!isBeginningOf(said, must)) return this.#refuse(socket);
      if (said.length < must.length) return;
      socket.off("readable", hear);
      socket.unshift(said);
      this.#startInTurn(socket, start);
    };
    socket.on("readable", hear);
  }

  #refuse(socket: Socket): void {
    this.#onOther();
    socket.destroy();
  }

  #startInTurn(socket: Socket, start: () => void): void {
    if (socket.destroyed) return;
    if (this.#left === SESSIONS_A_TURN) this.#afterTurn(() => this.#endTurn());
    if (this.#left > 0) {
      this.#left--;
      return start();
    }
    const waiting = () => this.#startInTurn(socket, start);
    this.#waiting.add(waiting);
    socket.once("close", () => this.#waiting.delete(waiting));
  }

  #endTurn(): void {
    this.#left = SESSIONS_A_TURN;
    for (const start of this.#waiting) {
      if (this.#left === 0) return;
      this.#waiting.delete(start);
      start();
    }
  }
}

/** Whether one could still become the other, or is it already. */
function isBeginningOf(said: Buffer, must: Buffer): boolean {
  const length = Math.min(said.length, must.length);
  return said.subarray(0, length).equals(must.subarray(0, length));
}
