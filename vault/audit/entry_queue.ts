/**
 * Entries on their way to the file.
 *
 * Where many requests end in one turn of the event loop, the first is written at once, and others are written together at its
 * end: one `write(2)`, and then their answers leave. A turn ends when nothing that has arrived is left to be worked on. Where
 * few do, waiting costs more than it saves, and each is written at once. While a commit holds the next place in the chain,
 * entries wait for its outcome.
 *
 * @module
 */

import process from "node:process";

/** Gathers entries. */
export class EntryQueue {
  readonly #write: (entries: readonly string[]) => void;
  #entries: string[] = [];
  #written: PromiseWithResolvers<void> | undefined;
  #isHeld = false;
  /** Whether an entry of this turn was written already. */
  #isInTurn = false;
  readonly #endTurn = () => {
    this.#isInTurn = false;
    this.flush();
  };

  /** @param write Writes entries, all or none: what it throws is told to everybody who added one of them. */
  constructor(write: (entries: readonly string[]) => void) {
    this.#write = write;
  }

  /** How many wait for a commit. */
  get held(): number {
    return this.#isHeld ? this.#entries.length : 0;
  }

  /**
   * Writes entries now or later.
   *
   * @returns Nothing where they are written; else a promise, which rejects as this throws.
   */
  add(entries: readonly string[]): void | Promise<void> {
    if (!this.#isHeld && !this.#isInTurn) return this.#beginTurn(entries);
    this.#entries.push(...entries);
    return (this.#written ??= Promise.withResolvers()).promise;
  }

  /** As {@link add}, without waiting for the end of the turn; what waits for that is written before. */
  addNow(entries: readonly string[]): void | Promise<void> {
    if (this.#isHeld) return this.add(entries);
    this.flush();
    this.#write(entries);
  }

  /** Writes what waits, unless it waits for a commit, without waiting for the end of the turn. */
  flush(): void {
    const written = this.#written;
    if (written === undefined || this.#isHeld) return;
    const entries = this.#entries;
    this.#written = undefined;
    this.#entries = [];
    try {
      this.#write(entries);
      written.resolve();
    } catch (error) {
      written.reject(error);
    }
  }

  #beginTurn(entries: readonly string[]): void {
    this.#isInTurn = true;
    process.nextTick(this.#endTurn);
    this.#write(entries);
  }

  /** A commit takes the next place in the chain: what is added from now on waits for {@link release}. */
  hold(): void {
    this.#isHeld = true;
  }

  /** The commit has ended, well or badly. */
  release(): void {
    this.#isHeld = false;
    this.flush();
  }
}
