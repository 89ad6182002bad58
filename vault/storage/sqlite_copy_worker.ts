/**
 * The thread that reads whole databases.
 *
 * @module
 */

import { backup, DatabaseSync } from "node:sqlite";
import { allRecords } from "./record_tables.ts";
import { checksumOf, sqliteReason } from "./sqlite_database.ts";

/** Copies `path` to `to`, or checks it where there is no `to`. */
export interface CopyRequest {
  readonly path: string;
  readonly to?: string;
}

/** Null: it went well, or nothing is wrong. */
export interface CopyAnswer {
  readonly failure: string | null;
}

interface WorkerScope {
  onmessage: ((event: MessageEvent<CopyRequest>) => Promise<void>) | null;
  postMessage(answer: CopyAnswer): void;
}

const scope = globalThis as unknown as WorkerScope;
const SOUND = "ok";
const ALL_PAGES = 2 ** 31 - 1;

async function answer({ path, to }: CopyRequest): Promise<string | null> {
  const db = new DatabaseSync(path, { readOnly: true });
  try {
    db.exec("PRAGMA busy_timeout = 5000");
    if (to === undefined) return verdictOf(db);
    // All pages in one step are one read transaction; in several, each change by the vault would begin it anew.
    await backup(db, to, { rate: ALL_PAGES });
    return damageOfCopy(to);
  } finally {
    db.close();
  }
}

/** A copy is looked through before it counts: a damaged store must show today, not when its backup is needed. */
function damageOfCopy(path: string): string | null {
  using copy = new DatabaseSync(path);
  // In write-ahead mode it would grow files beside it as soon as somebody looks into it.
  copy.exec("PRAGMA journal_mode = DELETE");
  const damage = verdictOf(copy);
  return damage === null ? null : `it is damaged: ${damage}`;
}

function verdictOf(db: DatabaseSync): string | null {
  const rows = db.prepare("PRAGMA quick_check(3)").all().map((row) => String(row["quick_check"]));
  if (rows.length !== 1 || rows[0] !== SOUND) return rows.join("; ");
  const columns = db.prepare("PRAGMA table_info(records)").all().map(({ name }) => name);
  // A store of a version before them is brought to today's when it is served.
  return columns.includes("checksum") ? changedRecord(db) : null;
}

/** Finds a record whose bits are not those that were written: SQLite looks at the form of its pages alone. */
function changedRecord(db: DatabaseSync): string | null {
  const rows = db.prepare(
    `SELECT kind, key, value, checksum FROM ${allRecords(db)} WHERE checksum IS NOT NULL`,
  ).iterate();
  for (const { kind, key, value, checksum } of rows as Iterable<Record<string, string | number>>) {
    if (checksum === checksumOf(String(kind), String(key), String(value))) continue;
    return `a record of the kind ${JSON.stringify(kind)} is not what was written`;
  }
  return null;
}

scope.onmessage = async ({ data }) => {
  try {
    scope.postMessage({ failure: await answer(data) });
  } catch (error) {
    scope.postMessage({ failure: sqliteReason(error) });
  }
};
