/**
 * Points in time on the command line: so long ago, or a date.
 *
 * @module
 */

import { VaultError } from "../vault/errors.ts";

const SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 };
const LATEST_MS = 8_640_000_000_000_000;

/**
 * Parses `30m` (minutes), `24h`, `7d` before `now`, or a date or time (ISO 8601), to a time in UTC.
 *
 * @param now Milliseconds since 1970.
 * @throws {VaultError} `usage`.
 */
export function parsePoint(text: string, option: string, now: number): string {
  const ago = /^([0-9]{1,9})([smhdw])$/.exec(text);
  const at = ago === null ? dateOf(text) : now - Number(ago[1]) * SECONDS[ago[2]!]! * 1000;
  if (Math.abs(at) <= LATEST_MS) return new Date(at).toISOString();
  throw new VaultError("usage", `${JSON.stringify(text.slice(0, 40))} is no time for ${option}`, {
    hint: "write 30m (minutes), 24h or 7d ago, or a time such as 2026-03-20T10:00:00Z",
  });
}

/** What `Date.parse` makes of other texts differs from one runtime to the next. */
function dateOf(text: string): number {
  return /^[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9:.]+(Z|[+-][0-9]{2}:[0-9]{2}))?$/.test(text) ? Date.parse(text) : NaN;
}
