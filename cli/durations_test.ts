import { equal, throws } from "node:assert/strict";
import { parseExpires, parseGrace } from "./durations.ts";

Deno.test("parseExpires() reads days, weeks, months of 30 days, and a bare number as days", () => {
  const cases: [string, number][] = [["90d", 90], ["12w", 84], ["6m", 180], ["1", 1], ["365", 365], ["99999d", 99_999]];
  for (const [text, days] of cases) equal(parseExpires(text), days, text);
});

Deno.test("parseExpires() takes nothing else", () => {
  const wrong = [
    "",
    "0",
    "0d",
    "-1d",
    "1.5d",
    "01d",
    "9x",
    "90 d",
    " 90d",
    "90D",
    "1y",
    "d",
    "1d1w",
    "1e3",
    "100000",
    "٣d",
  ];
  for (const text of wrong) throws(() => parseExpires(text), { kind: "usage" }, JSON.stringify(text));
});

Deno.test("parseGrace() reads seconds, minutes and hours up to a day", () => {
  const cases: [string, number][] = [["30s", 30], ["10m", 600], ["24h", 86_400], ["86400s", 86_400], ["0s", 0]];
  for (const [text, seconds] of cases) equal(parseGrace(text), seconds, text);
});

Deno.test("parseGrace() takes neither more than a day nor a number without its unit", () => {
  const wrong = ["", "10", "25h", "86401s", "1441m", "1d", "-1s", "1.5h", "10M", "m", "9999999s"];
  for (const text of wrong) throws(() => parseGrace(text), { kind: "usage" }, JSON.stringify(text));
});
