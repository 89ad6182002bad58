/**
 * The end of leases: the account behind each is taken away, tried again for as long as it takes.
 *
 * @module
 */

import { inBackground } from "../audit/request.ts";
import { asVaultError, VaultError } from "../errors.ts";
import type { Clock, Logger } from "../ports.ts";
import { LONGEST_RETRY_MS, retryDelayMs } from "../retry_delay.ts";
import { DueQueue } from "../due_queue.ts";
import type { VaultState } from "../state.ts";
import type { LeaseRecord } from "../storage/database_records.ts";
import type { Write } from "../storage/store.ts";
import type { Writer } from "../writer.ts";
import type { LeaseIndex } from "./lease_index.ts";

/** How an account was taken away. */
export interface EndedLease {
  readonly wasThere: boolean;
  /** What the operator should know, such as that sessions go on. */
  readonly warnings: readonly string[];
}

/** Takes accounts away. */
export interface LeaseBackend {
  /**
   * Takes the account of a lease away; one that is gone is no error.
   *
   * @throws {VaultError} Whose message holds no secret.
   */
  end(lease: LeaseRecord): Promise<EndedLease>;
}

/** What the endings need. */
export interface LeaseSurroundings {
  readonly state: VaultState;
  readonly writer: Writer;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Accounts that are taken away at the same time. */
const MAX_AT_ONCE = 16;
const LONGEST_WAIT_MS = 15_000;
const SHORTEST_WAIT_MS = 100;
const EXPIRY_BATCH = 200;
const CLOSE_MS = 5000;
/** So long after nobody heard of it a server may still make an account; no question of ours waits as long. */
const UNCERTAIN_MS = 60_000;

/** Ends leases that expire, and those whose token ended. */
export class LeaseEndings {
  readonly #in: LeaseSurroundings;
  readonly #index: LeaseIndex;
  readonly #backend: LeaseBackend;
  /** By the wall clock. */
  readonly #expiring = new DueQueue();
  /** The one moment at which each lease waits there, however often it was renewed (S18). */
  readonly #waitsAt = new Map<string, number>();
  /** By the monotonic clock. */
  readonly #retrying = new DueQueue();
  /** When accounts that nobody saw made can be taken not to be, by the monotonic clock. */
  readonly #certainAt = new Map<string, number>();
  readonly #running = new Map<string, Promise<readonly string[]>>();
  readonly #waiting: (() => void)[] = [];
  #atOnce = 0;
  #mayCommit: (() => boolean) | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isClosed = false;

  constructor(surroundings: LeaseSurroundings, index: LeaseIndex, backend: LeaseBackend) {
    this.#in = surroundings;
    this.#index = index;
    this.#backend = backend;
    surroundings.state.watch("lease", (after, before) => {
      if (after?.state === "live") this.#waitUntil(after.id, after.expiresAt);
      if (after?.state === "ending" && before?.state !== "ending") this.#noteEnding(after);
      if (after === undefined) this.#forget(before!.id);
    });
  }

  /**
   * Starts ending what has expired, and what is left from before.
   *
   * @param mayCommit Whether the clock can be trusted with what can't be undone (S10).
   */
  start(mayCommit: () => boolean): void {
    this.#mayCommit = mayCommit;
    this.#schedule();
  }

  /** How many moments are waited for. */
  get waiting(): number {
    return this.#expiring.size;
  }

