/**
 * A consistent copy of a database that is in use, and the check of one: both read a whole file, so a thread does it.
 *
 * @module
 */

import { VaultError } from "../errors.ts";
import { KeptThread } from "../kept_thread.ts";
import type { CopyAnswer, CopyRequest } from "./sqlite_copy_worker.ts";

/** Copies and checks databases, one after the other. */
export class DatabaseCopier {
  readonly #thread = new KeptThread<CopyRequest, CopyAnswer>(
    () => new Worker(new URL("./sqlite_copy_worker.ts", import.meta.url).href, { type: "module" }),
  );

  /**
   * Copies a database as it is at one moment between two changes; changes go on meanwhile.
   *
   * @param to Must not exist.
   * @throws {VaultError} `storage_failed` when the copy can't be made or is damaged; what there is of it is the caller's to
   * remove.
   */
  async copy(path: string, to: string): Promise<void> {
    const { failure } = await this.#ask({ path, to });
    if (failure === null) return;
    throw new VaultError("storage_failed", `The store can't be copied: ${failure}`, {
      hint: "check the disk that holds the data folder, and the space on it; nothing was changed",
    });
  }

  /**
   * Reads a whole database and says what is wrong with it (`PRAGMA quick_check`, and the checksum of each record); null:
   * nothing. Changes nothing.
   */
  async check(path: string): Promise<string | null> {
    return (await this.#ask({ path })).failure;
  }

  /** Ends the thread. */
  close(): void {
    this.#thread.end();
  }

  async #ask(request: CopyRequest): Promise<CopyAnswer> {
    try {
      return await this.#thread.do({ request, take: (answer) => answer, died: (reason) => new Error(reason) });
    } catch (error) {
      return { failure: error instanceof Error ? error.message : "unknown failure" };
    }
  }
}

/** Copies one database in a thread of its own; see {@link DatabaseCopier.copy}. */
export function copyDatabase(path: string, to: string): Promise<void> {
  return once((copier) => copier.copy(path, to));
}

/** Checks one database in a thread of its own; see {@link DatabaseCopier.check}. */
export function checkDatabase(path: string): Promise<string | null> {
  return once((copier) => copier.check(path));
}

async function once<T>(work: (copier: DatabaseCopier) => Promise<T>): Promise<T> {
  const copier = new DatabaseCopier();
  try {
    return await work(copier);
  } finally {
    copier.close();
  }
}
