/**
 * An expiry once seen is a revocation: user tokens whose time is over are ended in the store, so that no clock that is
 * set back revives them.
 *
 * @module
 */

import { DueQueue } from "../due_queue.ts";
import { DueTimer } from "../due_timer.ts";
import { agentIdOf } from "../state.ts";
import type { UserTokenRecord } from "../storage/records.ts";
import type { Write } from "../storage/store.ts";
import { putToken, type Surroundings } from "./token_service.ts";

/** Tokens that one change ends at most. */
const BATCH = 200;
const LONGEST_WAIT_MS = 15_000;

/** Ends user tokens when they expire, and replaced ones when their grace is over. */
export class TokenExpiry {
  readonly #in: Surroundings;
  /** Those of the start by their row; later ones by their agent id, since a token that is being made has no row yet. */
  readonly #due = new DueQueue<string | number>();
  readonly #timer: DueTimer;

  constructor(surroundings: Surroundings) {
    this.#in = surroundings;
    this.#timer = new DueTimer(surroundings.clock, () => this.#due.next, LONGEST_WAIT_MS);
    const { tokens } = surroundings.state;
    for (let row = 0; row < tokens.size; row++) {
      const at = tokens.endOf(row);
      if (at !== Infinity) this.#due.add(at, row);
    }
    surroundings.writer.addBookkeeping((writes) => {
      for (const write of writes) if (write.kind === "user_token" && write.value !== undefined) this.#note(write.value);
      return [];
    });
  }

  /**
   * Ends what has expired, until {@link close}.
   *
   * @param mayCommit Whether the clock can be trusted with what can't be undone.
   * @param onFailure Told of a sweep that failed; the next makes up for it.
   */
  start(mayCommit: () => boolean, onFailure: (error: unknown) => void): void {
    this.#timer.start({ run: () => this.sweep(), mayCommit, onFailure });
  }

  /** Stops sweeping. */
  close(): void {
    this.#timer.close();
  }

  /** Ends what has expired by now; resolves with how many. */
  async sweep(): Promise<number> {
    let count = 0;
    for (;;) {
      const due = this.#due.take(this.#in.clock.now(), BATCH);
      if (due.length === 0) return count;
      count += await this.#end(due);
    }
  }

  async #end(due: readonly (string | number)[]): Promise<number> {
    try {
      return await this.#in.writer.change(() => {
        const now = this.#in.clock.now();
        const writes = due.flatMap((key) => this.#planEnd(key, now));
        return { writes, result: () => writes.length };
      });
    } catch (error) {
      for (const key of due) this.#due.add(this.#in.clock.now() + LONGEST_WAIT_MS, key);
      throw error;
    }
  }

  /** Nothing for a token that has ended meanwhile; one that was given longer waits again. */
  #planEnd(key: string | number, now: number): Write[] {
    const { tokens } = this.#in.state;
    const record = (typeof key === "number" ? tokens.at(key) : tokens.get(key))?.record;
    if (record === undefined || record.ended !== undefined) return [];
    const dueAt = endOf(record);
    if (dueAt === null) return [];
    if (dueAt > now) {
      this.#note(record);
      return [];
    }
    const ended = record.expiresAt !== null && record.expiresAt <= now ? "expired" : "rotated";
    return [putToken({ ...record, ended, endedAt: now })];
  }

  #note(record: UserTokenRecord): void {
    const at = record.ended === undefined ? endOf(record) : null;
    if (at !== null) this.#due.add(at, agentIdOf(record.tokenHash));
  }
}

/** When a token's time is over; null: never. */
function endOf({ expiresAt, graceUntil }: UserTokenRecord): number | null {
  const end = Math.min(expiresAt ?? Infinity, graceUntil ?? Infinity);
  return end === Infinity ? null : end;
}
