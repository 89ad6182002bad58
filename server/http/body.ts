/**
 * Reading a request's body: bounded in bytes and in time, decoded as UTF-8.
 *
 * @module
 */

import { readBodyBytes } from "../../listeners/mod.ts";
import { HttpProblem } from "./problem.ts";

/** No client of the API sends a tenth of it; parsing one that is this long keeps the event loop some milliseconds. */
const MAX_BODY_BYTES = 1024 * 1024;
const BODY_TIMEOUT_MS = 30_000;
const LIMITS = { maxBytes: MAX_BODY_BYTES, timeoutMs: BODY_TIMEOUT_MS };
/** Of bodies that are on their way at one moment, whoever sends them: their senders aren't known yet. */
const MAX_BYTES_AT_ONCE = 64 * 1024 * 1024;

/** Reads bodies, within limits for each and for all that are on their way. */
export class BodyReader {
  readonly #maxBytesAtOnce: number;
  #held = 0;

  /** @param maxBytesAtOnce Default: 64 MiB. */
  constructor(maxBytesAtOnce = MAX_BYTES_AT_ONCE) {
    this.#maxBytesAtOnce = maxBytesAtOnce;
  }

  /**
   * Reads a body.
   *
   * @throws {HttpProblem} 413 for too many bytes, 408 for one that doesn't arrive in time, 400 for bytes that aren't
   *   UTF-8, 503 while too many bodies are on their way.
   * @throws {VaultError} `cancelled` where the caller broke off.
   */
  async read(request: Request): Promise<string> {
    const mine = { bytes: 0 };
    const hold = (count: number) => this.#hold(mine, count);
    try {
      const bytes = await readBodyBytes(request, { ...LIMITS, tooLarge, late, hold });
      return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      throw new HttpProblem(400, ["failed to decode JSON input: the body is not UTF-8"]);
    } finally {
      this.#held -= mine.bytes;
    }
  }

  #hold(mine: { bytes: number }, count: number): void {
    mine.bytes += count;
    this.#held += count;
    if (this.#held > this.#maxBytesAtOnce) throw new HttpProblem(503, ["too many requests are being sent at once"]);
  }
}

function late(): HttpProblem {
  return new HttpProblem(408, [`the body did not arrive within ${BODY_TIMEOUT_MS / 1000} s`]);
}

function tooLarge(): HttpProblem {
  return new HttpProblem(413, [`the body is larger than ${MAX_BODY_BYTES} bytes`]);
}
