/**
 * Backups of a running vault, as the admin API hands them out: taken by one request, fetched by the next.
 *
 * @module
 */

import type { BackupBody, BackupSource } from "../../admin/mod.ts";
import { type Logger, VaultError } from "../../vault/mod.ts";
import { DatabaseCopier } from "../../vault/storage/sqlite_copy.ts";
import { archiveBytes, writeArchive } from "./archive.ts";
import { type Snapshot, SNAPSHOT_PREFIX, type SnapshotChoice, type SnapshotSources, takeSnapshot } from "./snapshot.ts";

interface Waiting {
  readonly id: string;
  readonly snapshot: Snapshot;
  readonly timer: ReturnType<typeof setTimeout>;
}

/** A copy of the store takes room on disk: one that nobody fetches goes again. */
const WAIT_MS = 60_000;

/** Takes snapshots, one at a time. */
export class Backups implements BackupSource {
  readonly #sources: SnapshotSources;
  readonly #logger: Logger;
  readonly #waitMs: number;
  readonly #copier = new DatabaseCopier();
  #isBusy = false;
  #waiting: Waiting | null = null;

  /** @param waitMs How long a copy waits for somebody to fetch it. */
  constructor(sources: SnapshotSources, logger: Logger, waitMs = WAIT_MS) {
    this.#sources = sources;
    this.#logger = logger;
    this.#waitMs = waitMs;
  }

  /**
   * Takes a snapshot.
   *
   * @throws {VaultError} `precondition_failed` while another one is being taken or fetched, `storage_failed`.
   */
  async take(choice: SnapshotChoice): Promise<BackupBody> {
    if (this.#isBusy) {
      throw new VaultError("precondition_failed", "Another backup is being made", {
        hint: "try again when it is done; one that was broken off is given up within a minute",
      });
    }
    this.#isBusy = true;
    try {
      const snapshot = await takeSnapshot(this.#sources, choice, (path, to) => this.#copier.copy(path, to));
      const id = crypto.randomUUID();
      const timer = setTimeout(() => void this.#forget(id), this.#waitMs);
      this.#waiting = { id, snapshot, timer };
      return bodyOf(id, snapshot);
    } catch (error) {
      this.#isBusy = false;
      throw error;
    }
  }

  /** The archive of a snapshot, once; `not_found` for any other. */
  fetch(id: string): ReadableStream<Uint8Array> {
    const waiting = this.#waiting;
    if (waiting === null || waiting.id !== id) {
      throw new VaultError("not_found", "There is no such backup to fetch", { hint: "take another one" });
    }
    this.#waiting = null;
    clearTimeout(waiting.timer);
    return withEnd(writeArchive(waiting.snapshot), () => this.#end(waiting.snapshot));
  }

  /** Throws away what nobody fetched. */
  async close(): Promise<void> {
    if (this.#waiting !== null) await this.#drop(this.#waiting.id);
    this.#copier.close();
  }

  /** A copy that can't be removed, or that somebody removed already, is no reason for the vault to end. */
  async #forget(id: string): Promise<void> {
    try {
      await this.#drop(id);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#logger.log("warn", "backup_copy_not_removed", { reason });
    }
  }

  async #drop(id: string): Promise<void> {
    const waiting = this.#waiting;
    if (waiting === null || waiting.id !== id) return;
    this.#waiting = null;
    clearTimeout(waiting.timer);
    await this.#end(waiting.snapshot);
  }

  async #end(snapshot: Snapshot): Promise<void> {
    try {
      await snapshot[Symbol.asyncDispose]();
    } finally {
      this.#isBusy = false;
    }
  }
}

function bodyOf(id: string, snapshot: Snapshot): BackupBody {
  const { created_at, schema, sequence, parts } = snapshot.manifest;
  const bytes = archiveBytes(snapshot);
  return { id, bytes, created_at, schema, sequence, parts: parts.length, left_out: snapshot.leftOut };
}

/** Removes what a crash left behind of snapshots. */
export async function removeLeftSnapshots(dataDir: string): Promise<void> {
  for await (const { name } of Deno.readDir(dataDir)) {
    if (name.startsWith(SNAPSHOT_PREFIX)) await Deno.remove(`${dataDir}/${name}`, { recursive: true });
  }
}

/** A stream that calls `ended` once, however it ends. */
function withEnd(stream: ReadableStream<Uint8Array>, ended: () => Promise<void>): ReadableStream<Uint8Array> {
  const reader = stream.getReader();
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        const { done, value } = await reader.read();
        if (!done) return controller.enqueue(value);
        await ended();
        controller.close();
      } catch (error) {
        await ended();
        throw error;
      }
    },
    async cancel(reason) {
      await reader.cancel(reason);
      await ended();
    },
  }, { highWaterMark: 1 });
}
