/**
 * Reading a request's body: bounded in bytes and in time, decoded as UTF-8.
 *
 * @module
 */

import { VaultError } from "../../vault/errors.ts";
import { HttpProblem } from "./problem.ts";

/** No client of the API sends a tenth of it; parsing one that is this long keeps the event loop some milliseconds. */
const MAX_BODY_BYTES = 1024 * 1024;
const BODY_TIMEOUT_MS = 30_000;
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
    const declared = Number(request.headers.get("content-length") ?? 0);
    if (declared > MAX_BODY_BYTES) throw tooLarge();
    const mine = { bytes: 0 };
    try {
      const bytes = await withinTime(request.body!.getReader(), (count) => this.#hold(mine, count));
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

/** Told of each chunk's length; throws to refuse the rest. */
type Hold = (count: number) => void;

async function withinTime(reader: ReadableStreamDefaultReader<Uint8Array>, hold: Hold): Promise<Uint8Array> {
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    void reader.cancel();
  }, BODY_TIMEOUT_MS);
  try {
    const bytes = await joinChunks(reader, hold);
    if (late) throw new HttpProblem(408, [`the body did not arrive within ${BODY_TIMEOUT_MS / 1000} s`]);
    return bytes;
  } finally {
    clearTimeout(timer);
  }
}

async function joinChunks(reader: ReadableStreamDefaultReader<Uint8Array>, hold: Hold): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  try {
    for (let next = await chunkOf(reader); !next.done; next = await chunkOf(reader)) {
      length += next.value.length;
      if (length > MAX_BODY_BYTES) throw tooLarge();
      hold(next.value.length);
      chunks.push(next.value);
    }
  } catch (error) {
    void reader.cancel().catch(() => {});
    throw error;
  }
  return chunks.length === 1 ? chunks[0]! : concat(chunks, length);
}

/** What the runtime says of a caller who left has a name of its own in each version. */
async function chunkOf(reader: ReadableStreamDefaultReader<Uint8Array>) {
  try {
    return await reader.read();
  } catch (cause) {
    throw new VaultError("cancelled", "The caller went away before the body ended", { cause });
  }
}

function concat(chunks: readonly Uint8Array[], length: number): Uint8Array {
  const all = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    all.set(chunk, at);
    at += chunk.length;
  }
  return all;
}

function tooLarge(): HttpProblem {
  return new HttpProblem(413, [`the body is larger than ${MAX_BODY_BYTES} bytes`]);
}
