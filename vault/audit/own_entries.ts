/**
 * What a user may read of the trail: their own entries.
 *
 * @module
 */

import { VaultError } from "../errors.ts";
import type { StoredEntry } from "./entry.ts";
import type { TrailReader } from "./trail_reader.ts";

/** How many are told where nobody says. */
export const USUAL_OWN_ENTRIES = 100;
/** The most that is told at once. */
export const MAX_OWN_ENTRIES = 1000;

/** What of their own trail somebody wants to see. */
export interface OwnEntriesWanted {
  readonly limit?: number | undefined;
  /** Milliseconds since 1970. */
  readonly since?: number | undefined;
  readonly operation?: string | undefined;
}

/**
 * The newest entries of an entity, the oldest of them first. The chain is the operator's to check.
 *
 * @throws {VaultError} `invalid_argument`, or `precondition_failed` where there is no trail.
 */
export async function ownEntries(
  reader: TrailReader | undefined,
  entityId: string | undefined,
  { limit = USUAL_OWN_ENTRIES, since, operation }: OwnEntriesWanted,
): Promise<Omit<StoredEntry, "prev" | "mac">[]> {
  if (reader === undefined) throw new VaultError("precondition_failed", "the audit trail is switched off");
  if (!entityId) throw new VaultError("invalid_argument", "the token has no entity, so it has no trail of its own");
  if (limit < 1 || limit > MAX_OWN_ENTRIES) {
    throw new VaultError("invalid_argument", `limit must be 1 to ${MAX_OWN_ENTRIES}`);
  }
  const found = await Array.fromAsync(reader.entries({ entityId, limit, isNewest: true, since, operation }));
  return found.map(({ prev: _prev, mac: _mac, ...entry }) => entry);
}