  /** Stops; what is under way is waited for, a little: what isn't done is done at the next start. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, CLOSE_MS);
    await Promise.race([Promise.allSettled(this.#running.values()), late]);
    clearTimeout(timer);
  }

  /** The writes that end live leases, in the writer's turn; of an account that is being made nobody knows when it is there. */
  planEnd(leases: readonly LeaseRecord[]): Write[] {
    const { beingMade } = this.#index;
    const live = leases.filter(({ state }) => state === "live");
    return live.map((lease) => this.#ending(beingMade.has(lease.id) ? { ...lease, isUncertain: true } : lease));
  }

  /** As {@link planEnd}, where nobody knows whether the server has made the accounts, or will. */
  planEndOfUncertain(leases: readonly LeaseRecord[]): Write[] {
    return leases.map((lease) => this.#ending({ ...lease, isUncertain: true }));
  }

  /**
   * Takes the account of one lease away now, and forgets the lease, unless it is uncertain whether there will be one yet.
   *
   * @throws {VaultError} Where it can't be; the lease is as it was.
   */
  endNow(id: string): Promise<readonly string[]> {
    const running = this.#running.get(id);
    if (running !== undefined) return running;
    // It may be waited for by several, and go on when nobody does any more.
    const ending = inBackground("end_lease", () => this.#perform(id)).finally(() => this.#running.delete(id));
    this.#running.set(id, ending);
    ending.catch(() => {});
    return ending;
  }

  /** Waits until leases are gone, so long at most; returns how many are left. */
  async gone(ids: readonly string[], timeoutMs: number): Promise<number> {
    const left = () => ids.filter((id) => this.#index.get(id) !== undefined);
    const { promise: timeout, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, timeoutMs);
    const all = Promise.allSettled(left().map((id) => this.endNow(id)));
    await Promise.race([all, timeout]);
    clearTimeout(timer);
    return left().length;
  }

  /** Ends what has expired by now. */
  async sweep(): Promise<void> {
    const { clock, writer } = this.#in;
    const due = this.#expiring.take(clock.now(), EXPIRY_BATCH);
    if (due.length === 0) return;
    for (const id of due) this.#waitsAt.delete(id);
    const live = () =>
      due.map((id) => this.#index.get(id)).filter((lease) => lease?.state === "live").map((one) => one!);
    try {
      await writer.change(() => {
        const now = clock.now();
        return { writes: this.planEnd(live().filter(({ expiresAt }) => expiresAt <= now)), result: () => {} };
      });
    } finally {
      // Those that were renewed meanwhile; all of them, where the store is full, with the next to come.
      const soonest = clock.now() + LONGEST_WAIT_MS;
      for (const { id, expiresAt } of live()) this.#waitUntil(id, expiresAt > clock.now() ? expiresAt : soonest);
    }
  }

  #ending(lease: LeaseRecord): Write {
    return { kind: "lease", key: lease.id, value: { ...lease, state: "ending", endingSince: this.#in.clock.now() } };
  }

  async #perform(id: string): Promise<readonly string[]> {
    const lease = this.#index.get(id);
    if (lease === undefined) return [];
    await this.#turn();
    try {
      const { wasThere, warnings } = await this.#backend.end(lease);
      for (const warning of warnings) this.#in.logger.log("warn", "lease_ended_partly", { lease_id: id, warning });
      if (!wasThere && this.#isUncertain(id)) return this.#lookAgain(id);
      await this.#in.writer.join(() => ({ writes: [{ kind: "lease", key: id }], result: () => {} }));
      return warnings;
    } finally {
      this.#atOnce--;
      this.#waiting.shift()?.();
    }
  }

  async #turn(): Promise<void> {
    if (this.#atOnce + this.#waiting.length >= MAX_AT_ONCE) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    this.#atOnce++;
  }

  #waitUntil(id: string, at: number): void {
    if (at >= (this.#waitsAt.get(id) ?? Infinity)) return;
    const isNext = at < (this.#expiring.next ?? Infinity);
    this.#waitsAt.set(id, at);
    this.#expiring.add(at, id);
    if (isNext) this.#schedule();
  }

  #noteEnding({ id, isUncertain }: LeaseRecord): void {
    const now = this.#in.clock.monotonic();
    if (isUncertain) this.#certainAt.set(id, now + UNCERTAIN_MS);
    this.#retrying.add(now, id);
    this.#schedule();
  }

  #forget(id: string): void {
    this.#certainAt.delete(id);
    this.#waitsAt.delete(id);
  }

  #isUncertain(id: string): boolean {
    return this.#in.clock.monotonic() < (this.#certainAt.get(id) ?? -Infinity);
  }

  #lookAgain(id: string): readonly string[] {
    this.#retrying.add(this.#certainAt.get(id)!, id);
    this.#schedule();
    return [];
  }

  #schedule(): void {
    if (this.#isClosed || this.#mayCommit === undefined) return;
    clearTimeout(this.#timer);
    const { clock } = this.#in;
    const toExpiry = (this.#expiring.next ?? Infinity) - clock.now();
    const toRetry = (this.#retrying.next ?? Infinity) - clock.monotonic();
    const wait = toRetry <= 0 ? 0 : Math.max(Math.min(toExpiry, toRetry, LONGEST_WAIT_MS), SHORTEST_WAIT_MS);
    // Often a request's change sets the timer; what expires then is none of its doing.
    this.#timer = setTimeout(() => void inBackground("expire_leases", () => this.#tick()), wait);
  }

  async #tick(): Promise<void> {
    try {
      if (this.#mayCommit!()) await this.sweep();
    } catch (error) {
      this.#in.logger.log("error", "sweep_failed", { sweeper: "leases", reason: asVaultError(error).message });
    }
    for (const id of this.#retrying.take(this.#in.clock.monotonic(), EXPIRY_BATCH)) void this.#try(id);
    this.#schedule();
  }

  async #try(id: string): Promise<void> {
    try {
      if (this.#index.get(id)?.state === "ending") await this.endNow(id);
    } catch (error) {
      await this.#noteFailure(id, asVaultError(error)).catch((failure: unknown) => {
        this.#in.logger.log("error", "lease_not_noted", { lease_id: id, reason: asVaultError(failure).message });
        this.#retrying.add(this.#in.clock.monotonic() + LONGEST_RETRY_MS, id);
      });
      this.#schedule();
    }
  }

  async #noteFailure(id: string, { message }: VaultError): Promise<void> {
    const failures = (this.#index.get(id)?.failures ?? 0) + 1;
    const delay = retryDelayMs(failures);
    this.#in.logger.log("warn", "lease_not_ended", { lease_id: id, failures, reason: message, retry_ms: delay });
    await this.#in.writer.change(() => {
      const lease = this.#index.get(id);
      const writes: Write[] = lease === undefined ? [] : [{
        kind: "lease",
        key: id,
        value: { ...lease, failures, lastError: message },
      }];
      return { writes, result: () => {} };
    });
    this.#retrying.add(this.#in.clock.monotonic() + delay, id);
  }
}
