/**
 * Reading a request's body: bounded in bytes and in time, decoded as UTF-8.
 *
 * @module
 */

import { HttpProblem } from "./problem.ts";

/** No client of the API sends a tenth of it; parsing one that is this long keeps the event loop some milliseconds. */
const MAX_BODY_BYTES = 1024 * 1024;
const BODY_TIMEOUT_MS = 30_000;

/**
 * Reads a body.
 *
 * @throws {HttpProblem} 413 for too many bytes, 408 for one that doesn't arrive in time, 400 for bytes that aren't UTF-8.
 */
export async function readBody(request: Request): Promise<string> {
  const declared = Number(request.headers.get("content-length") ?? 0);
  if (declared > MAX_BODY_BYTES) throw tooLarge();
  const bytes = await withinTime(request.body!.getReader());
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new HttpProblem(400, ["failed to decode JSON input: the body is not UTF-8"]);
  }
}

async function withinTime(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<Uint8Array> {
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    void reader.cancel();
  }, BODY_TIMEOUT_MS);
  try {
    const bytes = await joinChunks(reader);
    if (late) throw new HttpProblem(408, [`the body did not arrive within ${BODY_TIMEOUT_MS / 1000} s`]);
    return bytes;
  } finally {
    clearTimeout(timer);
  }
}

async function joinChunks(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<Uint8Array> {
  const first = await reader.read();
  if (first.done) return new Uint8Array();
  const chunks = [first.value];
  let length = first.value.length;
  for (let next = await reader.read(); !next.done; next = await reader.read()) {
    chunks.push(next.value);
    length += next.value.length;
    if (length <= MAX_BODY_BYTES) continue;
    void reader.cancel();
    throw tooLarge();
  }
  if (length > MAX_BODY_BYTES) throw tooLarge();
  return chunks.length === 1 ? chunks[0]! : concat(chunks, length);
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
