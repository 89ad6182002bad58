/**
 * Long work in short slices, so that one caller's batch never holds up another's token check.
 *
 * @module
 */

import { setImmediate } from "node:timers";
import { VaultError } from "./errors.ts";

/** The longest that a slice may hold the event loop, in milliseconds; one item may overrun it by its own length. */
const SLICE_MS = 4;

/** Keeps count of how long the present slice has run. */
export class Slices {
  #began = performance.now();
  readonly #signal: AbortSignal | undefined;

  /** @param signal Aborted when the caller has gone: work for nobody stops at the next slice. */
  constructor(signal?: AbortSignal) {
    this.#signal = signal;
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
    await new Promise<void>((resolve) => setImmediate(resolve));
    if (this.#signal?.aborted) throw new VaultError("cancelled", "The caller went away");
    this.#began = performance.now();
  }
}
