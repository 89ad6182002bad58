/**
 * The timer of a sweep: it goes off when something falls due, and now and then, in case a clock was set.
 *
 * @module
 */

import type { Clock } from "./ports.ts";

const SHORTEST_WAIT_MS = 250;

/** What a sweep needs to be run. */
export interface Sweep {
  readonly run: () => Promise<unknown>;
  /** Whether the clock can be trusted with what can't be undone. */
  readonly mayCommit: () => boolean;
  /** Told of a run that failed; the next makes up for it. */
  readonly onFailure: (error: unknown) => void;
}

/** Runs a sweep again and again, never twice at once. */
export class DueTimer {
  readonly #clock: Clock;
  readonly #next: () => number | undefined;
  readonly #longestWaitMs: number;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isClosed = false;

  /** @param next The moment at which something falls due next; undefined: nothing waits. */
  constructor(clock: Clock, next: () => number | undefined, longestWaitMs: number) {
    this.#clock = clock;
    this.#next = next;
    this.#longestWaitMs = longestWaitMs;
  }

  /** Runs it when something is due, until {@link close}. */
  start(sweep: Sweep): void {
    if (this.#isClosed) return;
    const wait = (this.#next() ?? Infinity) - this.#clock.now();
    const tick = async () => {
      if (sweep.mayCommit()) await sweep.run().catch(sweep.onFailure);
      this.start(sweep);
    };
    this.#timer = setTimeout(() => void tick(), Math.min(Math.max(wait, SHORTEST_WAIT_MS), this.#longestWaitMs));
  }

  /** Stops; a run under way ends by itself. */
  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
  }
}
