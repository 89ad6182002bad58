/**
 * The file with the first key of a trail, as the operator took it away.
 *
 * @module
 */

import { VaultError } from "../errors.ts";
import type { SeriesKey } from "./verify.ts";

const HEX_KEY = /^[0-9a-f]{64}$/i;

/**
 * Reads `audit.k0`: `{"first_sequence":1,"key":"<64 hex digits>"}`, or the hex digits alone.
 *
 * @throws {VaultError} `invalid_argument`.
 */
export function parseSeriesKey(text: string): SeriesKey {
  const trimmed = text.trim();
  const { first_sequence: first, key } = HEX_KEY.test(trimmed) ? { first_sequence: 1, key: trimmed } : fields(trimmed);
  if (typeof key !== "string" || !HEX_KEY.test(key) || !Number.isSafeInteger(first) || (first as number) < 1) {
    throw notAKey();
  }
  return { firstSequence: first as number, key: Uint8Array.fromHex(key) };
}

function fields(text: string): { first_sequence?: unknown; key?: unknown } {
  try {
    return JSON.parse(text) ?? {};
  } catch {
    throw notAKey();
  }
}

function notAKey(): VaultError {
  return new VaultError("invalid_argument", "This is no key of an audit trail", {
    hint: "give the file audit.k0 that the first start left",
  });
}
