/**
 * Runs targets in a thread and watches over it: an input that it does not come back from is found and named.
 *
 * @module
 */

import { cpuUsage } from "node:process";
import type { FuzzAnswer, FuzzRequest } from "./fuzz_thread.ts";
import type { RunReport } from "./runner.ts";

/**
 * An input may take a twentieth of a second. It hangs when it has had a processor for four hundred times that: on a machine
 * that others use more time may pass without any.
 */
const HANG_MS = 20_000;
/** What waits for something that never comes needs no processor: it hangs after so many times as long. */
const IDLE_TIMES = 10;
const LOOK_MS = 250;

/** What is run. */
export interface WatchedRun {
  readonly name: string;
  readonly inputs: number;
  readonly seed: number;
  readonly path?: string;
  readonly corpus: boolean;
  /** The longest that an input may take; absent: what `runner.ts` says. */
  readonly maxInputMs?: number;
  /** Where the targets are; absent: those of this folder. */
  readonly targets?: URL;
  /** Milliseconds on a processor; absent: {@link HANG_MS}. */
  readonly hangMs?: number;
  /** Told several times a second how many inputs are done. */
  readonly onProgress?: (inputs: number) => void;
}

/** How a run ended; a `hang` names the input by seed and path, as `long.ts` takes them. */
export type WatchedEnd =
  | { readonly end: "ran"; readonly report: RunReport; readonly kept: number }
  | { readonly end: "broken"; readonly file: string; readonly reason: string }
  | { readonly end: "hang"; readonly seed: number; readonly path: string };

/** A thread for one target after the other. Dispose of it when done. */
export class FuzzThread implements Disposable {
  #worker: Worker | undefined;

  /** Runs a target; rejects only where the run itself is at fault. */
  async run(wanted: WatchedRun): Promise<WatchedEnd> {
    const counters = new SharedArrayBuffer(12);
    const answer = this.#ask({
      targets: (wanted.targets ?? new URL("./targets/mod.ts", import.meta.url)).href,
      name: wanted.name,
      inputs: wanted.inputs,
      seed: wanted.seed,
      corpus: wanted.corpus,
      counters,
      ...(wanted.path === undefined ? {} : { path: wanted.path }),
      ...(wanted.maxInputMs === undefined ? {} : { maxInputMs: wanted.maxInputMs }),
    });
    const watch = new Watch(new Int32Array(counters), wanted);
    try {
      const ended = await Promise.race([answer, watch.hangs]);
      return ended === "hangs" ? this.#hang(watch, wanted) : toEnd(ended);
    } finally {
      watch[Symbol.dispose]();
    }
  }

  [Symbol.dispose](): void {
    this.#worker?.terminate();
    this.#worker = undefined;
  }

  #ask(request: FuzzRequest): Promise<FuzzAnswer> {
    const worker = this.#worker ??= new Worker(new URL("./fuzz_thread.ts", import.meta.url).href, { type: "module" });
    return new Promise((resolve, reject) => {
      worker.onmessage = ({ data }: MessageEvent<FuzzAnswer>) => resolve(data);
      worker.onerror = (event) => {
        event.preventDefault();
        reject(new Error(`The thread ended: ${event.message}`));
      };
      worker.postMessage(request);
    });
  }

  #hang(watch: Watch, { seed }: WatchedRun): WatchedEnd {
    this[Symbol.dispose]();
    const { runs, kept } = watch;
    if (runs === 0 && kept > 0) return { end: "broken", file: `number ${kept} of the corpus`, reason: "hangs" };
    return { end: "hang", seed, path: String(runs) };
  }
}

function toEnd(answer: FuzzAnswer): WatchedEnd {
  if ("fault" in answer) throw new Error(answer.fault);
  return "broken" in answer ? { end: "broken", ...answer.broken } : { end: "ran", ...answer };
}

/** Looks again and again whether anything was begun since the last time. */
class Watch implements Disposable {
  readonly hangs: Promise<"hangs">;
  readonly #counters: Int32Array;
  readonly #timer: ReturnType<typeof setInterval>;
  readonly #hangMs: number;
  #seen = 0;
  #since = performance.now();
  #usage = cpuUsage();

  constructor(counters: Int32Array, { hangMs = HANG_MS, onProgress }: WatchedRun) {
    this.#counters = counters;
    this.#hangMs = hangMs;
    const { promise, resolve } = Promise.withResolvers<"hangs">();
    this.hangs = promise;
    this.#timer = setInterval(() => {
      onProgress?.(this.runs);
      if (this.#isHung()) resolve("hangs");
    }, LOOK_MS);
  }

  /** The number of the generated input that was begun last. */
  get runs(): number {
    return Atomics.load(this.#counters, 1);
  }

  /** Kept inputs begun. */
  get kept(): number {
    return Atomics.load(this.#counters, 2);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  /** Before the first input the modules are still being loaded. */
  #isHung(): boolean {
    const begun = Atomics.load(this.#counters, 0);
    if (begun !== this.#seen) {
      [this.#seen, this.#since, this.#usage] = [begun, performance.now(), cpuUsage()];
      return false;
    }
    const { user, system } = cpuUsage(this.#usage);
    const isBusyTooLong = (user + system) / 1000 > this.#hangMs;
    return begun > 0 && (isBusyTooLong || performance.now() - this.#since > IDLE_TIMES * this.#hangMs);
  }
}
