/**
 * Entries on their way to the file.
 *
 * Those of requests that end in the same turn of the event loop are written together: one `write(2)`, and then their answers
 * leave. A turn ends when nothing that has arrived is left to be worked on, so that an entry that is alone waits for nothing.
 * While a commit holds the next place in the chain, entries wait for its outcome.
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
  readonly #endTurn = () => this.flush();

  /** @param write Writes entries, all or none: what it throws is told to everybody who added one of them. */
  constructor(write: (entries: readonly string[]) => void) {
    this.#write = write;
  }

  /** How many wait for a commit. */
  get held(): number {
    return this.#isHeld ? this.#entries.length : 0;
  }

  /** Adds entries; resolves when they are written. */
  add(entries: readonly string[]): Promise<void> {
    this.#entries.push(...entries);
    if (this.#written === undefined) {
      this.#written = Promise.withResolvers();
      process.nextTick(this.#endTurn);
    }
    return this.#written.promise;
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
