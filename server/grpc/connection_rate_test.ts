import { deepEqual, equal } from "node:assert/strict";
import { ConnectionRate, MOST_CONNECTIONS } from "./connection_rate.ts";

function setUp() {
  const time = { now: 1000 };
  const rate = new ConnectionRate(() => time.now);
  const admitted = (peer: string, times: number) => {
    return Array.from({ length: times }, () => rate.admits(peer)).filter((admits) => admits).length;
  };
  return { time, rate, admitted };
}

Deno.test("ConnectionRate admits 500 connections of an address at once, and 10 a second", () => {
  const { time, admitted } = setUp();
  equal(admitted("10.0.0.1", 2000), MOST_CONNECTIONS);
  time.now += 1000;
  equal(admitted("10.0.0.1", 2000), 10);
  time.now += 99;
  equal(admitted("10.0.0.1", 2000), 0);
  time.now += 1;
  deepEqual([admitted("10.0.0.1", 2000), admitted("10.0.0.2", 3)], [1, 3]);
  time.now += 3_600_000;
  equal(admitted("10.0.0.1", 2000), MOST_CONNECTIONS);
});

Deno.test("ConnectionRate does not count whose callers authenticate", () => {
  const { rate, admitted } = setUp();
  for (let i = 0; i < 3 * MOST_CONNECTIONS; i++) {
    equal(rate.admits("10.0.0.1"), true);
    rate.giveBack("10.0.0.1");
  }
  equal(admitted("10.0.0.1", 2000), MOST_CONNECTIONS);
  rate.giveBack("10.0.0.2");
  equal(rate.size, 1);
});

Deno.test("ConnectionRate remembers the last 4096 addresses", () => {
  const { rate, admitted } = setUp();
  admitted("first", MOST_CONNECTIONS);
  for (let i = 0; i < 4095; i++) rate.admits(`10.0.${i >> 8}.${i & 255}`);
  deepEqual([rate.size, rate.admits("first")], [4096, false]);
  for (let i = 0; i < 4095; i++) rate.admits(`10.1.${i >> 8}.${i & 255}`);
  deepEqual([rate.size, rate.admits("first")], [4096, false], "who goes on coming is not forgotten");
  for (let i = 0; i < 4096; i++) rate.admits(`10.2.${i >> 8}.${i & 255}`);
  deepEqual([rate.size, rate.admits("first")], [4096, true]);
});

Deno.test("ConnectionRate counts a connection that cost more than one as several", () => {
  const { rate, admitted } = setUp();
  rate.admits("10.0.0.1");
  rate.charge("10.0.0.1", 400);
  equal(admitted("10.0.0.1", 2000), 99);
  rate.charge("10.0.0.1", 400);
  rate.charge("10.0.0.2", 400);
  deepEqual([admitted("10.0.0.1", 1), rate.size], [0, 1]);
});
