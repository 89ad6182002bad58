import { equal, ok } from "node:assert/strict";
import { seededNumbers } from "../tests/crash/_fleet.ts";
import { quantile, slopeOf } from "./soak_numbers.ts";

Deno.test("quantile takes the value that a share does not exceed", () => {
  const sorted = Array.from({ length: 1000 }, (_, i) => i);
  equal(quantile(sorted, 0.5), 500);
  equal(quantile(sorted, 0.999), 999);
  equal(quantile([7], 0.5), 7);
  ok(Number.isNaN(quantile([], 0.5)));
});

Deno.test("slopeOf finds a line, and of noise none beyond its error", () => {
  const minutes = Array.from({ length: 60 }, (_, i) => i);
  const line = slopeOf(minutes, minutes.map((x) => 5 + 2 * x));
  equal(Math.round(line.perHour), 120);
  ok(line.errorPerHour < 1e-6);
  const random = seededNumbers(3);
  const noise = slopeOf(minutes, minutes.map(() => 100 + 10 * random()));
  ok(Math.abs(noise.perHour) <= noise.errorPerHour * 1.5, JSON.stringify(noise));
  const leak = slopeOf(minutes, minutes.map((x) => 100 + 10 * random() + x));
  ok(leak.perHour > leak.errorPerHour, JSON.stringify(leak));
});
