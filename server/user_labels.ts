/**
 * Users as labels of metrics: each of the first so many has series of their own, or one big team would fill the memory of
 * this process and of whoever collects from it.
 *
 * @module
 */

/** Users with series of their own; the rest count as `other`. */
const MAX_USERS = 1000;

/** What stands for users. */
export class UserLabels {
  readonly #isOn: boolean;
  readonly #known = new Set<string>();

  /** @param isOn Whether users are told apart at all. */
  constructor(isOn: boolean) {
    this.#isOn = isOn;
  }

  /** The label of a user's name; `unknown` stays what it is. */
  of(user: string): string {
    if (user === "unknown" || this.#known.has(user)) return user;
    if (!this.#isOn || this.#known.size >= MAX_USERS) return "other";
    this.#known.add(user);
    return user;
  }
}
