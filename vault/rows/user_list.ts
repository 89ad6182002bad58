/**
 * The users in the order in which they were made.
 *
 * @module
 */

import { integers } from "./columns.ts";
import type { User, UserRows } from "./user_rows.ts";

/** A list that only grows: who was deleted keeps their place, so that paging passes over nobody. */
export class UserList {
  readonly #users: UserRows;
  readonly #rows = integers();
  #length = 0;

  constructor(users: UserRows) {
    this.#users = users;
  }

  get length(): number {
    return this.#length;
  }

  /** The user at a place below {@link length}. */
  at(place: number): User {
    return this.#users.at(this.#rows.get(place));
  }

  /** The users at places from `from` up to `to`, as far as there are. */
  *slice(from: number, to: number): Generator<User> {
    for (let place = from; place < to && place < this.#length; place++) yield this.at(place);
  }

  [Symbol.iterator](): Generator<User> {
    return this.slice(0, Infinity);
  }

  /** Adds a user at the end. */
  add(row: number): void {
    this.#users.setPlace(row, this.#length);
    this.#rows.set(this.#length++, row);
  }
}
