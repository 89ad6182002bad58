/**
 * Starts HTTP/2 on connections that have said something, a few in each turn of the event loop.
 *
 * The client speaks first, with TLS (RFC 8446, §2) as without (RFC 9113, §3.4), so nobody waits for a server that waits.
 * Who connects and is silent then costs a socket and no more: a session takes three times the memory, and the pinned runtime
 * keeps nghttp2's record of every one for good (`docs/decisions/0045_large_blocks_apart.md`). Before Deno 2.7.13 the runtime
 * also works off 61 tasks of sessions for each time that it accepts, and it accepts 128 connections in a turn: were a
 * session begun for each, those that end would keep their descriptors for as long as others come.
 *
 * @module
 */

import type { Socket } from "node:net";

/** A session takes up to three of those tasks. */
export const SESSIONS_A_TURN = 16;

/** The connections of one server that have not said anything, or wait for their turn. */
export class FirstBytes {
  readonly #afterTurn: (ended: () => void) => void;
  readonly #waiting = new Set<() => void>();
  #left = SESSIONS_A_TURN;

  /** @param afterTurn Calls back at the end of a turn of the event loop. */
  constructor(afterTurn: (ended: () => void) => void) {
    this.#afterTurn = afterTurn;
  }

  /** Starts once the peer has said something, and there is a turn for it. Of one that has closed by then, never. */
  await(socket: Socket, start: () => void): void {
    // One that nobody listens for ends the process.
    socket.on("error", () => {});
    socket.once("readable", () => {
      if (socket.readableLength > 0) return this.#startInTurn(socket, start);
      // They ended their side without a word, which nobody else would notice.
      socket.destroy();
    });
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
