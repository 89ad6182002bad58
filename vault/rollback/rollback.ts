/**
 * A store that may be older than what was promised since: one that `restore` just made, or one that its audit trail is
 * ahead of. Whoever serves it must say so, and what was revoked since must not come back.
 *
 * @module
 */

import { VaultError } from "../errors.ts";
import type { Clock, Logger } from "../ports.ts";
import type { VaultState } from "../state.ts";
import { RESTORED_KEY } from "../storage/restored_mark.ts";
import type { UserTokenRecord } from "../storage/records.ts";
import type { Write } from "../storage/store.ts";
import type { Writer } from "../writer.ts";

/** What the operator said about it. */
export interface RollbackChoice {
  /** `--accept-rollback` */
  readonly accept: boolean;
  /** `--keep-tokens`: tokens of before work on. */
  readonly keepTokens: boolean;
}

/** Why a store is held to be older than what was promised. */
export interface Rollback {
  readonly reason: string;
  /** True for a store that came from a backup. */
  readonly isRestored: boolean;
}

/** Where the acceptance finds its surroundings. */
export interface RollbackSurroundings {
  readonly state: VaultState;
  readonly writer: Writer;
  readonly clock: Clock;
  readonly logger: Logger;
  /** The writes that end every token of the identity API, in the writer's turn. */
  readonly planEndOfServiceTokens: () => readonly Write[];
}

/**
 * Whether a store is older than what was promised; null where nothing says so.
 *
 * @param trailSequence The last change that the audit trail knows of; null where there is no trail.
 */
export function rollbackOf(state: VaultState, trailSequence: number | null): Rollback | null {
  const restored = state.meta.get(RESTORED_KEY);
  if (restored !== undefined) {
    return { reason: `this store was restored from a backup of ${restored}`, isRestored: true };
  }
  if (trailSequence === null || trailSequence <= state.sequence) return null;
  const reason = `the audit trail knows of ${trailSequence} changes, the store of ${state.sequence}`;
  return { reason, isRestored: false };
}

/** Refuses to serve such a store unless the operator accepted it; `config_invalid`. */
export function assertAccepted(rollback: Rollback | null, { accept }: RollbackChoice): void {
  if (rollback === null || accept) return;
  throw new VaultError("config_invalid", `This vault may be older than what it promised: ${rollback.reason}`, {
    hint: "what was revoked since would come back: `runevault serve --accept-rollback` ends every token first " +
      "(--keep-tokens: none)",
  });
}

/**
 * Makes an accepted store fit to be served: ends what was ended since, or every token where nobody knows what that was.
 *
 * One change: a crash leaves the store either as it was, still to be accepted, or done with.
 */
export async function settleRollback(
  rollback: Rollback,
  choice: RollbackChoice,
  around: RollbackSurroundings,
): Promise<void> {
  const { state, writer, logger } = around;
  await writer.change(() => ({
    writes: [...choice.keepTokens ? [] : planEndOfAll(around), ...unmark(state)],
    result: () => {},
  }));
  logger.log("warn", "rollback_accepted", {
    reason: rollback.reason,
    tokens: choice.keepTokens ? "kept: what was revoked since the backup works again" : "ended, all of them",
  });
}

/** Every epoch is raised, and every token that stands for itself is ended, those of operators too. */
function planEndOfAll({ state, clock, planEndOfServiceTokens }: RollbackSurroundings): Write[] {
  const endedAt = clock.now();
  const users = [...state.users.values()].map(({ record }): Write => ({
    kind: "user",
    key: record.entityId,
    value: { ...record, epoch: record.epoch + 1 },
  }));
  const tokens = [...state.tokens.values()].filter(({ record }) => record.ended === undefined).map((
    { record },
  ): Write => ({
    kind: "user_token",
    key: record.tokenHash,
    value: { ...record, ended: "revoked", endedAt } satisfies UserTokenRecord,
  }));
  const operators = [...state.table("operator").keys()].map((key): Write => ({ kind: "operator", key }));
  return [...users, ...tokens, ...operators, ...planEndOfServiceTokens()];
}

function unmark(state: VaultState): Write[] {
  return state.meta.has(RESTORED_KEY) ? [{ kind: "meta", key: RESTORED_KEY }] : [];
}
