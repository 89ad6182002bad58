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
  const budget = { values: 0 };
  return toMaps(parseLossless(text), 0, budget);
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

function toMaps(value: unknown, depth: number, budget: { values: number }): unknown {
  if (++budget.values > MAX_VALUES || depth > MAX_DEPTH) {
    throw new VaultError("invalid_argument", "refused JSON input due to high complexity", {
      hint: `at most ${MAX_VALUES} values, nested ${MAX_DEPTH} deep`,
    });
  }
  if (Array.isArray(value)) return value.map((one) => toMaps(one, depth + 1, budget));
  if (typeof value !== "object" || value === null || value instanceof LosslessNumber) return value;
  return new Map(Object.entries(value).map(([key, one]) => [key, toMaps(one, depth + 1, budget)]));
}
