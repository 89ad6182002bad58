import assert from "node:assert/strict";
import fc from "fast-check";
import type { RateLimit } from "../roles/rate_limit.ts";
import { report } from "../_test_support.ts";
import { SlidingWindow } from "./sliding_window.ts";

/** The window as one would explain it: every call let through is remembered, and those of the last seconds counted. */
class NaiveWindow {
  readonly #times: number[] = [];

  take(now: number, limit: RateLimit): number {
    const windowMs = limit.seconds * 1000;
    const inside = this.#times.filter((time) => time + windowMs > now);
    if (inside.length >= limit.count) return inside[inside.length - limit.count]! + windowMs - now;
    this.#times.push(now);
    return 0;
  }
}

const PER_MINUTE = { count: 3, seconds: 60 };

Deno.test("SlidingWindow lets exactly as many calls through as the limit says, and tells when a place is free", () => {
  const window = new SlidingWindow();
  assert.deepEqual([0, 10, 20].map((now) => window.take(now, PER_MINUTE)), [0, 0, 0]);
  assert.equal(window.take(20, PER_MINUTE), 59_980);
  assert.equal(window.take(59_999, PER_MINUTE), 1);
  assert.equal(window.take(60_000, PER_MINUTE), 0, "the first call has just left the window");
  assert.equal(window.take(60_000, PER_MINUTE), 10);
});

Deno.test("SlidingWindow slides: no trick with the borders of a minute gets more calls through", () => {
  const window = new SlidingWindow();
  const limit = { count: 10, seconds: 1 };
  let through = 0;
  for (let now = 900; now < 1100; now++) if (window.take(now, limit) === 0) through++;
  assert.equal(through, 10);
});

Deno.test("SlidingWindow counts no call that it refused", () => {
  const window = new SlidingWindow();
  for (let i = 0; i < 3; i++) window.take(0, PER_MINUTE);
  for (let i = 0; i < 1000; i++) assert.ok(window.take(30_000, PER_MINUTE) > 0);
  assert.equal(window.take(60_000, PER_MINUTE), 0);
});

Deno.test("SlidingWindow.latest is the time of the last call that was let through", () => {
  const window = new SlidingWindow();
  assert.equal(window.latest, -Infinity);
  window.take(5, { count: 1, seconds: 1 });
  window.take(6, { count: 1, seconds: 1 });
  assert.equal(window.latest, 5);
});

const steps = fc.array(fc.integer({ min: 0, max: 400 }), { minLength: 1, maxLength: 400, size: "max" });

Deno.test("SlidingWindow agrees with a window that remembers everything, at every constant limit", () => {
  const limit = fc.record({ count: fc.integer({ min: 1, max: 40 }), seconds: fc.integer({ min: 1, max: 5 }) });
  fc.assert(
    fc.property(limit, steps, (constant, gaps) => {
      const exact = new SlidingWindow();
      const naive = new NaiveWindow();
      let now = 0;
      for (const gap of gaps) {
        now += gap;
        assert.equal(exact.take(now, constant), naive.take(now, constant));
      }
    }),
    { numRuns: 300 },
  );
});

Deno.test("SlidingWindow agrees with it also while the count of the role shrinks and grows, or its window shrinks", () => {
  const counts = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 8 });
  fc.assert(
    fc.property(counts, fc.integer({ min: 2, max: 5 }), steps, (changing, firstSeconds, gaps) => {
      const exact = new SlidingWindow();
      const naive = new NaiveWindow();
      let now = 0;
      for (const [i, gap] of gaps.entries()) {
        now += gap;
        const seconds = i > gaps.length / 2 ? 1 : firstSeconds;
        const limit = { count: changing[i % changing.length]!, seconds };
        assert.equal(exact.take(now, limit), naive.take(now, limit), `call ${i}`);
      }
    }),
    { numRuns: 300 },
  );
});

Deno.test("SlidingWindow, made longer, never lets more through than the new limit from then on", () => {
  const window = new SlidingWindow();
  const short = { count: 5, seconds: 1 };
  for (let now = 0; now < 10_000; now += 100) window.take(now, short);
  const long = { count: 8, seconds: 60 };
  let through = 0;
  for (let now = 10_000; now < 70_000; now += 10) if (window.take(now, long) === 0) through++;
  assert.ok(through <= 8, `${through} calls`);
});

/** Milliseconds for 1e5 calls on a full window, the best of a few rounds: what else the machine does only adds. */
function timeOf(limit: RateLimit): number {
  const window = new SlidingWindow();
  let now = 0;
  // Every other call finds a place.
  const gap = (limit.seconds * 1000) / limit.count / 2;
  for (let i = 0; i < limit.count; i++) window.take(now += 2 * gap, limit);
  let best = Infinity;
  for (let round = 0; round < 5; round++) {
    let through = 0;
    const began = performance.now();
    for (let i = 0; i < 100_000; i++) if (window.take(now += gap, limit) === 0) through++;
    best = Math.min(best, performance.now() - began);
    assert.ok(through > 40_000 && through < 60_000, `${through} calls`);
  }
  return best;
}

Deno.test("SlidingWindow costs the same a call at a limit of a million as at ten", () => {
  timeOf({ count: 10, seconds: 60 });
  const small = timeOf({ count: 10, seconds: 60 });
  const large = timeOf({ count: 1_000_000, seconds: 60 });
  report(`1e5 calls on a full window: ${small.toFixed(1)} ms at 10/60s, ${large.toFixed(1)} ms at 1000000/60s`);
  // A larger ring misses the processor's cache more often; rebuilding it would cost thousands of times as much.
  assert.ok(large < Math.max(small, 2) * 15, `${large} ms against ${small} ms`);
});
