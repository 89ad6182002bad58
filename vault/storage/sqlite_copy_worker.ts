/**
 * The thread that reads whole databases.
 *
 * @module
 */

import { backup, DatabaseSync } from "node:sqlite";
import { sqliteReason } from "./sqlite_database.ts";

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
    makeOneFile(to);
    return null;
  } finally {
    db.close();
  }
}

/** A copy in write-ahead mode would grow files beside it as soon as somebody looks into it. */
function makeOneFile(path: string): void {
  using copy = new DatabaseSync(path);
  copy.exec("PRAGMA journal_mode = DELETE");
}

function verdictOf(db: DatabaseSync): string | null {
  const rows = db.prepare("PRAGMA quick_check(3)").all().map((row) => String(row["quick_check"]));
  return rows.length === 1 && rows[0] === SOUND ? null : rows.join("; ");
}

scope.onmessage = async ({ data }) => {
  try {
    scope.postMessage({ failure: await answer(data) });
  } catch (error) {
    scope.postMessage({ failure: sqliteReason(error) });
  }
};
