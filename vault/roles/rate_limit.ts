/**
 * How often a user may call: `<count>/<seconds>s`, such as `30/60s`.
 *
 * @module
 */

import { VaultError } from "../errors.ts";
import { quoteName } from "../names.ts";

/** At most `count` calls in any `seconds` seconds. */
export interface RateLimit {
  readonly count: number;
  readonly seconds: number;
}

/** A window remembers the time of each counted call (8 bytes), so a limit is also a bound on memory a user. */
export const MAX_RATE_COUNT = 1_000_000;

/** One day: a longer window would outlive restarts, which forget windows. */
export const MAX_RATE_SECONDS = 86_400;

const FORM = /^([0-9]{1,9})\/([0-9]{1,9})s$/;

/**
 * Parses `<count>/<seconds>s`.
 *
 * @throws {VaultError} `invalid_argument` for another form or numbers out of bounds.
 */
export function parseRateLimit(text: string): RateLimit {
  const match = FORM.exec(text);
  const count = Number(match?.[1]);
  const seconds = Number(match?.[2]);
  const ok = count >= 1 && count <= MAX_RATE_COUNT && seconds >= 1 && seconds <= MAX_RATE_SECONDS;
  if (ok) return { count, seconds };
  throw new VaultError("invalid_argument", `Invalid rate limit ${quoteName(text)}`, {
    hint: `write <count>/<seconds>s, such as 30/60s: count 1 to ${MAX_RATE_COUNT}, seconds 1 to ${MAX_RATE_SECONDS}`,
  });
}

/** The text form that {@link parseRateLimit} reads. */
export function formatRateLimit(limit: RateLimit): string {
  return `${limit.count}/${limit.seconds}s`;
}
