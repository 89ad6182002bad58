/**
 * Reading the trail of a running vault: questions, the newest lines, what is being written, a report of one user.
 *
 * @module
 */

import { parseLine, type StoredEntry } from "./entry.ts";
import { AuditIndex, type IndexQuery } from "./index/audit_index.ts";
import { type ActivityReport, Report } from "./report.ts";
import type { AuditTrail } from "./trail.ts";

/** A question to the trail. */
export type TrailQuery = Omit<IndexQuery, "limit"> & { readonly limit?: number | undefined };

/** Lines that a slow reader may be behind; past it the reading ends. */
const MAX_UNREAD = 10_000;
const LOOK_MS = 60_000;
/** Lines in that time that are no quiet. */
const MANY_WRITTEN = 60_000;

/** Reads a trail. */
export class TrailReader {
  /** The present file. */
  readonly path: string;
  readonly #trail: AuditTrail;
  readonly #index: AuditIndex;
  #timer: ReturnType<typeof setInterval> | undefined;
  #seen = 0;

  constructor(trail: AuditTrail, path: string, indexPath: string) {
    this.path = path;
    this.#trail = trail;
    this.#index = new AuditIndex(indexPath, path);
  }

  /** The last line. */
  head(): { readonly sequence: number; readonly hash: string } {
    const { sequence, hash } = this.#trail.status();
    return { sequence, hash };
  }

  /** The lines that are asked for, in pages; `storage_failed`. */
  pages(query: TrailQuery): AsyncGenerator<readonly string[]> {
    return this.#index.pages(query);
  }

  /** The entries that are asked for. */
  async *entries(query: TrailQuery): AsyncGenerator<StoredEntry> {
    for await (const lines of this.pages(query)) for (const line of lines) yield parseLine(line);
  }

  /** Lines as they are written from now on, until the signal; it ends by itself for a reader who is too slow. */
  follow(signal: AbortSignal): AsyncGenerator<readonly string[]> {
    const unread: string[] = [];
    const waiting = { wake: Promise.withResolvers<void>() };
    const stop = this.#trail.onLines((lines) => {
      unread.push(...lines.map((line) => line.trimEnd()));
      waiting.wake.resolve();
      if (unread.length > MAX_UNREAD) stop();
    });
    signal.addEventListener("abort", () => {
      stop();
      waiting.wake.resolve();
    }, { once: true });
    return followed(unread, waiting, signal, stop);
  }

  /** What a user did: a name, or an entity id. */
  async report(query: TrailQuery, ownerOf: (agentId: string) => string | undefined): Promise<ActivityReport> {
    const report = new Report(ownerOf);
    for await (const entry of this.entries(query)) report.add(entry);
    return report.made();
  }

  /** Brings the index up to date in quiet times, so that the next question is answered at once. */
  start(): void {
    this.#timer = setInterval(() => this.#catchUpInQuiet(), LOOK_MS);
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#index.close();
  }

  /** While much is written, whatever the machine has is for those who wait for answers. */
  #catchUpInQuiet(): void {
    const { sequence } = this.head();
    const written = sequence - this.#seen;
    this.#seen = sequence;
    // What is wrong with the index is told to whoever asks it.
    if (written > 0 && written <= MANY_WRITTEN) this.#index.catchUp().catch(() => {});
  }
}

async function* followed(
  unread: string[],
  waiting: { wake: PromiseWithResolvers<void> },
  signal: AbortSignal,
  stop: () => void,
): AsyncGenerator<readonly string[]> {
  try {
    while (!signal.aborted && unread.length <= MAX_UNREAD) {
      if (unread.length === 0) await waiting.wake.promise;
      waiting.wake = Promise.withResolvers();
      if (unread.length > 0) yield unread.splice(0);
    }
  } finally {
    stop();
  }
}
