/**
 * Days, in UTC. A token is valid through its `expires` day, so an expiry is kept as the first millisecond after it.
 *
 * @module
 */

import { VaultError } from "./errors.ts";
import { quoteName } from "./names.ts";

/** Milliseconds of a day; UTC days have no leap seconds here (POSIX time). */
export const DAY_MS = 86_400_000;

/** Ten years, the longest life that can be asked for. */
export const MAX_EXPIRES_DAYS = 3650;

const DATE = /^(\d{4})-(\d{2})-(\d{2})$/;

/** The UTC day of a moment, as `YYYY-MM-DD`. */
export function utcDay(at: number): string {
  return new Date(at).toISOString().slice(0, 10);
}

/** The last day on which a token with this `expiresAt` is valid, as `YYYY-MM-DD`. */
export function lastValidDay(expiresAt: number): string {
  return utcDay(expiresAt - 1);
}

/** The `expiresAt` of a token that is valid for `days` days after today. */
export function expiryAfterDays(now: number, days: number): number {
  if (!Number.isInteger(days) || days < 1 || days > MAX_EXPIRES_DAYS) {
    throw new VaultError("invalid_argument", `A life of ${days} days is not possible`, {
      hint: `give a whole number of days from 1 to ${MAX_EXPIRES_DAYS}`,
    });
  }
  return (Math.floor(now / DAY_MS) + days + 1) * DAY_MS;
}

/**
 * Parses `YYYY-MM-DD` to the first millisecond of that UTC day.
 *
 * @throws {VaultError} `invalid_argument` for another form or a day that does not exist.
 */
export function parseDay(text: string): number {
  const match = DATE.exec(text);
  const at = match === null ? NaN : Date.UTC(Number(match[1]), Number(match[2]) - 1, Number(match[3]));
  if (!Number.isNaN(at) && utcDay(at) === text) return at;
  throw new VaultError("invalid_argument", `${quoteName(text)} is not a day that exists`, {
    hint: "write YYYY-MM-DD",
  });
}
