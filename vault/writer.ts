/**
 * The one way to change the vault: plan against memory, commit to the store, then apply to memory.
 *
 * Changes run one after the other, so a plan sees everything that was acknowledged before it and no two plans can both
 * find a name free. A commit that fails leaves memory as it was.
 *
 * @module
 */

import type { ChangeBy } from "./audit/change_draft.ts";
import { currentRequest, withinRequest } from "./audit/request.ts";
import type { AuditTrail } from "./audit/trail.ts";
import type { VaultState } from "./state.ts";
import type { Store, Write } from "./storage/store.ts";

/** What a change writes, and what it answers once that is durable and in force. */
export interface Plan<T> {
  readonly writes: readonly Write[];
  result(): T;
  /** Told when the commit failed, so nothing happened; the change rejects with the same error. */
  failed?(error: unknown): void;
  /** Whether the request goes on to change more, so that its entry in the audit trail waits for the end. */
  readonly isPreliminary?: boolean;
  /** Where several requests share a change: who makes which part of it. */
  readonly by?: readonly ChangeBy[];
}

/** A change that waits to be made together with others. */
interface Joining {
  readonly plan: () => Plan<unknown>;
  readonly request: ChangeBy["request"];
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
  readonly #trail: AuditTrail | undefined;
  #last: Promise<unknown> = Promise.resolve();

  /** @param trail Records every change, in its own commit; absent: nothing is recorded. */
  constructor(store: Store, state: VaultState, trail?: AuditTrail) {
    this.#store = store;
    this.#state = state;
    this.#trail = trail;
    trail?.keepHeadWith(() => this.#commitHead());
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
    const request = currentRequest();
    this.#joining.push({ plan, request, resolve: (made) => resolve((made as Plan<T>).result()), reject });
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
        made.push({ one, plan: planOf(one) });
      } catch (error) {
        one.reject(error);
      }
    }
    return {
      writes: made.flatMap(({ plan }) => plan.writes),
      by: made.map(({ one, plan: { writes, isPreliminary } }) => ({ request: one.request, writes, isPreliminary })),
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

  async #commit(plan: Plan<unknown>): Promise<void> {
    const more = this.#bookkeepers.flatMap((bookkeeping) => bookkeeping(plan.writes));
    try {
      await this.#commitAll([...plan.writes, ...more], entriesOf(plan, more));
    } catch (error) {
      plan.failed?.(error);
      throw error;
    }
  }

  /** The change, its bookkeeping and its entries in the trail: all or nothing. */
  async #commitAll(writes: readonly Write[], by: readonly ChangeBy[]): Promise<void> {
    const entries = this.#trail?.prepare(by, this.#state.sequence + 1, this.#state);
    const all = entries === undefined ? writes : [...writes, ...entries.writes];
    try {
      const sequence = await this.#store.commit(all, this.#state.sequence);
      this.#state.apply(writes, sequence);
    } catch (error) {
      entries?.abandoned();
      throw error;
    }
    entries?.committed();
  }

  /** A commit of nothing but the trail's own rows. */
  #commitHead(): Promise<void> {
    const mine = this.#last.then(() => this.#commitAll([], []));
    this.#last = mine.catch(() => {});
    return mine;
  }
}

/** What a plan learns of its request belongs to that one, not to whoever of the batch came first. */
function planOf({ plan, request }: Joining): Plan<unknown> {
  return request === undefined ? plan() : withinRequest(request, plan);
}

/** Bookkeeping belongs to whoever makes the first part of the change. */
function entriesOf({ writes, by, isPreliminary }: Plan<unknown>, more: readonly Write[]): readonly ChangeBy[] {
  const [first, ...others] = by ?? [{ request: currentRequest(), writes, isPreliminary }];
  return first === undefined ? [] : [{ ...first, writes: [...first.writes, ...more] }, ...others];
}
