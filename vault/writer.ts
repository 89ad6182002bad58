/**
 * The one way to change the vault: plan against memory, commit to the store, then apply to memory.
 *
 * Changes run one after the other, so a plan sees everything that was acknowledged before it and no two plans can both
 * find a name free. A commit that fails leaves memory as it was.
 *
 * @module
 */

import type { VaultState } from "./state.ts";
import type { Store, Write } from "./storage/store.ts";

/** What a change writes, and what it answers once that is durable and in force. */
export interface Plan<T> {
  readonly writes: readonly Write[];
  result(): T;
}

/** Adds the bookkeeping that a change's writes call for, to be committed with them. */
export type Bookkeeping = (writes: readonly Write[]) => readonly Write[];

/** Serialises changes. */
export class Writer {
  readonly #store: Store;
  readonly #state: VaultState;
  readonly #bookkeepers: Bookkeeping[] = [];
  #last: Promise<unknown> = Promise.resolve();

  constructor(store: Store, state: VaultState) {
    this.#store = store;
    this.#state = state;
  }

  /** Has `bookkeeping` see the writes of every later change. */
  addBookkeeping(bookkeeping: Bookkeeping): void {
    this.#bookkeepers.push(bookkeeping);
  }

  /**
   * Makes one change.
   *
   * @param plan Reads the state and returns the writes; it throws to refuse. No writes: nothing is committed.
   * @returns The plan's result, after the writes are durable and in memory.
   * @throws {VaultError} What the plan throws, or `storage_failed`.
   */
  change<T>(plan: () => Plan<T> | Promise<Plan<T>>): Promise<T> {
    const mine = this.#last.then(() => this.#perform(plan));
    this.#last = mine.catch(() => {});
    return mine;
  }

  /** Resolves when every change begun so far has ended, well or badly. */
  async settled(): Promise<void> {
    await this.#last;
  }

  async #perform<T>(plan: () => Plan<T> | Promise<Plan<T>>): Promise<T> {
    const { writes, result } = await plan();
    if (writes.length > 0) {
      const all = [...writes, ...this.#bookkeepers.flatMap((bookkeeping) => bookkeeping(writes))];
      const sequence = await this.#store.commit(all, this.#state.sequence);
      this.#state.apply(all, sequence);
    }
    return result();
  }
}
