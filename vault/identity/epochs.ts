/**
 * Raising an entity's epoch: the one write that ends all that it ever caused (S6).
 *
 * @module
 */

import type { VaultState } from "../state.ts";
import type { UserRecord } from "../storage/records.ts";
import type { Write } from "../storage/store.ts";

/** The writes that end every credential of an entity, and of those that were merged into it. */
export function raiseEpoch(state: VaultState, record: UserRecord): Write[] {
  const merged = (record.mergedEntityIds ?? []).map((id) => state.users.get(id)?.record);
  return [record, ...merged].filter((one) => one !== undefined).map((one) => ({
    kind: "user",
    key: one.entityId,
    value: { ...one, epoch: one.epoch + 1 },
  }));
}
