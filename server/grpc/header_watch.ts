/**
 * Ends connections whose calls the runtime refuses for their headers, before those headers fill the memory.
 *
 * HPACK lets a byte stand for a field of 4 KB that was sent before (RFC 7541, §6.1). Past 128 fields Deno 2.8.3 resets the stream and keeps
 * what it has of it, half a megabyte, until the next full collection of garbage, of which it knows no need: 150 bytes
 * of a stranger take 500,000. JavaScript is told of no such stream. But it reads the connection's bytes, and
 * hands them on: so it hands on few at once, and compares how many streams there were with how many it was told of.
 *
 * Runtimes before 2.8 read by themselves; there nothing can be done here
 * (`docs/decisions/0048_headers_that_a_byte_names.md`).
 *
 * @module
 */

import type { Buffer } from "node:buffer";
import type { ServerHttp2Session } from "node:http2";
import { nextTick } from "node:process";

/**
 * What of an unknown peer is handed on at once: fewer than sixty such streams. The budget of strangers (S17) counts 256 bytes
 * more for each piece of a message, and its largest, of 256 MiB, has to fit into their 272.
 */
const PIECE_BYTES = 8192;
/** Fewer bytes than this hold too few of them to look for. */
const LOOK_AFTER_BYTES = 2048;
/** Streams that a client may lose so, or whose numbers it may leave out. */
export const MOST_REFUSED = 16;

/** What the watch asks of the outside. */
export interface HeaderWatchPorts {
  /** Whether the caller of the connection has authenticated: what comes is handed on as it is. */
  readonly isKnown: () => boolean;
  /** Told when the connection is ended. */
  readonly onEnded: () => void;
}

/**
 * Watches a session that has just begun, before the first of its bytes is read.
 *
 * @returns What must be called for each stream of the session; undefined where the runtime reads by itself.
 */
export function watchHeaders(session: ServerHttp2Session, ports: HeaderWatchPorts): (() => void) | undefined {
  const [handOn, ...others] = session.socket.listeners("data") as ((bytes: Buffer) => void)[];
  if (handOn === undefined || others.length > 0) return undefined;
  const watch = new HeaderWatch(session, handOn, ports);
  session.socket.removeAllListeners("data");
  session.socket.on("data", (bytes: Buffer) => watch.hear(bytes));
  return () => watch.told++;
}

class HeaderWatch {
  /** Streams that JavaScript was told of. */
  told = 0;
  readonly #session: ServerHttp2Session;
  readonly #handOn: (bytes: Buffer) => void;
  readonly #ports: HeaderWatchPorts;
  readonly #pieces: Buffer[] = [];
  #isHandingOn = false;
  #unlooked = 0;

  constructor(session: ServerHttp2Session, handOn: (bytes: Buffer) => void, ports: HeaderWatchPorts) {
    this.#session = session;
    this.#handOn = handOn;
    this.#ports = ports;
  }

  hear(bytes: Buffer): void {
    if (!this.#isHandingOn && this.#ports.isKnown()) return this.#handOn(bytes);
    for (let at = 0; at < bytes.length; at += PIECE_BYTES) this.#pieces.push(bytes.subarray(at, at + PIECE_BYTES));
    if (this.#isHandingOn) return;
    this.#isHandingOn = true;
    this.#handOnPiece();
  }

  /**
   * One in each tick: by the next one, and no sooner, JavaScript has been told of the streams in it. A socket may be read
   * several times in one tick.
   */
  #handOnPiece(): void {
    const piece = this.#pieces.shift();
    this.#isHandingOn = piece !== undefined;
    if (piece === undefined) return;
    if (this.#unlooked >= LOOK_AFTER_BYTES && this.#hasTooManyRefused()) return this.#end();
    this.#unlooked += piece.length;
    this.#handOn(piece);
    nextTick(() => this.#handOnPiece());
  }

  #hasTooManyRefused(): boolean {
    this.#unlooked = 0;
    if (this.#session.destroyed || this.#ports.isKnown()) return false;
    const last = this.#session.state.lastProcStreamID ?? 0;
    // A client's streams have odd numbers, one after the other; the last one's headers may not be whole yet.
    return (last - 1) / 2 - this.told > MOST_REFUSED;
  }

  #end(): void {
    this.#pieces.length = 0;
    this.#ports.onEnded();
    this.#session.destroy();
  }
}
