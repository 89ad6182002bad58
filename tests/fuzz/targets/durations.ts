/**
 * Spans of time on the command line (`90d`, `10m`), and how a life in days becomes a moment.
 *
 * @module
 */

import fc from "fast-check";
import { parseExpires, parseGrace } from "../../../cli/durations.ts";
import { DAY_MS, expiryAfterDays, lastValidDay, MAX_EXPIRES_DAYS, parseDay } from "../../../vault/dates.ts";
import { anyText, bulkText, mutatedText } from "../mutations.ts";
import { must, parseOrRefuse } from "../refusals.ts";
import { type FuzzTarget, syncTarget } from "../target.ts";

interface Input {
  readonly text: string;
  /** The moment of issue, ms since 1970. */
  readonly now: number;
}

const number = fc.oneof(fc.nat({ max: 400 }), fc.nat({ max: 2 ** 31 - 1 }), fc.double());
const valid = fc.tuple(number, fc.constantFrom("", "d", "w", "m", "s", "h", "y", "D")).map(([n, unit]) =>
  `${n}${unit}`
);
const text = fc.oneof(
  { weight: 100, arbitrary: mutatedText(valid) },
  { weight: 30, arbitrary: anyText() },
  { weight: 1, arbitrary: bulkText(100_000, ["0", "9", "1d", "10m"]) },
);
/** From 1970 to 9900. */
const now = fc.integer({ min: 0, max: 250_000_000_000_000 });

/** Lives of tokens and graces. */
export const target: FuzzTarget = syncTarget("durations", "json", fc.record({ text, now }), check);

function check({ text, now }: Input): void {
  checkExpires(text, now);
  const seconds = parseOrRefuse(["usage"], () => parseGrace(text));
  const expected = readAgain(text, { s: 1, m: 60, h: 3600 }, 6, 86_400);
  must(seconds === expected, `--grace ${JSON.stringify(text)} was taken as ${seconds} s`);
}

function checkExpires(text: string, now: number): void {
  const days = parseOrRefuse(["usage"], () => parseExpires(text));
  const expected = readAgain(text, { "": 1, d: 1, w: 7, m: 30 }, 5, Infinity);
  must(days === (expected === 0 ? undefined : expected), `--expires ${JSON.stringify(text)} was taken as ${days} days`);
  if (days === undefined) return;
  const expiresAt = parseOrRefuse(["invalid_argument"], () => expiryAfterDays(now, days));
  must((expiresAt === undefined) === (days > MAX_EXPIRES_DAYS), `a life of ${days} days became ${expiresAt}`);
  if (expiresAt === undefined) return;
  const wholeDaysLeft = (expiresAt - DAY_MS - Math.floor(now / DAY_MS) * DAY_MS) / DAY_MS;
  must(wholeDaysLeft === days, `${days} days from ${now} end at ${expiresAt}`);
  must(parseDay(lastValidDay(expiresAt)) === expiresAt - DAY_MS, "the day that is shown is another one");
}

/** By hand: digits without a leading zero, then a unit; undefined for anything else. */
function readAgain(
  text: string,
  units: Readonly<Record<string, number>>,
  maxDigits: number,
  max: number,
): number | undefined {
  let digits = 0;
  while ("0123456789".includes(text[digits] ?? " ")) digits++;
  const unit = units[text.slice(digits)];
  if (digits < 1 || digits > maxDigits || (digits > 1 && text[0] === "0")) return undefined;
  if (unit === undefined || !Object.hasOwn(units, text.slice(digits))) return undefined;
  const value = Number(text.slice(0, digits)) * unit;
  return value <= max ? value : undefined;
}
