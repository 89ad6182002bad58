/**
 * What the trail keeps in the store: lines that the file could still lose, what requests that go on have changed so far, and
 * the head.
 *
 * @module
 */

import type { Write } from "../storage/store.ts";
import type { ChainEnd } from "./chain.ts";

/** What a start found in the store and has put into the file since. */
export interface LeftOver {
  readonly outbox: readonly number[];
  readonly opens: readonly string[];
}

/** The rows of one commit. */
export interface RowsOfCommit {
  readonly writes: readonly Write[];
  committed(): void;
  abandoned(): void;
}

/** So many old rows go with one commit: it takes a few hundred microseconds more, and they go faster than others come. */
const MAX_GONE = 32;

const NONE: readonly number[] = [];

/** Knows which rows there are. */
export class TrailRows {
  /** By the number of their last line, in order. */
  readonly #outbox: number[];
  /** Requests whose open row can go with the next commit. */
  #closed: string[];
  #head: number;

  constructor(left: LeftOver, head: number) {
    this.#outbox = [...left.outbox].sort((a, b) => a - b);
    this.#closed = [...left.opens];
    this.#head = head;
  }

  /** Number of the last line that the store knows of. */
  get head(): number {
    return this.#head;
  }

  /** A request that went on has ended: its row can go with the next commit. */
  close(requestId: string): void {
    this.#closed.push(requestId);
  }

  /**
   * The rows of a commit after which the trail ends at a place.
   *
   * @param lines What the file could lose up to there, each line with its line break.
   * @param synced Number of the last line that it can't lose: older rows can go.
   */
  next({ sequence, hash }: ChainEnd, lines: string, synced: number): RowsOfCommit {
    const gone = this.#gone(synced);
    const closed = this.#closed.splice(0);
    const isKept = lines !== "";
    const writes: Write[] = gone.map((last) => ({ kind: "audit_outbox", key: outboxKey(last) }));
    for (const key of closed) writes.push({ kind: "audit_open", key });
    // The lines say where the trail ends; where there are none, the head does (`stored_head.ts`).
    if (isKept) writes.push({ kind: "audit_outbox", key: outboxKey(sequence), value: { lines } });
    else writes.push({ kind: "audit_head", key: "head", value: { sequence, hash } });
    return {
      writes,
      committed: () => {
        if (gone.length > 0) this.#outbox.splice(0, gone.length);
        if (isKept) this.#outbox.push(sequence);
        this.#head = sequence;
      },
      abandoned: () => void this.#closed.push(...closed),
    };
  }

  /** The oldest rows whose lines the file can't lose. Most commits find none. */
  #gone(synced: number): readonly number[] {
    let count = 0;
    while (count < MAX_GONE && this.#outbox[count]! <= synced) count++;
    return count === 0 ? NONE : this.#outbox.slice(0, count);
  }
}

/** Keys sort as the numbers do. */
function outboxKey(sequence: number): string {
  return String(sequence).padStart(16, "0");
}
