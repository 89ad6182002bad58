/**
 * The bytes of a request's body, bounded in number and in the time that they take to arrive.
 *
 * @module
 */

import { VaultError } from "../vault/errors.ts";

/** What a body may cost, and how one that costs more is refused. */
export interface BodyBounds {
  readonly maxBytes: number;
  /** How long the whole body may take to arrive: a caller that sends a byte a minute would hold its request open. */
  readonly timeoutMs: number;
  readonly tooLarge: () => Error;
  readonly late: () => Error;
  /** Told of each chunk's length; throws to refuse the rest. */
  readonly hold?: (count: number) => void;
}

/**
 * Reads a body; an absent one has no bytes.
 *
 * @throws {VaultError} `cancelled` where the caller broke off; else what the bounds say.
 */
export async function readBodyBytes(request: Request, bounds: BodyBounds): Promise<Uint8Array> {
  if (Number(request.headers.get("content-length") ?? 0) > bounds.maxBytes) throw bounds.tooLarge();
  if (request.body === null) return new Uint8Array();
  const reader = request.body.getReader();
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    giveUp(reader);
  }, bounds.timeoutMs);
  try {
    const bytes = await joinChunks(reader, bounds);
    if (isLate) throw bounds.late();
    return bytes;
  } catch (error) {
    giveUp(reader);
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

/** A body whose caller has gone can't be given up any more, which is as good: unheard, that would end the process. */
function giveUp(reader: ReadableStreamDefaultReader<Uint8Array>): void {
  reader.cancel().catch(() => {});
}

async function joinChunks(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  { maxBytes, tooLarge, hold }: BodyBounds,
): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for (let next = await chunkOf(reader); !next.done; next = await chunkOf(reader)) {
    length += next.value.length;
    if (length > maxBytes) throw tooLarge();
    hold?.(next.value.length);
    chunks.push(next.value);
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
