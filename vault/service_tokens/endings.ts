/**
 * The end of service tokens: by revocation, by expiry, or with the mount that they came through. What descends from a
 * token, what lies in its cubbyhole and what it leased ends in the same transaction.
 *
 * @module
 */

import { inBackground } from "../audit/request.ts";
import { agentIdOf } from "../state.ts";
import type { ServiceTokenRecord } from "../storage/identity_records.ts";
import type { Write } from "../storage/store.ts";
import type { Surroundings } from "../tokens/token_service.ts";
import type { TokenIndex } from "./token_index.ts";

/** Writes what else ends with a token, such as its leases. */
export type EndHook = (ended: ServiceTokenRecord) => readonly Write[];

/** Tokens that one change of the sweeper ends at most. */
const SWEEP_BATCH = 200;
const LONGEST_WAIT_MS = 60_000;
const SHORTEST_WAIT_MS = 250;

/** Ends tokens. */
export class TokenEndings {
  readonly #in: Surroundings;
  readonly #index: TokenIndex;
  readonly #hooks: EndHook[] = [];
  readonly #holes = new Map<string, Set<string>>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** When the timer goes off; Infinity: nothing runs by itself yet. */
  #wakesAt = Infinity;
  #tick: () => Promise<void> = () => Promise.resolve();
  #isClosed = false;

  constructor(surroundings: Surroundings, index: TokenIndex) {
    this.#in = surroundings;
    this.#index = index;
    surroundings.writer.addBookkeeping((writes) => writes.flatMap((write) => this.#planFollowing(write)));
    surroundings.state.watch("service_token", () => this.#wakeSooner());
    surroundings.state.watch("cubbyhole", (after, before, key) => {
      const { tokenHash } = (after ?? before)!;
      const keys = this.#holes.get(tokenHash) ?? new Set();
      if (after === undefined) keys.delete(key);
      else keys.add(key);
      if (keys.size === 0) this.#holes.delete(tokenHash);
      else this.#holes.set(tokenHash, keys);
    });
  }

  /** Has `hook` write what else ends with each token. */
  addHook(hook: EndHook): void {
    this.#hooks.push(hook);
  }

  /** The keys of a token's cubbyhole. */
  holeOf(tokenHash: string): ReadonlySet<string> {
    return this.#holes.get(tokenHash) ?? new Set();
  }

  /** Ends tokens by their hashes, with all that descends from them; unknown ones are no error. */
  end(hashes: readonly string[]): Promise<void> {
    return this.#in.writer.change(() => ({ writes: this.planEnd(this.#known(hashes)), result: () => {} }));
  }

  /** Ends one token; those that it made become orphans. */
  endAlone(hash: string): Promise<void> {
    return this.#in.writer.change(() => {
      const orphans = this.#index.childrenOf(hash).map((child): Write => ({
        kind: "service_token",
        key: child.hash,
        value: { ...child, parent: null },
      }));
      const own = this.#known([hash]).flatMap((record) => this.#planOne(record));
      return { writes: [...orphans, ...own], result: () => {} };
    });
  }

  /** The writes that end tokens and all that descends from them, in the writer's turn. */
  planEnd(records: readonly ServiceTokenRecord[]): Write[] {
    return this.#index.withDescendants(records).flatMap((record) => this.#planOne(record));
  }

  /** The writes that end every token which came through a mount. */
  planEndOfMount(mountAccessor: string): Write[] {
    const through = [...this.#index.all()].filter((record) => record.mountAccessor === mountAccessor);
    return this.planEnd(through);
  }

  /**
   * Ends what has expired, until {@link close}.
   *
   * @param mayCommit Whether the clock can be trusted with something that can't be undone (S10).
   * @param onFailure Told of a sweep that failed; the next makes up for it.
   */
  start(mayCommit: () => boolean, onFailure: (error: unknown) => void): void {
    this.#tick = async () => {
      if (mayCommit()) await this.sweep().catch(onFailure);
      this.#schedule();
    };
    this.#schedule();
  }

  /** Ends what has expired by now; resolves with how many. */
  async sweep(): Promise<number> {
    let count = 0;
    for (;;) {
      const due = this.#index.due.take(this.#in.clock.now(), SWEEP_BATCH);
      if (due.length === 0) return count;
      count += await this.#endExpired(due);
    }
  }

  async #endExpired(due: readonly string[]): Promise<number> {
    try {
      return await this.#in.writer.change(() => {
        const now = this.#in.clock.now();
        const expired = this.#known(due).filter((record) => record.expiresAt !== null && record.expiresAt <= now);
        this.#putBack(due, now);
        return { writes: this.planEnd(expired), result: () => expired.length };
      });
    } catch (error) {
      for (const hash of due) this.#index.due.add(this.#in.clock.now() + LONGEST_WAIT_MS, hash);
      throw error;
    }
  }

  /** Stops sweeping. */
  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
  }

  #schedule(): void {
    if (this.#isClosed) return;
    clearTimeout(this.#timer);
    const now = this.#in.clock.now();
    const next = this.#index.due.next ?? Infinity;
    const wait = Math.min(Math.max(next - now, SHORTEST_WAIT_MS), LONGEST_WAIT_MS);
    this.#wakesAt = now + wait;
    // Often a request's change sets the timer; what expires then is none of its doing.
    this.#timer = setTimeout(() => void inBackground("end_service_tokens", () => this.#tick()), wait);
  }

  /** A token that ends before the timer goes off: what hangs off it, such as accounts on databases, ends in time too. */
  #wakeSooner(): void {
    if (this.#wakesAt === Infinity) return;
    const next = this.#index.due.next ?? Infinity;
    if (next + SHORTEST_WAIT_MS < this.#wakesAt) this.#schedule();
  }

  /**
   * What a change ends besides what it says: the rows of tokens whose entity's epoch it raises, or whose evt token it
   * ends. They count no more from that change on anyway; so they take no room either, and what hangs off them ends too.
   */
  #planFollowing(write: Write): Write[] {
    if (write.value === undefined) return [];
    if (write.kind === "user") {
      const before = this.#in.state.users.get(write.key)?.record;
      const isRaised = before !== undefined && before.epoch !== write.value.epoch;
      return isRaised ? this.planEnd(this.#index.ofEntity(write.key)) : [];
    }
    if (write.kind !== "user_token" || write.value.ended === undefined) return [];
    const holes = [...this.holeOf(write.key)].map((key): Write => ({ kind: "cubbyhole", key }));
    return [...this.planEnd(this.#index.ofEvt(agentIdOf(write.key))), ...holes];
  }

  #planOne(record: ServiceTokenRecord): Write[] {
    const holes = [...this.holeOf(record.hash)].map((key): Write => ({ kind: "cubbyhole", key }));
    return [
      { kind: "service_token", key: record.hash },
      ...holes,
      ...this.#hooks.flatMap((hook) => hook(record)),
    ];
  }

  /** Those that were renewed since they were put into the queue. */
  #putBack(due: readonly string[], now: number): void {
    for (const { hash, expiresAt } of this.#known(due)) {
      if (expiresAt !== null && expiresAt > now) this.#index.due.add(expiresAt, hash);
    }
  }

  #known(hashes: readonly string[]): ServiceTokenRecord[] {
    return hashes.map((hash) => this.#index.get(hash)).filter((record) => record !== undefined);
  }
}
