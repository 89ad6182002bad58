/**
 * The schema of the store, as the steps that made it. There are steps forward alone: a store never goes back.
 *
 * @module
 */

import type { DatabaseSync } from "node:sqlite";

/** One step: what it does to a store of the version before it. */
export interface Migration {
  /** `PRAGMA user_version` after it. */
  readonly to: number;
  /** For people: what it changes. */
  readonly what: string;
  readonly sql: string;
}

/** `PRAGMA application_id`: "RVlt", so that `file` and we can tell our database from another's. */
export const APPLICATION_ID = 0x52566c74;

/** Every step, in order. One that was released is never changed; the next one comes after it. */
export const MIGRATIONS: readonly Migration[] = [
  {
    to: 1,
    what: "records, and the number of changes",
    sql: `
      CREATE TABLE records
        (kind TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (kind, key)) WITHOUT ROWID;
      CREATE TABLE change_sequence (id INTEGER PRIMARY KEY CHECK (id = 1), sequence INTEGER NOT NULL);
      INSERT INTO change_sequence VALUES (1, 0);
      PRAGMA application_id = ${APPLICATION_ID};`,
  },
  {
    to: 2,
    what:
      "a checksum for each record, so that a damaged file is found out; records from before get theirs when they change",
    sql: "ALTER TABLE records ADD COLUMN checksum INTEGER",
  },
  {
    to: 3,
    what: "a table of its own for lines of the audit trail that wait for the file, so that commits write fewer pages",
    sql: `
      CREATE TABLE audit_outbox (last INTEGER PRIMARY KEY, value TEXT NOT NULL, checksum INTEGER);
      INSERT INTO audit_outbox
        SELECT CAST(key AS INTEGER), value, checksum FROM records WHERE kind = 'audit_outbox' ORDER BY key;
      DELETE FROM records WHERE kind = 'audit_outbox'`,
  },
];

/** The version that this program writes. */
export const SCHEMA_VERSION: number = MIGRATIONS.at(-1)!.to;

/** The steps that a store of a version still has before it. */
export function pendingMigrations(version: number): readonly Migration[] {
  return MIGRATIONS.filter(({ to }) => to > version);
}

/**
 * Brings a store to {@link SCHEMA_VERSION}, in one transaction: a crash in between leaves it as it was.
 *
 * @param version What the store is at; 0 for a new file.
 */
export function migrate(db: DatabaseSync, version: number, steps: readonly Migration[] = MIGRATIONS): void {
  const pending = steps.filter(({ to }) => to > version);
  if (pending.length === 0) return;
  db.exec("BEGIN IMMEDIATE");
  try {
    for (const { sql, to } of pending) db.exec(`${sql}; PRAGMA user_version = ${to};`);
    db.exec("COMMIT");
  } catch (error) {
    if (db.isTransaction) db.exec("ROLLBACK");
    throw error;
  }
}
