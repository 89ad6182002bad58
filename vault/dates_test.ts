import assert from "node:assert/strict";
import fc from "fast-check";
import { NOW, refused } from "./_test_support.ts";
import { DAY_MS, expiryAfterDays, lastValidDay, MAX_EXPIRES_DAYS, parseDay, utcDay } from "./dates.ts";

Deno.test("parseDay() reads days that exist, leap days included", () => {
  assert.equal(parseDay("1970-01-01"), 0);
  assert.equal(parseDay("2026-03-20"), Date.UTC(2026, 2, 20));
  for (const day of ["2024-02-29", "2000-02-29", "2026-12-31", "9999-12-31"]) {
    assert.equal(utcDay(parseDay(day)), day);
  }
});

Deno.test("parseDay() refuses days that do not exist and every other form", () => {
  const wrong = [
    "2026-02-30",
    "2026-02-29",
    "2025-04-31",
    "2026-13-01",
    "2026-00-10",
    "2026-01-00",
    "2026-01-32",
    "1900-02-29",
    "2026-3-20",
    "20260320",
    "2026-03-20 ",
    " 2026-03-20",
    "2026-03-20T00:00:00Z",
    "2026/03/20",
    "+02026-03-20",
    "-2026-03-20",
    "tomorrow",
    "",
    "0x7e-03-20",
    "２０２６-03-20",
    "2026-03-20\n",
  ];
  for (const text of wrong) assert.throws(() => parseDay(text), refused("invalid_argument"), JSON.stringify(text));
});

Deno.test("parseDay() quotes no more of a long text than a log line holds", () => {
  assert.throws(() => parseDay("9".repeat(1_000_000)), (error: unknown) => (error as Error).message.length < 120);
});

Deno.test("a token is valid through its last day and dead at the first millisecond after it, in UTC", () => {
  const expiresAt = expiryAfterDays(NOW, 90);
  assert.equal(lastValidDay(expiresAt), "2026-06-18", "as Rune-Vault counts: issued 2026-03-20 for 90 days");
  assert.equal(expiresAt, Date.UTC(2026, 5, 19));
  assert.equal(lastValidDay(expiryAfterDays(Date.UTC(2026, 2, 20), 1)), "2026-03-21");
  assert.equal(lastValidDay(expiryAfterDays(Date.UTC(2026, 2, 20, 23, 59, 59, 999), 1)), "2026-03-21");
});

Deno.test("expiryAfterDays() refuses lives that are none, too long, or no whole number of days", () => {
  for (const days of [0, -1, 1.5, NaN, Infinity, MAX_EXPIRES_DAYS + 1, 1e300]) {
    assert.throws(() => expiryAfterDays(NOW, days), refused("invalid_argument"), String(days));
  }
  assert.ok(expiryAfterDays(NOW, MAX_EXPIRES_DAYS) > NOW);
});

Deno.test("days and milliseconds translate into each other for every day of four centuries", () => {
  fc.assert(
    fc.property(fc.integer({ min: -25_567, max: 120_000 }), fc.integer({ min: 0, max: DAY_MS - 1 }), (day, ms) => {
      const at = day * DAY_MS;
      assert.equal(parseDay(utcDay(at + ms)), at);
      assert.equal(lastValidDay(at + DAY_MS), utcDay(at));
    }),
  );
});
