/**
 * From a request and its outcome to the text of its entry.
 *
 * @module
 */

import { ERROR_TABLE, type VaultErrorKind } from "../errors.ts";
import type { Clock } from "../ports.ts";
import type { Effect } from "./effects.ts";
import { type AuditDecision, type AuditEntry, MAX_LINE_BYTES } from "./entry.ts";
import type { AuditedRequest } from "./request.ts";

/** How a request ended, or what a change of it did. */
export interface EntryOutcome {
  readonly decision: AuditDecision;
  readonly error?: string | undefined;
  readonly change?: number | undefined;
  readonly effects?: readonly Effect[] | undefined;
  readonly continues?: number | undefined;
  /** In place of the request's own id. */
  readonly id?: string | undefined;
}

/** Of one entry; a change that did more has several. */
export const MAX_EFFECTS = 500;

/** A character takes three bytes at most where it isn't escaped; the chain adds its own members. */
const MAX_ENTRY_LENGTH = MAX_LINE_BYTES / 3 - 1024;

/** A request that ended well. */
export const ALLOWED: EntryOutcome = { decision: "allowed" };

/** How an error reads in the trail: its kind, never its text. */
export function outcomeOf(kind: VaultErrorKind): EntryOutcome {
  const decision = kind === "cancelled" ? "interrupted" : ERROR_TABLE[kind].http >= 500 ? "failed" : "refused";
  return { decision, error: kind };
}

/** The entry of a request, as a JSON object. */
export function encodeEntry(request: AuditedRequest, outcome: EntryOutcome, clock: Clock): string {
  const { open } = request;
  const effects = outcome.effects ?? open?.effects;
  const entry: AuditEntry = {
    time: timeText(clock.now()),
    request_id: outcome.id ?? request.id,
    face: request.face,
    operation: request.operation,
    decision: outcome.decision,
    error: outcome.error,
    user: request.user,
    unverified_sudo_user: request.unverifiedSudoUser,
    entity_id: request.entityId,
    accessor: request.accessor,
    session_id: request.sessionId,
    agent_id: request.agentId,
    remote_address: request.remoteAddress,
    resource: request.resource,
    duration_ms: request.face === "vault"
      ? undefined
      : Math.round((clock.monotonic() - request.startedAt) * 1000) / 1000,
    change: outcome.change ?? open?.change,
    effects: effects === undefined || effects.length === 0 ? undefined : effects,
    continues: outcome.continues ?? request.committed,
  };
  const text = JSON.stringify(entry);
  // Whoever may name something freely must not make a line that no reader takes.
  return text.length <= MAX_ENTRY_LENGTH ? text : JSON.stringify({ ...entry, resource: { omitted: "too long" } });
}

/** As {@link encodeEntry}, for a request whose effects may be too many for one: the others follow in entries like it. */
export function encodeEntries(request: AuditedRequest, outcome: EntryOutcome, clock: Clock): string[] {
  const effects = outcome.effects ?? request.open?.effects ?? [];
  if (effects.length <= MAX_EFFECTS) return [encodeEntry(request, outcome, clock)];
  const parts = Array.from({ length: Math.ceil(effects.length / MAX_EFFECTS) }, (_, i) => i * MAX_EFFECTS);
  return parts.map((from) => {
    return encodeEntry(request, { ...outcome, effects: effects.slice(from, from + MAX_EFFECTS) }, clock);
  });
}

let lastTime = { at: Number.NaN, text: "" };

/** Many entries share a millisecond, and making the text of one takes as long as the rest of the entry. */
function timeText(at: number): string {
  if (at !== lastTime.at) lastTime = { at, text: new Date(at).toISOString() };
  return lastTime.text;
}
