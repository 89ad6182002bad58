/**
 * The sliding window that bounds how often a user may call.
 *
 * @module
 */

import type { RateLimit } from "../roles/rate_limit.ts";

const SMALLEST_RING = 8;

/**
 * The times of a user's last counted calls, in a ring.
 *
 * Exact and O(1) whatever the limit: of the calls that were let through, the `count`-th most recent one decides. If it
 * still lies inside the window, the window is full; nothing older matters, so nothing is ever rebuilt or swept. The
 * ring grows (amortised O(1)) only while calls inside the window fill it, so an idle user costs 64 bytes whatever the
 * limit. A window that is made longer forgets what the shorter one had already let go.
 */
export class SlidingWindow {
  #times = new Float64Array(SMALLEST_RING);
  #size = 0;
  #next = 0;
  /** The longest window that was ever asked for. */
  #longestMs = 0;

  /**
   * Takes a place.
   *
   * @param now Monotonic time in milliseconds.
   * @returns 0 when a place was taken, else the milliseconds until one is free (and none was taken).
   */
  take(now: number, limit: RateLimit): number {
    const windowMs = limit.seconds * 1000;
    if (windowMs > this.#longestMs) this.#longestMs = windowMs;
    if (this.#size >= limit.count) {
      const freeAt = this.#recent(limit.count) + windowMs;
      if (freeAt > now) return freeAt - now;
    }
    this.#push(now, now - windowMs, limit.count);
    return 0;
  }

  /** The time of the last counted call, or -Infinity. */
  get latest(): number {
    return this.#size === 0 ? -Infinity : this.#recent(1);
  }

  /** Whether no call in it counts any more: a new window would decide alike. */
  isOver(now: number): boolean {
    return this.latest + this.#longestMs <= now;
  }

  /** The time of the `n`-th most recent call. */
  #recent(n: number): number {
    const capacity = this.#times.length;
    return this.#times[(this.#next - n + capacity) % capacity]!;
  }

  #push(now: number, windowStart: number, limitCount: number): void {
    const full = this.#size === this.#times.length;
    if (full && this.#size < limitCount && this.#recent(this.#size) > windowStart) this.#grow();
    this.#times[this.#next] = now;
    this.#next = (this.#next + 1) % this.#times.length;
    if (this.#size < this.#times.length) this.#size++;
  }

  #grow(): void {
    const old = this.#times;
    const grown = new Float64Array(old.length * 2);
    grown.set(old.subarray(this.#next));
    grown.set(old.subarray(0, this.#next), old.length - this.#next);
    this.#times = grown;
    this.#next = old.length;
  }
}
