/**
 * Long work in short slices, so that one caller's batch never holds up another's token check.
 *
 * @module
 */

import { setImmediate } from "node:timers";
import { VaultError } from "./errors.ts";

/** The longest that a slice may hold the event loop, in milliseconds; one item may overrun it by its own length. */
const SLICE_MS = 4;

/**
 * What those share who work in slices side by side: in one turn of the event loop they hold it no longer together than
 * one of them would alone. Otherwise whoever sends many batches at once would get a slice for each in every turn.
 */
export class Turns {
  #began: number | undefined;
  #queue: Promise<void> = Promise.resolve();

  /** When work began in this turn of the event loop: now, if nobody has worked in it yet. */
  began(): number {
    if (this.#began === undefined) {
      this.#began = performance.now();
      setImmediate(() => this.#began = undefined);
    }
    return this.#began;
  }

  /** Resolves in a later turn, after all who asked before have had theirs. */
  next(): Promise<void> {
    return this.#queue = this.#queue.then(nextTurn).then(() => void (this.#began = undefined));
  }
}

/** Keeps count of how long the present slice has run. */
export class Slices {
  #began: number;
  readonly #signal: AbortSignal | undefined;
  readonly #turns: Turns;

  /**
   * @param signal Aborted when the caller has gone: work for nobody stops at the next slice.
   * @param turns Shared with what works beside this; absent: nothing does.
   */
  constructor(signal?: AbortSignal, turns = new Turns()) {
    this.#signal = signal;
    this.#turns = turns;
    this.#began = turns.began();
  }

  /** Whether it is time to {@link rest}. */
  get spent(): boolean {
    return performance.now() - this.#began > SLICE_MS;
  }

  /**
   * Lets everything else that waits run, then begins a new slice.
   *
   * @throws {VaultError} `cancelled` when the caller has gone.
   */
  async rest(): Promise<void> {
    await this.#turns.next();
    if (this.#signal?.aborted) throw new VaultError("cancelled", "The caller went away");
    this.#began = this.#turns.began();
  }
}

/** Resolves once everything that waits in this turn of the event loop has run. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
