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
  /** Told when the commit failed, so nothing happened; the change rejects with the same error. */
  failed?(error: unknown): void;
}

/** A change that waits to be made together with others. */
interface Joining {
  readonly plan: () => Plan<unknown>;
  readonly resolve: (made: Plan<unknown>) => void;
  readonly reject: (error: unknown) => void;
}

/** Adds the bookkeeping that a change's writes call for, to be committed with them. */
export type Bookkeeping = (writes: readonly Write[]) => readonly Write[];

/** What one commit holds at most; more would keep the event loop, and whoever joined first, waiting. */
const MAX_JOINED = 128;

/** Serialises changes. */
export class Writer {
  readonly #store: Store;
  readonly #state: VaultState;
  readonly #bookkeepers: Bookkeeping[] = [];
  readonly #joining: Joining[] = [];
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

  /**
   * Makes a change that doesn't depend on others made in the same way: those that wait together share one commit.
   *
   * @param plan As for {@link change}, but it isn't shown what others of the batch write, so it may only add records
   *   whose keys are drawn at random.
   */
  join<T>(plan: () => Plan<T>): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    this.#joining.push({ plan, resolve: (made) => resolve((made as Plan<T>).result()), reject });
    if (this.#joining.length === 1) this.#scheduleJoined();
    return promise;
  }

  #scheduleJoined(): void {
    // What fails is told to each that joined.
    void this.change(() => this.#planJoined()).catch(() => {});
  }

  /** In the writer's turn: one change of those that wait longest; each that refuses does so alone. */
  #planJoined(): Plan<void> {
    const waiting = this.#joining.splice(0, MAX_JOINED);
    if (this.#joining.length > 0) this.#scheduleJoined();
    const made: { one: Joining; plan: Plan<unknown> }[] = [];
    for (const one of waiting) {
      try {
        made.push({ one, plan: one.plan() });
      } catch (error) {
        one.reject(error);
      }
    }
    return {
      writes: made.flatMap(({ plan }) => plan.writes),
      result: () => made.forEach(({ one, plan }) => one.resolve(plan)),
      failed: (error) => made.forEach(({ one }) => one.reject(error)),
    };
  }

  /** Resolves when every change begun so far has ended, well or badly. */
  async settled(): Promise<void> {
    await this.#last;
  }

  async #perform<T>(plan: () => Plan<T> | Promise<Plan<T>>): Promise<T> {
    const planned = await plan();
    if (planned.writes.length > 0) await this.#commit(planned);
    return planned.result();
  }

  async #commit({ writes, failed }: Plan<unknown>): Promise<void> {
    const all = [...writes, ...this.#bookkeepers.flatMap((bookkeeping) => bookkeeping(writes))];
    try {
      const sequence = await this.#store.commit(all, this.#state.sequence);
      this.#state.apply(all, sequence);
    } catch (error) {
      failed?.(error);
      throw error;
    }
  }
}
