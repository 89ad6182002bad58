/**
 * The mark that a restore leaves in a store: it may be older than what was promised since, so no server serves it
 * before somebody said what is to become of that.
 *
 * @module
 */

import { DatabaseSync } from "node:sqlite";

/** The key of the mark among the single facts. */
export const RESTORED_KEY = "restored_from";

/**
 * Marks a store that nobody has opened.
 *
 * It is no change of the vault's: the number of changes stays the one of the backup, which the audit trail is compared
 * with.
 *
 * @param madeAt When the backup was made, ISO 8601.
 */
export function markRestored(path: string, madeAt: string): void {
  using db = new DatabaseSync(path);
  db.exec("PRAGMA synchronous = FULL");
  db.prepare("INSERT OR REPLACE INTO records VALUES ('meta', ?, ?)").run(
    RESTORED_KEY,
    JSON.stringify({ value: madeAt }),
  );
}
