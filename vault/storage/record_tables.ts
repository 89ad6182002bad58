/**
 * The tables that records stand in, and the statements for one record.
 *
 * Nearly all stand in `records`, by kind and key. Lines of the audit trail come and go with every commit, in the order of
 * their numbers: in a table by number they are added at its end, where the rows of one commit share a page with those of the
 * one before, and need no pages for what doesn't fit into an index.
 *
 * @module
 */

import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { RecordKind } from "./records.ts";

/** The statements of one table. Their parameters are the same for each: kind, key, then what there is more. */
export interface TableStatements {
  /** After a key, at most so many rows: their last key, and all of them as one JSON text. */
  readonly page: StatementSync;
  readonly one: StatementSync;
  /** Value, checksum. */
  readonly put: StatementSync;
  readonly remove: StatementSync;
}

const KEY = "printf('%016d', last)";
const NUMBER = "CAST(?2 AS INTEGER)";

/** Prepares the statements of each table. */
export function prepareTables(db: DatabaseSync): (kind: RecordKind) => TableStatements {
  const records: TableStatements = {
    page: db.prepare(pageOf("SELECT key, value FROM records WHERE kind = ?1 AND key > ?2 ORDER BY key LIMIT ?3")),
    one: db.prepare("SELECT value FROM records WHERE kind = ? AND key = ?"),
    put: db.prepare(
      "INSERT INTO records (kind, key, value, checksum) VALUES (?, ?, ?, ?) " +
        "ON CONFLICT DO UPDATE SET value = excluded.value, checksum = excluded.checksum",
    ),
    remove: db.prepare("DELETE FROM records WHERE kind = ? AND key = ?"),
  };
  const outbox: TableStatements = {
    page: db.prepare(
      pageOf(`SELECT ${KEY} AS key, value FROM audit_outbox WHERE last > ${NUMBER} ORDER BY last LIMIT ?3`),
    ),
    one: db.prepare(`SELECT value FROM audit_outbox WHERE last = ${NUMBER}`),
    put: db.prepare(
      `INSERT INTO audit_outbox (last, value, checksum) VALUES (${NUMBER}, ?3, ?4) ` +
        "ON CONFLICT DO UPDATE SET value = excluded.value, checksum = excluded.checksum",
    ),
    remove: db.prepare(`DELETE FROM audit_outbox WHERE last = ${NUMBER}`),
  };
  return (kind) => kind === "audit_outbox" ? outbox : records;
}

function pageOf(rows: string): string {
  return `
    SELECT max(key) AS last,
      '[' || coalesce(group_concat('{"key":' || json_quote(key) || ',"value":' || value || '}' ORDER BY key), '') || ']' AS page
    FROM (${rows})`;
}

/** Every record of a database of any schema, to select from: kind, key and value, and the checksum where there is one. */
export function allRecords(db: DatabaseSync): string {
  const found = db.prepare("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'audit_outbox'").get();
  if (found === undefined) return "records";
  return `(
    SELECT kind, key, value, checksum FROM records
    UNION ALL SELECT 'audit_outbox', ${KEY}, value, checksum FROM audit_outbox
  )`;
}
