/**
 * The windows of users who called lately. A million users who each called once must not be remembered for ever: a window
 * costs more than the user.
 *
 * @module
 */

import { SlidingWindow } from "./sliding_window.ts";

/** Windows that are looked at for each one that is made; more than one, so that fewer are kept than were ever made. */
const LOOKS = 2;

/** One window a user, by the user's row. */
export class Windows {
  readonly #byRow = new Map<number, SlidingWindow>();
  #looking = this.#byRow.entries();

  /** How many are kept. */
  get size(): number {
    return this.#byRow.size;
  }

  /** The window of a user; a new one is as good as one in which every call is over. */
  of(row: number, now: number): SlidingWindow {
    const known = this.#byRow.get(row);
    if (known !== undefined) return known;
    for (let look = 0; look < LOOKS; look++) this.#look(now);
    const made = new SlidingWindow();
    this.#byRow.set(row, made);
    return made;
  }

  /** Looks at the next window, round and round, and lets it go if nothing in it counts any more. */
  #look(now: number): void {
    const { done, value } = this.#looking.next();
    if (done) this.#looking = this.#byRow.entries();
    else if (value[1].isOver(now)) this.#byRow.delete(value[0]);
  }
}
