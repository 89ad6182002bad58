/**
 * The SQLite file itself, synchronously: schema, pages of rows, commits. `sqlite_store.ts` keeps it off the event loop.
 *
 * @module
 */

import { DatabaseSync, type StatementSync } from "node:sqlite";
import { crc32 } from "node:zlib";
import { VaultError } from "../errors.ts";
import { APPLICATION_ID, migrate, SCHEMA_VERSION } from "./migrations.ts";
import { prepareTables, type TableStatements } from "./record_tables.ts";
import type { RecordKind, Records } from "./records.ts";
import type { Write } from "./store.ts";

const PAGE_ROWS = 2000;

/** A page of rows as one JSON text, and the last key in it: to hand over rows one by one takes twice as long. */
export interface PageText {
  readonly rows: string;
  readonly last: string | null;
}

/** One connection to the vault's database file. Every method blocks until the disk has answered. */
export class SqliteDatabase {
  readonly #db: DatabaseSync;
  readonly #tableOf: (kind: RecordKind) => TableStatements;
  readonly #sequence: StatementSync;
  readonly #advance: StatementSync;

  /**
   * Opens the file and makes the schema where there is none.
   *
   * @throws {VaultError} `config_invalid` for a file that is damaged, not ours, or from a newer version.
   */
  constructor(path: string) {
    this.#db = openFile(path);
    this.#tableOf = prepareTables(this.#db);
    this.#sequence = this.#db.prepare("SELECT sequence FROM change_sequence");
    this.#advance = this.#db.prepare("UPDATE change_sequence SET sequence = ?1 + 1 WHERE sequence = ?1");
  }

  /** The number of changes committed so far. */
  sequence(): number {
    return this.#sequence.get()!["sequence"] as number;
  }

  /** The rows of a kind whose keys follow `after`, at most {@link PAGE_ROWS}; `last` is null where there are none. */
  page(kind: RecordKind, after: string): PageText {
    const { page, last } = this.#tableOf(kind).page.get(kind, after, PAGE_ROWS) as {
      page: string;
      last: string | null;
    };
    return { rows: page, last };
  }

  /** One record, or undefined. */
  get<K extends RecordKind>(kind: K, key: string): Records[K] | undefined {
    const row = this.#tableOf(kind).one.get(kind, key) as { value: string } | undefined;
    return row === undefined ? undefined : JSON.parse(row.value) as Records[K];
  }

  /** Commits all writes or none; see `Store.commit`. */
  commit(writes: readonly Write[], expectedSequence: number): number {
    this.#db.exec("BEGIN IMMEDIATE");
    try {
      for (const write of writes) this.#write(write);
      if (this.#advance.run(expectedSequence).changes !== 1) {
        throw new VaultError("storage_failed", "Another process changed the store");
      }
      this.#db.exec("COMMIT");
    } catch (error) {
      // A full disk makes SQLite roll back by itself; then there is no transaction left to end.
      if (this.#db.isTransaction) this.#db.exec("ROLLBACK");
      throw error;
    }
    return expectedSequence + 1;
  }

  #write(write: Write): void {
    // SQLite would give such a key back cut or changed, and reading page by page would never end.
    if (write.key.includes("\0") || !write.key.isWellFormed()) throw new TypeError("A key can't be stored as text");
    if (write.value === undefined) this.#tableOf(write.kind).remove.run(write.kind, write.key);
    else this.#store(write.kind, write.key, JSON.stringify(write.value));
  }

  #store(kind: RecordKind, key: string, value: string): void {
    this.#tableOf(kind).put.run(kind, key, value, checksumOf(kind, key, value));
  }

  /** Closes the connection; the last one folds the write-ahead log into the file. */
  close(): void {
    this.#db.close();
  }
}

/** Against disks and copies that change bits, not against people: whoever writes the file can write this too. */
export function checksumOf(kind: string, key: string, value: string): number {
  return crc32(`${kind}\0${key}\0${value}`);
}

function openFile(path: string): DatabaseSync {
  let db: DatabaseSync | undefined;
  try {
    db = new DatabaseSync(path);
    db.exec("PRAGMA busy_timeout = 5000");
    const version = schemaOf(db, path);
    // FULL: a commit returns after the write-ahead log was fsynced, so that a power cut loses nothing acknowledged.
    db.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;");
    migrate(db, version);
    // A schema whose bits were changed would fail later, where nobody names the file.
    db.prepare("SELECT kind, key, value, checksum FROM records LIMIT 0");
    db.prepare("SELECT last, value, checksum FROM audit_outbox LIMIT 0");
    if (db.prepare("SELECT sequence FROM change_sequence").get() === undefined) throw new Error("it has no sequence");
    assertWritable(db, path);
    return db;
  } catch (error) {
    db?.close();
    if (error instanceof VaultError) throw error;
    throw new VaultError("config_invalid", `The database ${path} cannot be opened: ${sqliteReason(error)}`, {
      hint: "if the file is damaged, restore a backup; nothing was changed",
      cause: error,
    });
  }
}

/** SQLite opens a file that it may only read all the same: a vault would serve from it, and could revoke nothing. */
function assertWritable(db: DatabaseSync, path: string): void {
  try {
    db.exec("BEGIN IMMEDIATE; UPDATE change_sequence SET sequence = sequence; ROLLBACK");
  } catch (cause) {
    throw new VaultError("config_invalid", `The database ${path} cannot be written: ${sqliteReason(cause)}`, {
      hint: "the server's user must be able to write it, and the -wal and -shm beside it",
      cause,
    });
  }
}

/**
 * The version of a file's schema, 0 for a new and empty one; it is asked before the journal mode is set, which would
 * change another program's file.
 *
 * @throws {VaultError} `config_invalid` for another program's database, and for one of a newer version.
 */
export function schemaOf(db: DatabaseSync, path: string): number {
  const version = pragma(db, "user_version");
  const application = pragma(db, "application_id");
  if (version === 0 && application === 0 && pragma(db, "schema_version") === 0) return 0;
  if (application !== APPLICATION_ID) {
    throw new VaultError("config_invalid", `${path} is a database of another program`);
  }
  if (version <= SCHEMA_VERSION) return version;
  const message = `${path} has schema ${version}; this runevault knows up to ${SCHEMA_VERSION}`;
  throw new VaultError("config_invalid", message, {
    hint: "start the newer runevault that wrote it; a store never goes back, but a backup from before can be restored",
  });
}

function pragma(db: DatabaseSync, name: string): number {
  return db.prepare(`PRAGMA ${name}`).get()![name] as number;
}

/** SQLite's own words (such as "database or disk is full"), which name no data. */
export function sqliteReason(error: unknown): string {
  return error instanceof Error ? error.message : "unknown failure";
}
