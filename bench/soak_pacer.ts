/**
 * Callers that keep a rate: each call has its moment, and is measured from it, also where the callers were late.
 *
 * @module
 */

import type { SoakCall } from "./soak_calls.ts";

const CALLERS = 16;
/** A caller that is later than this gives up the moments it missed; they are counted. */
const MAX_BEHIND_MS = 2000;

/** What happened since the last time. */
export interface Taken {
  /** Milliseconds from a call's moment to its answer. */
  readonly latencies: number[];
  readonly seconds: number;
  readonly failures: number;
  /** Calls that were due and never made, as all callers were waiting. */
  readonly skipped: number;
}

/** Keeps callers going until it is stopped. */
export class Pacer {
  /** Why calls failed, with how often. */
  readonly reasons = new Map<string, number>();
  readonly #order: readonly SoakCall[];
  readonly #intervalMs: number;
  #stopped = false;
  #turn = 0;
  #latencies: number[] = [];
  #failures = 0;
  #skipped = 0;
  #takenAt = performance.now();

  /** @param rate Calls a second of all callers together; infinite: as fast as they are answered. */
  constructor(calls: readonly SoakCall[], rate: number) {
    this.#order = spread(calls);
    this.#intervalMs = CALLERS * 1000 / rate;
  }

  /** Resolves when it is stopped and the calls under way have ended. */
  async run(): Promise<void> {
    await Promise.all(Array.from({ length: CALLERS }, (_, index) => this.#call(index)));
  }

  stop(): void {
    this.#stopped = true;
  }

  /** What happened since this was asked last. */
  take(): Taken {
    const now = performance.now();
    const seconds = (now - this.#takenAt) / 1000;
    const taken = { latencies: this.#latencies, seconds, failures: this.#failures, skipped: this.#skipped };
    this.#latencies = [];
    this.#takenAt = now;
    this.#failures = 0;
    this.#skipped = 0;
    return taken;
  }

  async #call(index: number): Promise<void> {
    let due = performance.now() + this.#intervalMs * index / CALLERS;
    while (!this.#stopped) {
      const early = due - performance.now();
      if (early > 1) await new Promise((resolve) => setTimeout(resolve, early));
      const turn = this.#turn++;
      await this.#make(this.#order[turn % this.#order.length]!, turn);
      this.#latencies.push(performance.now() - due);
      due = this.#next(due);
    }
  }

  #next(due: number): number {
    const now = performance.now();
    if (this.#intervalMs === 0) return now;
    const next = due + this.#intervalMs;
    if (now < next + MAX_BEHIND_MS) return next;
    this.#skipped += Math.floor((now - next) / this.#intervalMs);
    return now;
  }

  async #make({ name, run }: SoakCall, turn: number): Promise<void> {
    try {
      await run(turn);
    } catch (error) {
      this.#failures++;
      const reason = `${name}: ${error instanceof Error ? error.message : error}`;
      this.reasons.set(reason, (this.reasons.get(reason) ?? 0) + 1);
    }
  }
}

/** Every call as often as its weight says, evenly among the others. */
function spread(calls: readonly SoakCall[]): SoakCall[] {
  const moments = calls.flatMap((call) =>
    Array.from({ length: call.weight }, (_, i) => ({ call, at: (i + 0.5) / call.weight }))
  );
  return moments.sort((a, b) => a.at - b.at).map(({ call }) => call);
}
