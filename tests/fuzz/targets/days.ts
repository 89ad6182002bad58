/**
 * `YYYY-MM-DD`, checked against the calendar counted out by hand.
 *
 * @module
 */

import fc from "fast-check";
import { DAY_MS, parseDay, utcDay } from "../../../vault/dates.ts";
import { anyText, bulkText, mutatedText } from "../mutations.ts";
import { must, parseOrRefuse } from "../refusals.ts";
import { type FuzzTarget, syncTarget } from "../target.ts";

const two = (n: number) => String(n).padStart(2, "0");
const year = fc.oneof(fc.integer({ min: 1990, max: 2110 }), fc.integer({ min: 0, max: 9999 }));
const valid = fc.tuple(year, fc.integer({ min: 0, max: 13 }), fc.integer({ min: 0, max: 32 }))
  .map(([y, m, d]) => `${String(y).padStart(4, "0")}-${two(m)}-${two(d)}`);

/** Days. */
export const target: FuzzTarget = syncTarget(
  "days",
  "json",
  fc.oneof(
    { weight: 100, arbitrary: valid },
    { weight: 100, arbitrary: mutatedText(valid, ["-", "+", "02-29", "2000", "1900", "T00:00:00Z", "٣", "-0001"]) },
    { weight: 30, arbitrary: anyText() },
    { weight: 1, arbitrary: bulkText(100_000, ["0", "-", "2026-01-01"]) },
  ),
  check,
);

function check(text: string): void {
  const at = parseOrRefuse(["invalid_argument"], () => parseDay(text));
  must((at !== undefined) === isDay(text), `${JSON.stringify(text)} was taken as ${at}`);
  if (at === undefined) return;
  must(at % DAY_MS === 0 && utcDay(at) === text, `${JSON.stringify(text)} became ${utcDay(at)}`);
}

/** The first hundred years are taken for the 1900s by the platform, and so refused: no token is that old. */
function isDay(text: string): boolean {
  if (!/^[0-9]{4}-[0-9]{2}-[0-9]{2}$/.test(text)) return false;
  const [year, month, day] = text.split("-").map(Number) as [number, number, number];
  const isLeap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
  const days = [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1];
  return year >= 100 && days !== undefined && day >= 1 && day <= days;
}
