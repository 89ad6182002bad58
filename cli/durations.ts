/**
 * Spans of time on the command line. The two grammars share letters and differ in what `m` is, as the old tool had it:
 * lives of tokens count days, so `6m` is six months; graces count seconds, so `10m` is ten minutes.
 *
 * @module
 */

import { VaultError } from "../vault/errors.ts";

const DAYS_OF_UNIT: Readonly<Record<string, number>> = { d: 1, w: 7, m: 30 };
const SECONDS_OF_UNIT: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600 };

/** A rotated token lives on for a day at most; the server holds the same bound. */
const MAX_GRACE_SECONDS = 86_400;

/**
 * Parses the life of a token, `90d`, `12w`, `6m` (a month is 30 days) or a number of days, to days.
 *
 * @throws {VaultError} `usage`.
 */
export function parseExpires(text: string): number {
  const match = /^([1-9][0-9]{0,4})([dwm]?)$/.exec(text);
  if (match !== null) return Number(match[1]) * DAYS_OF_UNIT[match[2] || "d"]!;
  throw new VaultError("usage", `${quote(text)} is no length of life for --expires`, {
    hint: "write 90d (days), 12w (weeks), 6m (months of 30 days), or a number of days",
  });
}

/**
 * Parses how long a rotated token lives on, `30s`, `10m` (minutes) or `24h`, to seconds.
 *
 * @throws {VaultError} `usage`; a bare number too, because nobody would know its unit.
 */
export function parseGrace(text: string): number {
  const match = /^(0|[1-9][0-9]{0,5})([smh])$/.exec(text);
  const seconds = match === null ? NaN : Number(match[1]) * SECONDS_OF_UNIT[match[2]!]!;
  if (seconds <= MAX_GRACE_SECONDS) return seconds;
  throw new VaultError("usage", `${quote(text)} is no time for --grace`, {
    hint: "write 30s (seconds), 10m (minutes) or 2h (hours); 24h is the most",
  });
}

function quote(text: string): string {
  return JSON.stringify(text.slice(0, 40));
}
