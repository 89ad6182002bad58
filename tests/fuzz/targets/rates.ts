/**
 * `<count>/<seconds>s`, checked against a second reading of the grammar.
 *
 * @module
 */

import fc from "fast-check";
import { formatRateLimit, MAX_RATE_COUNT, MAX_RATE_SECONDS, parseRateLimit } from "../../../vault/roles/rate_limit.ts";
import { anyText, bulkText, mutatedText } from "../mutations.ts";
import { must, parseOrRefuse } from "../refusals.ts";
import { type FuzzTarget, syncTarget } from "../target.ts";

const number = fc.oneof(
  fc.nat({ max: 200 }),
  fc.integer({ min: -2, max: 2 ** 40 }),
  fc.constantFrom(0, 1, MAX_RATE_COUNT, MAX_RATE_COUNT + 1, MAX_RATE_SECONDS, MAX_RATE_SECONDS + 1, 1e21, 0.5),
);
const valid = fc.tuple(number, number).map(([count, seconds]) => `${count}/${seconds}s`);

/** Rate limits. */
export const target: FuzzTarget = syncTarget(
  "rates",
  "json",
  fc.oneof(
    { weight: 100, arbitrary: mutatedText(valid) },
    { weight: 30, arbitrary: anyText() },
    { weight: 1, arbitrary: bulkText(100_000, ["0", "9", "/", "30/60s"]) },
  ),
  check,
);

function check(text: string): void {
  const limit = parseOrRefuse(["invalid_argument"], () => parseRateLimit(text));
  const expected = readAgain(text);
  must((limit === undefined) === (expected === null), `${JSON.stringify(text)} was taken as ${JSON.stringify(limit)}`);
  if (limit === undefined || expected === null) return;
  must(
    limit.count === expected.count && limit.seconds === expected.seconds,
    "the numbers differ from what stands there",
  );
  const again = parseRateLimit(formatRateLimit(limit));
  must(again.count === limit.count && again.seconds === limit.seconds, "its own text is read as another limit");
}

/** By hand, character by character. */
function readAgain(text: string): { count: number; seconds: number } | null {
  const [left, right, ...more] = text.split("/");
  if (right === undefined || more.length > 0 || !right.endsWith("s")) return null;
  const count = wholeNumber(left!, MAX_RATE_COUNT);
  const seconds = wholeNumber(right.slice(0, -1), MAX_RATE_SECONDS);
  return count === null || seconds === null ? null : { count, seconds };
}

function wholeNumber(text: string, max: number): number | null {
  if (text.length < 1 || text.length > 9) return null;
  let value = 0;
  for (let i = 0; i < text.length; i++) {
    const digit = text.charCodeAt(i) - 0x30;
    if (digit < 0 || digit > 9) return null;
    value = value * 10 + digit;
  }
  return value >= 1 && value <= max ? value : null;
}
