/**
 * Parsers that break their contract, by which the tests see that a broken one is found.
 *
 * @module
 */

import { cpuUsage } from "node:process";
import fc from "fast-check";
import { VaultError } from "../../vault/errors.ts";
import { parseOrRefuse, PLANTED } from "./refusals.ts";
import { asyncTarget, type FuzzTarget, syncTarget } from "./target.ts";

const TEXT = fc.string({ unit: "grapheme-ascii", maxLength: 20 });

function target(name: string, parse: (text: string) => unknown): FuzzTarget {
  return syncTarget(name, "json", TEXT, (text) => {
    parseOrRefuse(["invalid_argument"], () => parse(text));
  });
}

/** Parsers with one flaw each. */
export const TARGETS: Readonly<Record<string, () => Promise<FuzzTarget>>> = {
  sound: () => Promise.resolve(target("sound", (text) => text)),
  crashes: () => Promise.resolve(target("crashes", (text) => text.includes("x") && JSON.parse("{"))),
  wrong_kind: () =>
    Promise.resolve(target("wrong_kind", (text) => {
      if (text.includes("x")) throw new VaultError("internal", "Something else");
    })),
  quotes: () =>
    Promise.resolve(target("quotes", (text) => {
      if (text.includes("x")) throw new VaultError("invalid_argument", `Bad secret ${PLANTED.teamSecret}`);
    })),
  hangs: () => Promise.resolve(target("hangs", (text) => text.includes("x") && endlessly(text))),
  waits: () =>
    Promise.resolve(asyncTarget("waits", "json", TEXT, async (text) => {
      if (text.includes("x")) await new Promise(() => {});
    })),
  slow: () => Promise.resolve(target("slow", (text) => text.includes("x") && waste(20))),
};

function endlessly(text: string): void {
  for (let i = 0; text.includes("x"); i++) Atomics.isLockFree(i);
}

function waste(milliseconds: number): void {
  const before = cpuUsage();
  while (cpuUsage(before).user < milliseconds * 1000) Atomics.isLockFree(1);
}
