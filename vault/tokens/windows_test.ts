import { deepEqual, equal, ok } from "node:assert/strict";
import fc from "fast-check";
import { SlidingWindow } from "./sliding_window.ts";
import { Windows } from "./windows.ts";

const MINUTE = { count: 2, seconds: 60 };

Deno.test("Windows keeps one a user while a call in it counts, and lets it go after", () => {
  const windows = new Windows();
  for (let row = 0; row < 1000; row++) windows.of(row, 0).take(0, MINUTE);
  equal(windows.size, 1000);
  ok(windows.of(7, 1000) === windows.of(7, 2000), "it is the same window");
  for (let row = 1000; row < 3000; row++) windows.of(row, 61_000).take(61_000, MINUTE);
  ok(windows.size <= 2010, `${windows.size} windows`);
});

Deno.test("Windows decides as windows that are kept for ever would", () => {
  const limit = fc.record({ count: fc.integer({ min: 1, max: 4 }), seconds: fc.constantFrom(1, 10) });
  const call = fc.record({ row: fc.nat(20), wait: fc.nat(3000) });
  fc.assert(fc.property(limit, fc.array(call, { maxLength: 300 }), (rateLimit, calls) => {
    const windows = new Windows();
    const kept = new Map<number, SlidingWindow>();
    let now = 0;
    for (const { row, wait } of calls) {
      now += wait;
      const forEver = kept.get(row) ?? new SlidingWindow();
      kept.set(row, forEver);
      deepEqual(windows.of(row, now).take(now, rateLimit), forEver.take(now, rateLimit));
    }
  }));
});
