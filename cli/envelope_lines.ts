/**
 * Envelopes as lines of JSON: an envelope's own object on a line, or that object's text as a JSON string. Each comes
 * back in the form in which it was given.
 *
 * @module
 */

import { VaultError } from "../vault/errors.ts";

/** An envelope with the line that it stood on. */
export interface EnvelopeLine {
  /** From 1. */
  readonly line: number;
  /** The envelope's text, as the server takes it. */
  readonly envelope: string;
  /** Whether the line was a JSON string around the envelope's text. */
  readonly quoted: boolean;
}

/** No envelope that the server takes in one question is longer; a file without line breaks must not fill the memory. */
const MAX_LINE_BYTES = 32 * 1024 * 1024;

/** A question holds so much at most, so that one batch doesn't hold up the server's other callers. */
const MAX_BATCH_CHARS = 256 * 1024;
const MAX_BATCH_LINES = 500;

const NEWLINE = 0x0a;

/**
 * Reads envelopes in batches, in order. Lines without anything on them are skipped.
 *
 * @throws {VaultError} `invalid_argument` naming the line that is too long, not UTF-8, or no JSON object or string.
 */
export async function* readBatches(bytes: ReadableStream<Uint8Array>): AsyncIterable<readonly EnvelopeLine[]> {
  let batch: EnvelopeLine[] = [];
  let chars = 0;
  for await (const { line, text } of readLines(bytes)) {
    if (text.trim() === "") continue;
    const read = parseLine(line, text);
    if (batch.length === MAX_BATCH_LINES || (batch.length > 0 && chars + read.envelope.length > MAX_BATCH_CHARS)) {
      yield batch;
      batch = [];
      chars = 0;
    }
    batch.push(read);
    chars += read.envelope.length;
  }
  if (batch.length > 0) yield batch;
}

/** An envelope as a line, in the form that `like` had. */
export function toLine(envelope: string, like: EnvelopeLine): string {
  return `${like.quoted ? JSON.stringify(envelope) : envelope}\n`;
}

function parseLine(line: number, text: string): EnvelopeLine {
  const value = parseJson(text);
  if (typeof value === "string") return { line, envelope: value, quoted: true };
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return { line, envelope: text.trim(), quoted: false };
  }
  throw new VaultError("invalid_argument", `Line ${line} is no envelope`, {
    hint: 'write one JSON object a line, such as {"a":"…","c":"…"}',
  });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

async function* readLines(bytes: ReadableStream<Uint8Array>): AsyncIterable<{ line: number; text: string }> {
  let line = 1;
  let parts: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of bytes) {
    let from = 0;
    for (let at = chunk.indexOf(NEWLINE); at !== -1; at = chunk.indexOf(NEWLINE, from)) {
      yield { line, text: decodeLine(line, [...parts, chunk.subarray(from, at)]) };
      line++;
      parts = [];
      length = 0;
      from = at + 1;
    }
    parts.push(chunk.slice(from));
    length += chunk.length - from;
    if (length > MAX_LINE_BYTES) throw new VaultError("invalid_argument", `Line ${line} is longer than 32 MiB`);
  }
  if (length > 0) yield { line, text: decodeLine(line, parts) };
}

function decodeLine(line: number, parts: readonly Uint8Array[]): string {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  try {
    return parts.map((part) => decoder.decode(part, { stream: true })).join("") + decoder.decode();
  } catch (cause) {
    throw new VaultError("invalid_argument", `Line ${line} is not UTF-8`, { cause });
  }
}
