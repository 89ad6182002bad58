/**
 * Ending user tokens as a part of a greater change.
 *
 * @module
 */

import type { User, VaultState } from "../state.ts";
import type { TokenEnd, UserTokenRecord } from "../storage/records.ts";
import type { Write } from "../storage/store.ts";

/** The tokens of a user that nobody has ended: the current one, and the replaced one whose grace may still run. */
export function openTokensOf(state: VaultState, user: User): UserTokenRecord[] {
  const replaced = state.graceTokenOf(user.record.entityId);
  return [user.token, replaced].filter((token) => token !== null && token !== undefined).map(({ record }) => record);
}

/** The writes that end tokens, each for ever. */
export function planEndOfTokens(records: readonly UserTokenRecord[], ended: TokenEnd, now: number): Write[] {
  return records.map((record) => ({
    kind: "user_token",
    key: record.tokenHash,
    value: { ...record, ended, endedAt: now },
  }));
}
