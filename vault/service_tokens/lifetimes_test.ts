import { deepEqual, equal } from "node:assert/strict";
import { formatSeconds } from "./format_seconds.ts";
import { initialLifetime, type LifetimeInput, renewedLifetime } from "./lifetimes.ts";

const input = (given: Partial<LifetimeInput>): LifetimeInput => ({
  ttl: 0,
  explicitMaxTtl: 0,
  period: 0,
  defaultTtl: 100,
  maxTtl: 1000,
  ...given,
});

Deno.test("a token lives as long as it is asked to, else the default, and never beyond the maximum", () => {
  deepEqual(initialLifetime(input({})), { ttl: 100 });
  deepEqual(initialLifetime(input({ ttl: 60 })), { ttl: 60 });
  deepEqual(initialLifetime(input({ ttl: 1000 })), { ttl: 1000 });
  deepEqual(initialLifetime(input({ ttl: 1001 })), { ttl: 1000, cappedFrom: 1001, effectiveMax: 1000 });
  deepEqual(initialLifetime(input({ defaultTtl: 5000 })), { ttl: 1000 }, "nobody asked for it, so nobody is told");
});

Deno.test("an explicit maximum caps the default too, and says so", () => {
  deepEqual(initialLifetime(input({ explicitMaxTtl: 30 })), { ttl: 30, cappedFrom: 100, effectiveMax: 30 });
  deepEqual(initialLifetime(input({ explicitMaxTtl: 5000, ttl: 2000 })).ttl, 1000, "it lifts no other limit");
});

Deno.test("a periodic token has its period whatever the maximum, but no more than an explicit one", () => {
  equal(initialLifetime(input({ period: 5000, ttl: 10 })).ttl, 5000);
  equal(initialLifetime(input({ period: 5000, explicitMaxTtl: 3000 })).ttl, 3000);
  equal(renewedLifetime(input({ period: 5000 }), 10, 1_000_000).ttl, 5000);
  equal(renewedLifetime(input({ period: 5000, explicitMaxTtl: 9000 }), 0, 8000).ttl, 1000);
});

Deno.test("a renewal counts from now, may shorten, and ends where the first day's maximum does", () => {
  deepEqual(renewedLifetime(input({ ttl: 60 }), 0, 10), { ttl: 60 });
  deepEqual(renewedLifetime(input({ ttl: 60 }), 5, 10), { ttl: 5 });
  deepEqual(renewedLifetime(input({ ttl: 60 }), 600, 10), { ttl: 600 });
  deepEqual(renewedLifetime(input({ ttl: 60 }), 600, 900), { ttl: 100, cappedFrom: 600, effectiveMax: 100 });
  equal(renewedLifetime(input({ ttl: 60 }), 600, 5000).ttl, 0);
  equal(renewedLifetime(input({ ttl: 60, explicitMaxTtl: 500 }), 600, 450).ttl, 50);
});

Deno.test("seconds are written as clients know them from Vault", () => {
  const rows: [number, string][] = [[0, "0s"], [59, "59s"], [60, "1m0s"], [3599, "59m59s"], [36_000, "10h0m0s"]];
  for (const [seconds, words] of rows) equal(formatSeconds(seconds), words);
  equal(formatSeconds(2_764_800), "768h0m0s");
});
