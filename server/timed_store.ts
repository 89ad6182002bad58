/**
 * A store whose commits are timed.
 *
 * @module
 */

import type { Store } from "../vault/mod.ts";

/** Told of each commit, whether it succeeded, and how long it took. */
export type CommitObserver = (commit: { readonly isOk: boolean; readonly seconds: number }) => void;

/** Wraps a store. */
export class TimedStore implements Store {
  readonly #store: Store;
  readonly #monotonic: () => number;
  /** Set once there is somebody to tell. */
  observe: CommitObserver = () => {};

  /** @param monotonic Milliseconds of a clock that never steps back. */
  constructor(store: Store, monotonic: () => number) {
    this.#store = store;
    this.#monotonic = monotonic;
  }

  sequence(): ReturnType<Store["sequence"]> {
    return this.#store.sequence();
  }

  read: Store["read"] = (kind) => this.#store.read(kind);

  get: Store["get"] = (kind, key) => this.#store.get(kind, key);

  async commit(...change: Parameters<Store["commit"]>): Promise<number> {
    const startedAt = this.#monotonic();
    let isOk = false;
    try {
      const sequence = await this.#store.commit(...change);
      isOk = true;
      return sequence;
    } finally {
      this.observe({ isOk, seconds: (this.#monotonic() - startedAt) / 1000 });
    }
  }

  close(): Promise<void> {
    return this.#store.close();
  }
}
