/**
 * How long the event loop kept others waiting: what is due now and runs late is a pause that every call felt.
 *
 * @module
 */

/** A wake-up costs some microseconds; a pause shorter than this is seen in part. */
const PERIOD_MS = 20;

/** Watches the event loop of this process. */
export class LoopDelay {
  readonly #now: () => number;
  readonly #timer: ReturnType<typeof setInterval>;
  #due: number;
  #longestMs = 0;

  /** @param now Milliseconds of a monotonic clock. */
  constructor(now: () => number) {
    this.#now = now;
    this.#due = now() + PERIOD_MS;
    this.#timer = setInterval(() => this.#look(), PERIOD_MS);
    Deno.unrefTimer(this.#timer);
  }

  /** The longest pause since this was asked last, in seconds. */
  takeSeconds(): number {
    this.#note();
    const seconds = this.#longestMs / 1000;
    this.#longestMs = 0;
    return seconds;
  }

  /** Ends the timer. Safe to repeat. */
  stop(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    this.#note();
    this.#due = this.#now() + PERIOD_MS;
  }

  #note(): void {
    this.#longestMs = Math.max(this.#longestMs, this.#now() - this.#due);
  }
}
