import { equal } from "node:assert/strict";
import { parseDuration } from "./durations.ts";

Deno.test("parseDuration() takes what the clients send", () => {
  const cases: [number | string, number | undefined][] = [
    [3600, 3600],
    ["3600", 3600],
    ["", 0],
    ["0", 0],
    ["90s", 90],
    ["1.5h", 5400],
    ["1h30m", 5400],
    ["1h0m0s", 3600],
    ["7d", 604_800],
    ["1500ms", 1],
    [" 5m ", 300],
    ["-5", -5],
    ["-1h", -3600],
    [1.9, undefined],
    ["1d12h", undefined],
    ["h", undefined],
    ["1 h", undefined],
    ["1h ", 3600],
    ["five", undefined],
    ["-", undefined],
    ["1e3", undefined],
    ["9".repeat(80), undefined],
  ];
  for (const [given, seconds] of cases) equal(parseDuration(given), seconds, String(given));
});
