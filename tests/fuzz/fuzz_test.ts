/**
 * The short form of the fuzzing: the whole corpus and a thousand generated inputs for each parser.
 *
 * The seed is a new one at each run and is in the message of a failure, as `long.ts` takes it.
 *
 * @module
 */

import { deepEqual, equal, match, ok } from "node:assert/strict";
import { inputAt } from "./runner.ts";
import { TARGETS as BROKEN } from "./_broken_targets.ts";
import { TARGETS } from "./targets/mod.ts";
import { FuzzThread, type WatchedEnd, type WatchedRun } from "./watched_run.ts";

const INPUTS = 1000;

let thread: FuzzThread | undefined;
Deno.test.beforeAll(() => void (thread = new FuzzThread()));
Deno.test.afterAll(() => thread![Symbol.dispose]());

for (const name of Object.keys(TARGETS)) {
  Deno.test(`${name}: the corpus and ${INPUTS} inputs are taken or refused as the contract says`, async () => {
    const seed = Math.floor(Math.random() * 2 ** 31);
    const ended = await thread!.run({ name, inputs: INPUTS, seed, corpus: true });
    const why = whyFailed(ended);
    if (why !== null) throw new Error(`--parser ${name} ${why}`);
    ok(ended.end === "ran" && ended.report.inputs === INPUTS && ended.kept > 0, "something was run");
  });
}

function whyFailed(ended: WatchedEnd): string | null {
  if (ended.end === "hang") return `hangs: --seed ${ended.seed} --path ${ended.path}`;
  if (ended.end === "broken") return `${ended.file}: ${ended.reason}`;
  const { failure } = ended.report;
  if (failure === null) return null;
  return `--seed ${failure.seed} --path ${failure.path}: ${failure.reason}\n${JSON.stringify(failure.input)}`;
}

/** Runs one of the parsers that are broken on purpose. */
function runBroken(name: string, options: Partial<WatchedRun> = {}): Promise<WatchedEnd> {
  const targets = new URL("./_broken_targets.ts", import.meta.url);
  return thread!.run({ name, targets, inputs: INPUTS, seed: 7, corpus: false, ...options });
}

Deno.test("a parser that crashes, refuses in another way, or quotes a secret is found, and its smallest input", async () => {
  const reasons = {
    crashes: /no VaultError: SyntaxError/,
    wrong_kind: /refused as internal/,
    quotes: /quotes a secret/,
  };
  for (const [name, reason] of Object.entries(reasons)) {
    const ended = await runBroken(name);
    ok(ended.end === "ran" && ended.report.failure !== null, name);
    match(ended.report.failure.reason, reason);
    equal(ended.report.failure.input, "x");
  }
  equal(whyFailed(await runBroken("sound")), null);
});

Deno.test("an input that takes too long each time it is tried is found", async () => {
  const ended = await runBroken("slow", { maxInputMs: 10 });
  ok(ended.end === "ran" && ended.report.failure !== null);
  match(ended.report.failure.reason, /took \d+ ms, more than 10/);
});

Deno.test("an input that a parser never comes back from is found, named, and the next run has a thread again", async () => {
  // The one computes without an end, the other waits for what never comes.
  for (const [name, hangMs] of [["hangs", 1000], ["waits", 200]] as const) {
    const ended = await runBroken(name, { hangMs });
    ok(ended.end === "hang", JSON.stringify(ended));
    const input = inputAt(await BROKEN[name]!(), ended.seed, ended.path);
    ok(String(input).includes("x"), `the named input is ${input}`);
    equal(whyFailed(await runBroken("sound")), null);
  }
});

Deno.test("the same seed makes the same run", async () => {
  const [one, other] = [await runBroken("crashes"), await runBroken("crashes")];
  ok(one.end === "ran" && other.end === "ran");
  deepEqual([one.report.failure, one.report.inputs], [other.report.failure, other.report.inputs]);
});
