/**
 * The embedded default store: one SQLite file (WAL, `synchronous=FULL`), read here and written by a thread of its own.
 *
 * @module
 */

import { VaultError } from "../errors.ts";
import type { RecordKind, Records } from "./records.ts";
import { type PageText, SqliteDatabase } from "./sqlite_database.ts";
import type { WorkerAnswer, WorkerRequest } from "./sqlite_worker.ts";
import type { Row, Store, Write } from "./store.ts";

interface Pending {
  resolve(value: number | PageText): void;
  reject(error: VaultError): void;
  /** What a failure of this request is to whoever asked. */
  readonly failed: (reason: string) => VaultError;
}

/** A request without the number that the store gives it. */
type Unnumbered<T> = T extends { readonly id: number } ? Omit<T, "id"> : never;

/** A {@link Store} in one SQLite file. */
export class SqliteStore implements Store {
  readonly #reader: SqliteDatabase;
  readonly #worker: Worker;
  readonly #pending = new Map<number, Pending>();
  readonly #opened: Promise<unknown>;
  readonly #path: string;
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
    this.#path = path;
    this.#reader = new SqliteDatabase(path);
    this.#worker = new Worker(new URL("./sqlite_worker.ts", import.meta.url).href, { type: "module" });
    this.#worker.onmessage = ({ data }: MessageEvent<WorkerAnswer>) => this.#settle(data);
    this.#worker.onerror = (event) => {
      event.preventDefault();
      this.#breakDown(event.message);
      onFatal(event.message);
    };
    this.#opened = this.#ask({ open: path }, storageFailed);
    // A failure to open shows at the first commit; without a listener here it would count as unhandled.
    this.#opened.catch(() => {});
  }

  sequence(): Promise<number> {
    return Promise.resolve(this.#reader.sequence());
  }

  /** The thread reads a page ahead, while this one works on the page before. */
  async *read<K extends RecordKind>(kind: K): AsyncIterable<readonly Row<K>[]> {
    await this.#opened.catch((error: VaultError) => {
      throw this.#damaged(String(error.data["reason"]));
    });
    for (let next = this.#askPage(kind, "");;) {
      const { rows, last } = await next;
      if (last === null) return;
      next = this.#askPage(kind, last);
      // Whoever stops reading leaves a page that nobody waits for.
      next.catch(() => {});
      yield this.#parsed<K>(rows);
    }
  }

  get<K extends RecordKind>(kind: K, key: string): Promise<Records[K] | undefined> {
    return Promise.resolve(this.#reader.get(kind, key));
  }

  async commit(writes: readonly Write[], expectedSequence: number): Promise<number> {
    if (this.#closed) throw storageFailed("the store is closed");
    await this.#opened;
    return await this.#ask({ writes, expectedSequence }, storageFailed) as number;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    // Commits asked for before this come first: they wait for the same promise, and the thread answers in order.
    await this.#opened.catch(() => {});
    try {
      if (!this.#broken) await this.#ask({ close: true }, storageFailed);
    } finally {
      this.#worker.terminate();
      this.#breakDown("the store is closed");
      this.#reader.close();
    }
  }

  #askPage(kind: RecordKind, after: string): Promise<PageText> {
    return this.#ask({ kind, after }, (reason) => this.#damaged(reason)) as Promise<PageText>;
  }

  #parsed<K extends RecordKind>(rows: string): readonly Row<K>[] {
    try {
      return JSON.parse(rows) as Row<K>[];
    } catch {
      throw this.#damaged("a record is no JSON");
    }
  }

  #damaged(reason: string): VaultError {
    return new VaultError("config_invalid", `The database ${this.#path} can't be read: ${reason}`, {
      hint: "if the file is damaged, restore a backup; nothing was changed",
    });
  }

  #ask(request: Unnumbered<WorkerRequest>, failed: Pending["failed"]): Promise<number | PageText> {
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      if (this.#broken) return reject(failed("the committing thread has died"));
      this.#pending.set(id, { resolve, reject, failed });
      this.#worker.postMessage({ ...request, id });
    });
  }

  #settle(answer: WorkerAnswer): void {
    const pending = this.#pending.get(answer.id);
    this.#pending.delete(answer.id);
    if ("value" in answer) pending?.resolve(answer.value);
    else pending?.reject(pending.failed(answer.failure));
  }

  #breakDown(reason: string): void {
    this.#broken = true;
    for (const pending of this.#pending.values()) pending.reject(pending.failed(reason));
    this.#pending.clear();
  }
}

function storageFailed(reason: string): VaultError {
  return new VaultError("storage_failed", `The change could not be saved and did not happen: ${reason}`, {
    data: { reason },
    hint: "check the space and the state of the disk that holds the data folder",
  });
}
