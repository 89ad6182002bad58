import assert from "node:assert/strict";
import fc from "fast-check";
import { refused } from "../_test_support.ts";
import { formatRateLimit, MAX_RATE_COUNT, MAX_RATE_SECONDS, parseRateLimit } from "./rate_limit.ts";

Deno.test("parseRateLimit() reads <count>/<seconds>s up to its bounds", () => {
  assert.deepEqual(parseRateLimit("30/60s"), { count: 30, seconds: 60 });
  assert.deepEqual(parseRateLimit("1/1s"), { count: 1, seconds: 1 });
  assert.deepEqual(parseRateLimit("1000000/86400s"), { count: MAX_RATE_COUNT, seconds: MAX_RATE_SECONDS });
});

Deno.test("parseRateLimit() refuses what is out of bounds or of another form", () => {
  const wrong = [
    "0/0s",
    "0/60s",
    "30/0s",
    "999999999999/1s",
    "1000001/1s",
    "1/86401s",
    "1/999999999999s",
    "-1/60s",
    "30/-60s",
    "30/60",
    "30/60m",
    "30",
    "/s",
    "",
    "3e1/60s",
    "0x1e/60s",
    "30.5/60s",
    " 30/60s",
    "30/60s ",
    "30/60s\n",
    "30 / 60s",
    "٣/60s",
    "Infinity/1s",
    "NaN/1s",
  ];
  for (const text of wrong) {
    assert.throws(() => parseRateLimit(text), refused("invalid_argument"), JSON.stringify(text));
  }
  const long = "9".repeat(1_000_000);
  assert.throws(() => parseRateLimit(long), (error: unknown) => (error as Error).message.length < 120);
});

Deno.test("formatRateLimit() writes what parseRateLimit() reads", () => {
  const count = fc.integer({ min: 1, max: MAX_RATE_COUNT });
  const seconds = fc.integer({ min: 1, max: MAX_RATE_SECONDS });
  fc.assert(fc.property(fc.record({ count, seconds }, { noNullPrototype: true }), (limit) => {
    assert.deepEqual(parseRateLimit(formatRateLimit(limit)), limit);
  }));
});
