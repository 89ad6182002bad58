/**
 * How many calls of one connection may be opened and reset before they are answered (CVE-2023-44487).
 *
 * Such a call costs its client two small frames, and counts in no limit of open calls. The runtime has a limit of its own,
 * of 1,000 and 33 more a second, and a runtime older than Deno 2.7.13 ends with the process when it is reached.
 *
 * @module
 */

import { constants, type ServerHttp2Session, type ServerHttp2Stream } from "node:http2";

/** At once: clients that give up on what they wait for stay far below it. */
export const MOST_RESETS = 300;
const RESETS_PER_MS = 33 / 1000;

/** What a limit asks of the outside. */
export interface ResetLimitPorts {
  /** Milliseconds of any clock. */
  readonly now: () => number;
  /** Told of every connection that is ended. */
  readonly onEnded: () => void;
}

/** Ends a connection with ENHANCE_YOUR_CALM once its client has reset more calls than it may. */
export function limitResets(session: ServerHttp2Session, ports: ResetLimitPorts): void {
  let left = MOST_RESETS;
  let countedAt = ports.now();
  const mayReset = (): boolean => {
    const now = ports.now();
    left = Math.min(MOST_RESETS, left + (now - countedAt) * RESETS_PER_MS);
    countedAt = now;
    return --left >= 0;
  };
  session.on("stream", (stream: ServerHttp2Stream) => {
    stream.once("close", () => {
      if (!isGivenUp(stream) || session.destroyed || mayReset()) return;
      ports.onEnded();
      session.goaway(constants.NGHTTP2_ENHANCE_YOUR_CALM);
      session.destroy();
    });
  });
}

/** Whether it was reset before anything was answered; what this side resets has had its answer. */
function isGivenUp(stream: ServerHttp2Stream): boolean {
  return stream.rstCode !== constants.NGHTTP2_NO_ERROR && !stream.headersSent;
}
