/**
 * Reading JSON from clients: bounded in depth and in the number of values, and lossless for numbers.
 *
 * Objects become Maps, so that a key of `__proto__` is a key and nothing else. A number that a double doesn't hold
 * exactly becomes a {@link LosslessNumber}: metadata keeps its literal text.
 *
 * @module
 */

import { VaultError } from "../../vault/errors.ts";

const MAX_DEPTH = 64;
const MAX_VALUES = 20_000;
const [QUOTE, BACKSLASH, COMMA] = [0x22, 0x5c, 0x2c];
const [OPEN_BRACE, CLOSE_BRACE, OPEN_BRACKET, CLOSE_BRACKET] = [0x7b, 0x7d, 0x5b, 0x5d];

/** A number as it was written. */
export class LosslessNumber {
  constructor(readonly text: string) {}
}

/**
 * Parses a JSON text (RFC 8259); of duplicate keys the last counts.
 *
 * @throws {VaultError} `invalid_argument`.
 */
export function parseJson(text: string): unknown {
  assertSimple(text);
  return toMaps(parseLossless(text));
}

/**
 * Parses a JSON text that goes out again as it came: a number that a double doesn't hold keeps its literal text when
 * it is written by `JSON.stringify`. For texts of clients that {@link parseJson} has taken before.
 */
export function parseVerbatim(text: string): unknown {
  return JSON.parse(text, keepLiteral as (key: string, value: unknown) => unknown);
}

/** ES2025's `JSON.rawJSON`, which this compiler's library doesn't know yet. */
const { rawJSON } = JSON as unknown as { rawJSON(text: string): unknown };

function keepLiteral(key: string, value: unknown, context?: { readonly source?: string }): unknown {
  const kept = keepNumber(key, value, context);
  return kept instanceof LosslessNumber ? rawJSON(kept.text) : kept;
}

function parseLossless(text: string): unknown {
  try {
    return JSON.parse(text, keepNumber as (key: string, value: unknown) => unknown);
  } catch (cause) {
    throw new VaultError("invalid_argument", "failed to decode JSON input: the body is not valid JSON", { cause });
  }
}

/** ES2025's third argument of a reviver gives the source text of a primitive value. */
function keepNumber(_key: string, value: unknown, context?: { readonly source?: string }): unknown {
  if (typeof value !== "number" || context?.source === undefined) return value;
  return String(value) === context.source ? value : new LosslessNumber(context.source);
}

/** Before parsing, whose reviver would recurse as deep as the text and visit every value. */
function assertSimple(text: string): void {
  let depth = 0;
  let values = 0;
  for (let at = 0; at < text.length; at++) {
    const char = text.charCodeAt(at);
    if (char === QUOTE) at = endOfText(text, at);
    else if (char === COMMA) values++;
    else if (char === OPEN_BRACE || char === OPEN_BRACKET) [depth, values] = [depth + 1, values + 1];
    else if (char === CLOSE_BRACE || char === CLOSE_BRACKET) depth--;
    if (depth <= MAX_DEPTH && values <= MAX_VALUES) continue;
    throw new VaultError("invalid_argument", "refused JSON input due to high complexity", {
      hint: `at most ${MAX_VALUES} values, nested ${MAX_DEPTH} deep`,
    });
  }
}

/** The index of the quotation mark that ends the text which begins at `start`; the end where none does. */
function endOfText(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    const char = text.charCodeAt(at);
    if (char === BACKSLASH) at++;
    else if (char === QUOTE) return at;
  }
  return text.length;
}

function toMaps(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(toMaps);
  if (typeof value !== "object" || value === null || value instanceof LosslessNumber) return value;
  return new Map(Object.entries(value).map(([key, one]) => [key, toMaps(one)]));
}
