/**
 * The thread in which a target runs: one that never comes back from an input can be ended from outside.
 *
 * @module
 */

import { readCorpus } from "./corpus.ts";
import { replay, type RunReport, runTarget } from "./runner.ts";
import type { FuzzTarget } from "./target.ts";
import type { LoadTarget } from "./targets/mod.ts";

/** What to run. */
export interface FuzzRequest {
  /** A module that exports `TARGETS`. */
  readonly targets: string;
  readonly name: string;
  /** Generated inputs; 0: the corpus alone. */
  readonly inputs: number;
  readonly seed: number;
  readonly path?: string;
  readonly maxInputMs?: number;
  /** Whether the corpus is replayed first. */
  readonly corpus: boolean;
  /** Three counters: what was begun, generated inputs begun, and kept ones. */
  readonly counters: SharedArrayBuffer;
}

/** What came of it. */
export type FuzzAnswer =
  | { readonly report: RunReport; readonly kept: number }
  | { readonly broken: { readonly file: string; readonly reason: string } }
  | { readonly fault: string };

const scope = globalThis as unknown as {
  onmessage: ((event: MessageEvent<FuzzRequest>) => void) | null;
  postMessage(answer: FuzzAnswer): void;
};

scope.onmessage = async ({ data }) => {
  try {
    scope.postMessage(await run(data));
  } catch (error) {
    scope.postMessage({ fault: error instanceof Error ? String(error.stack) : String(error) });
  }
};

async function run(request: FuzzRequest): Promise<FuzzAnswer> {
  const { TARGETS } = await import(request.targets) as { TARGETS: Readonly<Record<string, LoadTarget>> };
  const load = TARGETS[request.name];
  if (load === undefined) throw new Error(`There is no target ${request.name}`);
  const target = await load();
  try {
    return await runOn(target, request);
  } finally {
    await target.close?.();
  }
}

async function runOn(target: FuzzTarget, request: FuzzRequest): Promise<FuzzAnswer> {
  const counters = new Int32Array(request.counters);
  let kept = 0;
  for (const { file, input } of request.corpus ? await readCorpus(target) : []) {
    Atomics.add(counters, 0, 1);
    Atomics.store(counters, 2, ++kept);
    try {
      await replay(target, input);
    } catch (error) {
      return { broken: { file, reason: error instanceof Error ? String(error.stack) : String(error) } };
    }
  }
  const onCheck = (runs: number) => {
    Atomics.add(counters, 0, 1);
    Atomics.store(counters, 1, runs);
  };
  return { report: await runTarget(target, { ...request, onCheck }), kept };
}
