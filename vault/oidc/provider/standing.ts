/**
 * Whether what was given to an entity still counts (S6): its epoch, and the token that it came from.
 *
 * @module
 */

import type { Identity } from "../../identity/identity.ts";
import type { User } from "../../state.ts";
import { hasLiveSession, type SessionSurroundings } from "../session_ids.ts";

/** On whose behalf something was given. */
export interface Holder {
  readonly entityId: string;
  /** The entity's epoch then. */
  readonly epoch: number;
  /** Which of the entity's tokens it came from, as `sid` says it. */
  readonly sid: string;
}

/** What looking at a holder needs. */
export interface StandingSurroundings extends SessionSurroundings {
  readonly identity: Identity;
}

/** The entity of a holder while it is there and enabled, of the same epoch, and its token lives; else undefined. */
export function standingOf(holder: Holder, surroundings: StandingSurroundings): User | undefined {
  const { identity, state } = surroundings;
  const user = identity.followed(holder.entityId);
  if (user === undefined || user.record.disabled) return undefined;
  if (state.users.get(holder.entityId)!.record.epoch !== holder.epoch) return undefined;
  return hasLiveSession(user, holder.sid, surroundings) ? user : undefined;
}
