/**
 * Runs one target on many inputs: counts them, times each, and stops at the first that breaks the contract.
 *
 * @module
 */

import { cpuUsage } from "node:process";
import fc from "fast-check";
import { describe, Finding } from "./refusals.ts";
import type { FuzzTarget } from "./target.ts";

/**
 * No input may take longer, unless its target says so. A machine that others use too takes its time now and then: an input
 * that seems slow is timed again, its best time counts, and of that no more than this process was on a processor.
 */
const MAX_INPUT_MS = 50;

const REPEATS = 3;

/** How much is run, and which inputs. */
export interface RunOptions {
  readonly inputs: number;
  /** The same seed makes the same inputs. */
  readonly seed: number;
  /** Goes on from the input of this number, such as one that a run before got stuck on. */
  readonly path?: string;
  /** Absent: what the target says, or else {@link MAX_INPUT_MS}. */
  readonly maxInputMs?: number;
  /** Told before each check; `runs` counts the generated inputs, not those tried to make a failure smaller. */
  readonly onCheck?: (runs: number) => void;
}

/** An input that broke the contract, made as small as it could be. */
export interface Failure {
  readonly input: unknown;
  readonly reason: string;
  readonly seed: number;
  readonly path: string;
}

/** What a run did. */
export interface RunReport {
  readonly inputs: number;
  readonly slowestMs: number;
  readonly slowestInput: unknown;
  readonly failure: Failure | null;
}

/** Runs a target on generated inputs. */
export async function runTarget(target: FuzzTarget, options: RunOptions): Promise<RunReport> {
  const watch = new Stopwatch(options.maxInputMs ?? target.maxInputMs);
  let runs = 0;
  const before = () => options.onCheck?.(runs++);
  const property = target.isAsync
    ? fc.asyncProperty(target.inputs, async (input) => {
      before();
      await checkTimed(target, input, watch);
    })
    : fc.property(target.inputs, (input) => {
      before();
      checkTimedNow(target, input, watch);
    });
  const { inputs: numRuns, seed, path } = options;
  const details = await fc.check(property as fc.IAsyncProperty<[unknown]>, {
    numRuns,
    seed,
    ...(path === undefined ? {} : { path }),
  });
  const failure = details.failed
    ? {
      input: details.counterexample![0],
      reason: describe(details.errorInstance),
      seed,
      path: details.counterexamplePath!,
    }
    : null;
  return { inputs: details.numRuns, slowestMs: watch.slowestMs, slowestInput: watch.slowestInput, failure };
}

/** Runs one kept input; throws where it breaks the contract. */
export async function replay(target: FuzzTarget, input: unknown): Promise<void> {
  const watch = new Stopwatch(target.maxInputMs);
  if (target.isAsync) await checkTimed(target, input, watch);
  else checkTimedNow(target, input, watch);
}

/** The input that a seed and a path stand for, without running anything on it. */
export function inputAt(target: FuzzTarget, seed: number, path: string): unknown {
  let found: unknown;
  fc.check(fc.property(target.inputs, (input) => void (found = input)), { seed, path, numRuns: 1 });
  return found;
}

class Stopwatch {
  slowestMs = 0;
  slowestInput: unknown;
  readonly #maxMs: number;

  constructor(maxMs = MAX_INPUT_MS) {
    this.#maxMs = maxMs;
  }

  note(input: unknown, ms: number): void {
    if (ms <= this.slowestMs) return;
    this.slowestMs = ms;
    this.slowestInput = input;
    if (ms > this.#maxMs) throw new Finding(`took ${Math.round(ms)} ms, more than ${this.#maxMs}`);
  }
}

function checkTimedNow(target: FuzzTarget, input: unknown, watch: Stopwatch): void {
  let best = Infinity;
  for (let i = 0; i <= REPEATS && best > watch.slowestMs; i++) {
    const took = timer(i);
    void target.check(input);
    best = Math.min(best, took());
  }
  watch.note(input, best);
}

async function checkTimed(target: FuzzTarget, input: unknown, watch: Stopwatch): Promise<void> {
  let best = Infinity;
  for (let i = 0; i <= REPEATS && best > watch.slowestMs; i++) {
    const took = timer(i);
    await target.check(input);
    best = Math.min(best, took());
  }
  watch.note(input, best);
}

/**
 * Says how many milliseconds have passed, or for how many of them this process had a processor. The latter is asked for
 * repetitions alone: nearly no input needs one, and the question takes as long as a quick parser.
 */
function timer(repetition: number): () => number {
  const began = performance.now();
  if (repetition === 0) return () => performance.now() - began;
  const before = cpuUsage();
  return () => {
    const { user, system } = cpuUsage(before);
    return Math.min(performance.now() - began, (user + system) / 1000);
  };
}
