/**
 * The embedded default store: one SQLite file (WAL, `synchronous=FULL`), read here and written by a thread of its own.
 *
 * @module
 */

import { VaultError } from "../errors.ts";
import type { RecordKind, Records } from "./records.ts";
import { SqliteDatabase } from "./sqlite_database.ts";
import type { WorkerAnswer, WorkerRequest } from "./sqlite_worker.ts";
import type { Row, Store, Write } from "./store.ts";

interface Pending {
  resolve(sequence: number): void;
  reject(error: VaultError): void;
}

/** A request without the number that the store gives it. */
type Unnumbered<T> = T extends { readonly id: number } ? Omit<T, "id"> : never;

/** A {@link Store} in one SQLite file. */
export class SqliteStore implements Store {
  readonly #reader: SqliteDatabase;
  readonly #worker: Worker;
  readonly #pending = new Map<number, Pending>();
  readonly #opened: Promise<number>;
  #lastId = 0;
  #broken = false;
  #closed = false;

  /**
   * @param path The database file; it is made where there is none.
   * @param onFatal Called when the committing thread died: whether its last commit took effect is then unknown, and
   *   only a restart can tell.
   * @throws {VaultError} `config_invalid` for a file that can't be used.
   */
  constructor(path: string, onFatal: (reason: string) => void) {
    this.#reader = new SqliteDatabase(path);
    this.#worker = new Worker(new URL("./sqlite_worker.ts", import.meta.url).href, { type: "module" });
    this.#worker.onmessage = ({ data }: MessageEvent<WorkerAnswer>) => this.#settle(data);
    this.#worker.onerror = (event) => {
      event.preventDefault();
      this.#breakDown(event.message);
      onFatal(event.message);
    };
    this.#opened = this.#ask({ open: path });
    // A failure to open shows at the first commit; without a listener here it would count as unhandled.
    this.#opened.catch(() => {});
  }

  sequence(): Promise<number> {
    return Promise.resolve(this.#reader.sequence());
  }

  async *read<K extends RecordKind>(kind: K): AsyncIterable<readonly Row<K>[]> {
    for (let page = this.#reader.page(kind, ""); page.length > 0;) {
      yield page;
      await new Promise((resolve) => setTimeout(resolve, 0));
      page = this.#reader.page(kind, page[page.length - 1]!.key);
    }
  }

  get<K extends RecordKind>(kind: K, key: string): Promise<Records[K] | undefined> {
    return Promise.resolve(this.#reader.get(kind, key));
  }

  async commit(writes: readonly Write[], expectedSequence: number): Promise<number> {
    if (this.#closed) throw storageFailed("the store is closed");
    await this.#opened;
    return await this.#ask({ writes, expectedSequence });
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    // Commits asked for before this come first: they wait for the same promise, and the thread answers in order.
    await this.#opened.catch(() => {});
    try {
      if (!this.#broken) await this.#ask({ close: true });
    } finally {
      this.#worker.terminate();
      this.#breakDown("the store is closed");
      this.#reader.close();
    }
  }

  #ask(request: Unnumbered<WorkerRequest>): Promise<number> {
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      if (this.#broken) return reject(storageFailed("the committing thread has died"));
      this.#pending.set(id, { resolve, reject });
      this.#worker.postMessage({ ...request, id });
    });
  }

  #settle(answer: WorkerAnswer): void {
    const pending = this.#pending.get(answer.id);
    this.#pending.delete(answer.id);
    if ("sequence" in answer) pending?.resolve(answer.sequence);
    else pending?.reject(storageFailed(answer.failure));
  }

  #breakDown(reason: string): void {
    this.#broken = true;
    for (const pending of this.#pending.values()) pending.reject(storageFailed(reason));
    this.#pending.clear();
  }
}

function storageFailed(reason: string): VaultError {
  return new VaultError("storage_failed", `The change could not be saved and did not happen: ${reason}`, {
    hint: "check the space and the state of the disk that holds the data folder",
  });
}
