import { equal } from "node:assert/strict";
import { combineResidues, LEVEL_1_MODULUS } from "./crt.ts";
import { P, Q } from "./params.ts";

const mod = (value: bigint, modulus: bigint) => (value % modulus + modulus) % modulus;

Deno.test("combineResidues() finds the centred integer with both residues", () => {
  const values = [0n, 1n, -1n, Q, -Q, P, -P, 2n ** 52n, -(2n ** 52n) + 1n, Q * P / 2n, -(Q * P / 2n), 12345n * Q - 6n];
  const at = (i: number) => values[i % values.length]!;
  const combined = combineResidues((i) => mod(at(i), Q), (i) => mod(at(i), P));
  combined.forEach((value, i) => equal(value, Number(at(i))));
  equal(LEVEL_1_MODULUS, Number(Q * P));
});
