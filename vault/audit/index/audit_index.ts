/**
 * Questions to the trail, answered by a thread of its own.
 *
 * @module
 */

import { VaultError } from "../../errors.ts";
import { type TrailFile, trailFiles } from "../trail_files.ts";
import type { IndexQuery } from "./index_database.ts";
import type { IndexedFile } from "./indexer.ts";
import type { FoundLines, IndexAnswer, IndexRequest } from "./index_worker.ts";

export type { IndexQuery } from "./index_database.ts";

type Unnumbered<T> = T extends { readonly id: number } ? Omit<T, "id"> : never;

/** Lines of one page. */
const PAGE_LINES = 500;

/** The index of one trail. The thread is started by the first question. */
export class AuditIndex {
  readonly #path: string;
  readonly #logPath: string;
  readonly #pending = new Map<number, PromiseWithResolvers<IndexAnswer>>();
  readonly #known = new Map<string, TrailFile>();
  #worker: Worker | undefined;
  #lastId = 0;
  #catching: Promise<number> | undefined;

  /**
   * @param path The index, such as `audit.db`.
   * @param logPath The present file of the trail.
   */
  constructor(path: string, logPath: string) {
    this.#path = path;
    this.#logPath = logPath;
  }

  /** Reads what the index lacks; how many entries that were. */
  catchUp(): Promise<number> {
    return this.#catching ??= this.#readNew().finally(() => this.#catching = undefined);
  }

  /**
   * The lines that are asked for, in their order, in pages.
   *
   * @throws {VaultError} `storage_failed` where the index or a file can't be read.
   */
  async *pages(
    query: Omit<IndexQuery, "limit"> & { readonly limit?: number | undefined },
  ): AsyncGenerator<readonly string[]> {
    await this.catchUp();
    const files = { now: await this.#files() };
    let left = query.limit ?? Infinity;
    let after = query.after;
    while (left > 0) {
      const limit = query.isNewest ? left : Math.min(left, PAGE_LINES);
      const { lines, last } = await this.#findAgain({ ...query, after, limit }, files);
      if (lines.length > 0) yield lines;
      if (last === 0 || query.isNewest) return;
      left -= lines.length;
      after = last;
    }
  }

  /** Ends the thread. */
  async close(): Promise<void> {
    if (this.#worker === undefined) return;
    await this.#ask({ close: true }).catch(() => {});
    this.#worker.terminate();
    this.#worker = undefined;
  }

  async #readNew(): Promise<number> {
    const answer = await this.#ask({ catchUp: await this.#files() })
      .catch(async () => await this.#ask({ catchUp: await this.#files() }));
    return "added" in answer ? answer.added : 0;
  }

  /** Files may be packed while they are read: then they have other names, and are looked for once more. */
  async #findAgain(query: IndexQuery, files: { now: readonly IndexedFile[] }): Promise<FoundLines> {
    try {
      return await this.#find(query, files.now);
    } catch {
      files.now = await this.#files();
      return await this.#find(query, files.now);
    }
  }

  async #find(find: IndexQuery, files: readonly IndexedFile[]): Promise<FoundLines> {
    const answer = await this.#ask({ find, files });
    return "found" in answer ? answer.found : { lines: [], last: 0 };
  }

  async #files(): Promise<IndexedFile[]> {
    const files: readonly TrailFile[] = await trailFiles(this.#logPath, this.#known);
    return files.filter((file): file is IndexedFile => file.first !== null);
  }

  #ask(request: Unnumbered<IndexRequest>): Promise<IndexAnswer> {
    const worker = this.#worker ??= this.#start();
    return this.#post(worker, request);
  }

  #post(worker: Worker, request: Unnumbered<IndexRequest>): Promise<IndexAnswer> {
    const id = ++this.#lastId;
    const pending = Promise.withResolvers<IndexAnswer>();
    this.#pending.set(id, pending);
    worker.postMessage({ ...request, id });
    return pending.promise;
  }

  #start(): Worker {
    const worker = new Worker(new URL("./index_worker.ts", import.meta.url).href, { type: "module" });
    worker.onmessage = ({ data }: MessageEvent<IndexAnswer>) => this.#settle(data);
    worker.onerror = (event) => {
      event.preventDefault();
      this.#worker = undefined;
      for (const pending of this.#pending.values()) pending.reject(indexFailed(event.message));
      this.#pending.clear();
    };
    // Whatever is wrong with it is told to the question that follows.
    this.#post(worker, { open: this.#path }).catch(() => {});
    return worker;
  }

  #settle(answer: IndexAnswer): void {
    const pending = this.#pending.get(answer.id);
    this.#pending.delete(answer.id);
    if ("failure" in answer) pending?.reject(indexFailed(answer.failure));
    else pending?.resolve(answer);
  }
}

function indexFailed(reason: string): VaultError {
  return new VaultError("storage_failed", `The index of the audit trail can't be used: ${reason}`, {
    hint: "remove audit.db: it is made anew from the audit files",
  });
}
