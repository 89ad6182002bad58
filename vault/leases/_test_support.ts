/**
 * Leases for tests.
 *
 * @module
 */

import type { LeaseRecord } from "../storage/database_records.ts";

/** The moment at which they are issued. */
export const NOW = 1_700_000_000_000;

/** A lease of alice's for an hour, renewable to two. */
export function leaseRecord(id: string, more: Partial<LeaseRecord> = {}): LeaseRecord {
  return {
    id: `database/creds/reader/${id}`,
    mountAccessor: "database_1",
    tokenHash: "token-of-alice",
    entityId: "alice",
    role: "reader",
    issuedAt: NOW,
    expiresAt: NOW + 3_600_000,
    renewedAt: null,
    maxExpiresAt: NOW + 7_200_000,
    defaultTtl: 3600,
    state: "live",
    account: { connection: "main", place: "db:1", username: `v-${id}`, revocation: [], renewal: [] },
    ...more,
  };
}
