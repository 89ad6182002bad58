/**
 * Records that are looked up by their key alone, and whoever keeps an index of them.
 *
 * @module
 */

import type { DatabaseRecords } from "./storage/database_records.ts";
import type { IdentityRecords } from "./storage/identity_records.ts";
import type { Records } from "./storage/records.ts";

/** The kinds of record that are held as plain tables. */
export type TableKind = "operator" | keyof IdentityRecords | keyof DatabaseRecords;

/** Every {@link TableKind}, in the order in which a store is read: what others refer to comes first. */
export const TABLE_KINDS: readonly TableKind[] = [
  "operator",
  "mount",
  "policy",
  "alias",
  "group",
  "service_token",
  "token_role",
  "cubbyhole",
  "userpass_user",
  "oidc_key",
  "oidc_role",
  "oidc_scope",
  "oidc_client",
  "oidc_assignment",
  "oidc_provider",
  "revocation",
  "database_connection",
  "database_role",
  "database_static_role",
  "lease",
  "spare_account",
  "password_policy",
];

/** Called after a record changed; an absent `after` is a deletion, an absent `before` a new record. */
export type Watcher<T> = (after: T | undefined, before: T | undefined, key: string) => void;

/** Tables by kind, with their watchers. */
export class Tables {
  readonly #rows = new Map<TableKind, Map<string, unknown>>(TABLE_KINDS.map((kind) => [kind, new Map()]));
  readonly #watchers = new Map<TableKind, Watcher<unknown>[]>();

  /** The records of a kind by key, live. */
  of<K extends TableKind>(kind: K): ReadonlyMap<string, Records[K]> {
    return this.#rows.get(kind) as Map<string, Records[K]>;
  }

  /** Tells `watcher` of every record that there is, and of every later change. */
  watch<K extends TableKind>(kind: K, watcher: Watcher<Records[K]>): void {
    for (const [key, record] of this.of(kind)) watcher(record, undefined, key);
    const watchers = this.#watchers.get(kind) ?? [];
    this.#watchers.set(kind, [...watchers, watcher as Watcher<unknown>]);
  }

  /** Puts a record, or deletes it where `after` is undefined. */
  set<K extends TableKind>(kind: K, key: string, after: Records[K] | undefined): void {
    const rows = this.#rows.get(kind)!;
    const before = rows.get(key);
    // Two parts of one change may end the same thing.
    if (before === undefined && after === undefined) return;
    if (after === undefined) rows.delete(key);
    else rows.set(key, after);
    for (const watcher of this.#watchers.get(kind) ?? []) watcher(after, before, key);
  }
}

/** Whether a kind is held as a table. */
export function isTableKind(kind: keyof Records): kind is TableKind {
  return (TABLE_KINDS as readonly string[]).includes(kind);
}
