/**
 * The mark that a restore leaves in a store: it may be older than what was promised since, so no server serves it
 * before somebody said what is to become of that.
 *
 * @module
 */

import { DatabaseSync } from "node:sqlite";

/** The key of the mark among the single facts: when the backup was made. */
export const RESTORED_KEY = "restored_from";
/** How far the audit file goes that came with the backup: it knows nothing of what came after. */
export const RESTORED_TRAIL_KEY = "restored_trail";

/**
 * Marks a store that nobody has opened.
 *
 * It is no change of the vault's: the number of changes stays the one of the backup, which the audit trail is compared
 * with.
 *
 * @param mark.madeAt When the backup was made, ISO 8601.
 * @param mark.trailEnd The number of the last line of the audit file in it; 0 where there is none.
 */
export function markRestored(path: string, mark: { readonly madeAt: string; readonly trailEnd: number }): void {
  using db = new DatabaseSync(path);
  db.exec("PRAGMA synchronous = FULL");
  const put = db.prepare("INSERT OR REPLACE INTO records (kind, key, value) VALUES ('meta', ?, ?)");
  put.run(RESTORED_TRAIL_KEY, JSON.stringify({ value: mark.trailEnd }));
  put.run(RESTORED_KEY, JSON.stringify({ value: mark.madeAt }));
}
