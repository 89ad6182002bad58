/**
 * The feed of {@link Revocations}: one text with everything that is over, for verifiers to fetch when it changed.
 *
 * @module
 */

import { DueQueue } from "../due_queue.ts";
import type { RevocationRecord } from "../storage/identity_records.ts";
import type { Surroundings } from "../tokens/token_service.ts";

/** The feed as it is now. */
export interface FeedText {
  /** Names this content; another process, or another content, has another. */
  readonly version: string;
  /** JSON: `{"revocations":[{"sub":…,"min_ep":…,"until":…},{"sid":…,"until":…}]}`; times in seconds since 1970. */
  readonly text: string;
}

/**
 * Who waits at the same time, at most. The port serves 208 clients at once, and whoever waits takes one of these places;
 * strangers may wait here, so most of the places are left to others.
 */
const MAX_WAITING = 64;
/** One address can't take all places; whoever finds none is answered at once. */
const MAX_WAITING_OF_ADDRESS = 16;
/** Several ends within this time are told together. */
const GATHER_MS = 100;
const SWEEP_MS = 60_000;
const SWEEP_BATCH = 500;

interface Waiter {
  readonly address: string;
  wake(): void;
}

/** Serves the feed, and forgets what has expired. */
export class RevocationFeed {
  readonly #in: Surroundings;
  readonly #nonce: string;
  readonly #rows = new Map<string, string>();
  readonly #due = new DueQueue();
  readonly #waiting = new Set<Waiter>();
  #changes = 0;
  #text: string | undefined;
  #gathering: ReturnType<typeof setTimeout> | undefined;
  #sweeping: ReturnType<typeof setInterval> | undefined;
  #isClosed = false;

  constructor(surroundings: Surroundings) {
    this.#in = surroundings;
    // A store that was rolled back may come to the same number of changes again, with others in them.
    this.#nonce = surroundings.random.bytes(8).toHex();
    surroundings.state.watch("revocation", (after, _before, key) => this.#note(key, after));
  }

  /** The feed now. */
  get current(): FeedText {
    this.#text ??= `{"revocations":[${[...this.#rows.values()].join(",")}]}`;
    return { version: `${this.#nonce}-${this.#changes}`, text: this.#text };
  }

  /** How many wait. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /**
   * Waits until the feed is no longer of a version, so long at most.
   *
   * @param address Whose place it takes.
   * @returns Whether it waited: not where the feed has changed already, or every place is taken.
   */
  async changed(version: string, timeoutMs: number, address: string, signal: AbortSignal): Promise<boolean> {
    if (version !== this.current.version || signal.aborted || !this.#hasPlace(address)) return false;
    const { promise, resolve } = Promise.withResolvers<void>();
    const waiter: Waiter = { address, wake: resolve };
    const timer = setTimeout(resolve, timeoutMs);
    signal.addEventListener("abort", () => resolve(), { once: true });
    this.#waiting.add(waiter);
    try {
      await promise;
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(waiter);
    }
    return true;
  }

  /**
   * Starts forgetting what has expired.
   *
   * @param mayCommit Whether the clock can be trusted with what can't be undone (S10).
   */
  start(mayCommit: () => boolean, onFailure: (error: unknown) => void): void {
    this.#sweeping = setInterval(() => {
      if (mayCommit()) this.sweep().catch(onFailure);
    }, SWEEP_MS);
  }

  /** Lets everybody who waits go; nobody waits from then on. */
  close(): void {
    this.#isClosed = true;
    clearInterval(this.#sweeping);
    clearTimeout(this.#gathering);
    this.#wakeAll();
  }

  /** Forgets what has expired by now. */
  async sweep(): Promise<void> {
    const { clock, state, writer } = this.#in;
    for (;;) {
      const due = this.#due.take(clock.now(), SWEEP_BATCH);
      if (due.length === 0) return;
      await writer.change(() => {
        const now = clock.now();
        const rows = state.table("revocation");
        const over = due.filter((key) => (rows.get(key)?.until ?? Infinity) <= now);
        return { writes: over.map((key) => ({ kind: "revocation", key })), result: () => {} };
      }).catch((error: unknown) => {
        for (const key of due) this.#due.add(clock.now() + SWEEP_MS, key);
        throw error;
      });
    }
  }

  #note(key: string, after: RevocationRecord | undefined): void {
    if (after === undefined) this.#rows.delete(key);
    else {
      this.#rows.set(key, rowText(after));
      this.#due.add(after.until, key);
    }
    this.#changes++;
    this.#text = undefined;
    if (this.#waiting.size > 0) this.#gathering ??= setTimeout(() => this.#wakeAll(), GATHER_MS);
  }

  #wakeAll(): void {
    this.#gathering = undefined;
    for (const { wake } of this.#waiting) wake();
  }

  #hasPlace(address: string): boolean {
    if (this.#isClosed || this.#waiting.size >= MAX_WAITING) return false;
    let own = 0;
    for (const waiter of this.#waiting) if (waiter.address === address) own++;
    return own < MAX_WAITING_OF_ADDRESS;
  }
}

function rowText({ sub, minEp, sid, until }: RevocationRecord): string {
  return JSON.stringify({ sub, min_ep: minEp, sid, until: Math.ceil(until / 1000) });
}
