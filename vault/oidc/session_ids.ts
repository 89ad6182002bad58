/**
 * The `sid` of identity tokens: which token minted them, told to nobody who doesn't know its accessor.
 *
 * @module
 */

import type { ServiceTokens } from "../service_tokens/service_tokens.ts";
import { agentIdOf, type User, type VaultState } from "../state.ts";
import { sha256Hex } from "../tokens/token_digest.ts";
import { isExpired, isUsable } from "../tokens/user_token.ts";
import type { Clock } from "../ports.ts";

/** Hex digits of a hash that make 32 characters of base64url. */
const HEX_CHARS = 48;

/** The `sid` of tokens that are minted with the token of this accessor. */
export function sessionIdOf(accessor: string): string {
  const hex = sha256Hex(`runevault/sid\n${accessor}`).slice(0, HEX_CHARS);
  return Uint8Array.fromHex(hex).toBase64({ alphabet: "base64url" });
}

/** What looking for a session needs. */
export interface SessionSurroundings {
  readonly state: VaultState;
  readonly clock: Clock;
  readonly tokens: ServiceTokens;
}

/** Whether one of an entity's live tokens has this `sid`; it looks at that entity's tokens alone. */
export function hasLiveSession(user: User, sid: string, { state, clock, tokens }: SessionSurroundings): boolean {
  const now = clock.now();
  const ids = [user.record.entityId, ...user.record.mergedEntityIds ?? []];
  for (const id of ids) {
    const evts = [state.users.get(id)?.token, state.graceTokenOf(id)];
    for (const evt of evts) {
      if (!evt || !isUsable(evt, now) || isExpired(evt, now)) continue;
      if (sessionIdOf(agentIdOf(evt.record.tokenHash)) === sid) return true;
    }
    const found = tokens.index.ofEntity(id).find((record) => sessionIdOf(record.accessor) === sid);
    if (found !== undefined) return tokens.isLive(found);
  }
  return false;
}
