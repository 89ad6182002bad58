/**
 * A store in memory that keeps its promises: what was committed outlives a close, what was refused left no trace.
 *
 * A test can make the next commit fail as a full disk does, or hold commits back to see what happens meanwhile.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { VaultError } from "../../vault/errors.ts";
import type { RecordKind, Records } from "../../vault/storage/records.ts";
import type { Row, Store, Write } from "../../vault/storage/store.ts";

const PAGE_ROWS = 2000;
const SCHEMA = 1;

/** What would be a file: several stores may be opened on it, one after the other or at once. */
export class MemoryDisk {
  /** Records as JSON text, by kind and key: as on a real disk, nobody holds on to an object of theirs. */
  readonly records = new Map<string, Map<string, string>>();
  sequence = 0;
  schema = SCHEMA;
  program = "runevault";
  damaged = false;

  table(kind: RecordKind): Map<string, string> {
    const table = this.records.get(kind) ?? new Map<string, string>();
    this.records.set(kind, table);
    return table;
  }
}

/** A {@link Store} on a {@link MemoryDisk}. */
export class MemoryStore implements Store {
  readonly disk: MemoryDisk;
  /** Every commit that was asked for, the refused ones too. */
  readonly asked: (readonly Write[])[] = [];
  #failures: string[] = [];
  #gate: Promise<void> = Promise.resolve();
  #closed = false;

  /** @throws {VaultError} `config_invalid`, as a database file that can't be used. */
  constructor(disk = new MemoryDisk()) {
    if (disk.damaged) throw new VaultError("config_invalid", "The database is damaged");
    if (disk.program !== "runevault") throw new VaultError("config_invalid", "A database of another program");
    if (disk.schema > SCHEMA) throw new VaultError("config_invalid", `Schema ${disk.schema} is newer`);
    this.disk = disk;
  }

  /** Makes the next commit fail, and write nothing. */
  failNext(reason = "database or disk is full"): void {
    this.#failures.push(reason);
  }

  /** Holds commits back until the returned function is called. */
  hold(): () => void {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#gate = promise;
    return resolve;
  }

  sequence(): Promise<number> {
    return Promise.resolve(this.disk.sequence);
  }

  async *read<K extends RecordKind>(kind: K): AsyncIterable<readonly Row<K>[]> {
    const keys = [...this.disk.table(kind).keys()].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    for (let from = 0; from < keys.length; from += PAGE_ROWS) {
      yield keys.slice(from, from + PAGE_ROWS).map((key) => ({ key, value: this.#value(kind, key)! }));
      await Promise.resolve();
    }
  }

  get<K extends RecordKind>(kind: K, key: string): Promise<Records[K] | undefined> {
    return Promise.resolve(this.#value(kind, key));
  }

  async commit(writes: readonly Write[], expectedSequence: number): Promise<number> {
    if (this.#closed) throw failed("the store is closed");
    this.asked.push(writes);
    const rows = writes.map(({ kind, key, value }) => ({ kind, key, text: textOf(key, value) }));
    await this.#gate;
    const failure = this.#failures.shift();
    if (failure !== undefined) throw failed(failure);
    if (this.disk.sequence !== expectedSequence) throw failed("Another process changed the store");
    for (const { kind, key, text } of rows) {
      if (text === undefined) this.disk.table(kind).delete(key);
      else this.disk.table(kind).set(key, text);
    }
    return ++this.disk.sequence;
  }

  close(): Promise<void> {
    this.#closed = true;
    return Promise.resolve();
  }

  #value<K extends RecordKind>(kind: K, key: string): Records[K] | undefined {
    const text = this.disk.table(kind).get(key);
    return text === undefined ? undefined : JSON.parse(text) as Records[K];
  }
}

function textOf(key: string, value: unknown): string | undefined {
  if (key.includes("\0") || !key.isWellFormed()) throw failed("A key can't be stored as text");
  return value === undefined ? undefined : JSON.stringify(value);
}

function failed(reason: string): VaultError {
  return new VaultError("storage_failed", `The change could not be saved and did not happen: ${reason}`);
}
