/**
 * What a database says of itself, read without changing it: for a copy, for a store that nobody serves, and beside a
 * server that runs.
 *
 * @module
 */

import { DatabaseSync } from "node:sqlite";
import { VaultError } from "../errors.ts";
import type { FileRecord, MetaRecord, RecordKind, Records, SecretVersionRecord } from "./records.ts";
import { allRecords } from "./record_tables.ts";
import { schemaOf, sqliteReason } from "./sqlite_database.ts";

/** Facts of a store. */
export interface StoreFacts {
  /** `PRAGMA user_version`; a store of an earlier version is not brought to today's by reading it. */
  readonly schema: number;
  /** The number of changes committed. */
  readonly sequence: number;
  readonly meta: Map<string, string | number>;
  readonly secrets: Map<number, SecretVersionRecord>;
  readonly keyIds: readonly string[];
  readonly files: ReadonlyMap<string, FileRecord>;
}

/**
 * Reads them; none of it takes longer where there are more users.
 *
 * @throws {VaultError} `config_invalid` for a file that is damaged, another program's, or from a newer version.
 */
export function readStoreFacts(path: string): StoreFacts {
  let db: DatabaseSync | undefined;
  try {
    db = new DatabaseSync(path, { readOnly: true });
    db.exec("PRAGMA busy_timeout = 5000");
    return factsOf(db, path);
  } catch (error) {
    if (error instanceof VaultError) throw error;
    throw new VaultError("config_invalid", `The database ${path} cannot be read: ${sqliteReason(error)}`, {
      hint: "if the file is damaged, restore a backup",
      cause: error,
    });
  } finally {
    db?.close();
  }
}

function factsOf(db: DatabaseSync, path: string): StoreFacts {
  const schema = schemaOf(db, path);
  if (schema === 0) throw new VaultError("config_invalid", `The database ${path} is empty`);
  return {
    schema,
    sequence: db.prepare("SELECT sequence FROM change_sequence").get()!["sequence"] as number,
    meta: new Map(rowsOf<MetaRecord>(db, "meta").map(([key, { value }]) => [key, value])),
    secrets: new Map(rowsOf<SecretVersionRecord>(db, "secret").map(([key, value]) => [Number(key), value])),
    keyIds: rowsOf(db, "fhe_key").map(([key]) => key),
    files: new Map(rowsOf<FileRecord>(db, "file")),
  };
}

/** How many records there are of each kind. It goes through all of them: not for an event loop that others wait for. */
export function countRecords(path: string): Map<string, number> {
  using db = new DatabaseSync(path, { readOnly: true });
  db.exec("PRAGMA busy_timeout = 5000");
  const counts = db.prepare(`SELECT kind, count(*) AS count FROM ${allRecords(db)} GROUP BY kind`).all();
  return new Map(counts.map(({ kind, count }) => [String(kind), Number(count)]));
}

/** Every record of a kind; as {@link readStoreFacts}. */
export function readRecords<K extends RecordKind>(path: string, kind: K): Records[K][] {
  using db = new DatabaseSync(path, { readOnly: true });
  db.exec("PRAGMA busy_timeout = 5000");
  return rowsOf<Records[K]>(db, kind).map(([, value]) => value);
}

function rowsOf<T>(db: DatabaseSync, kind: string): [key: string, value: T][] {
  const rows = db.prepare(`SELECT key, value FROM ${allRecords(db)} WHERE kind = ? ORDER BY key`).all(kind);
  return rows.map(({ key, value }) => [String(key), JSON.parse(String(value)) as T]);
}
