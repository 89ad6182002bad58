import { equal, throws } from "node:assert/strict";
import { DEGREE } from "./params.ts";
import { coefficientOfRow, rankOf } from "./rows.ts";
import { vectorJson } from "./_test_support.ts";

Deno.test("rankOf() is 32 below dimension 4096 and 64 there", () => {
  for (const dimension of [32, 33, 384, 512, 768, 1023, 1024, 1536, 2048, 4095]) equal(rankOf(dimension), 32);
  equal(rankOf(4096), 64);
  for (const dimension of [0, 31, 4097, 1.5, -1024, NaN, Infinity]) throws(() => rankOf(dimension), RangeError);
});

Deno.test("coefficientOfRow() gives the recorded places and uses each coefficient once", () => {
  const { rows } = vectorJson<{ rows: { row: number; coef_index: number }[] }>("ip300.intermediate.json");
  const places = coefficientOfRow(32);
  for (const { row, coef_index } of rows) equal(places[row], coef_index);
  for (const rank of [32, 64]) {
    equal(new Set(coefficientOfRow(rank)).size, DEGREE);
    equal(coefficientOfRow(rank)[1], rank);
    equal(coefficientOfRow(rank)[DEGREE / rank], 1);
  }
});
