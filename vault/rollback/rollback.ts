/**
 * A store that may be older than what was promised since: one that `restore` just made, or one that its audit trail is
 * ahead of. Whoever serves it must say so, and what was revoked since must not come back.
 *
 * @module
 */

import { VaultError } from "../errors.ts";
import { inBackground } from "../audit/request.ts";
import type { Clock, Logger, RandomSource } from "../ports.ts";
import type { VaultState } from "../state.ts";
import { planEndOfSpares } from "../database/spare_accounts.ts";
import { RESTORED_KEY, RESTORED_TRAIL_KEY } from "../storage/restored_mark.ts";
import type { UserTokenRecord } from "../storage/records.ts";
import type { Write } from "../storage/store.ts";
import type { Writer } from "../writer.ts";
import type { TrailPast } from "./past.ts";
import { closedOperator, type Replay } from "./replay.ts";

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
  /** What an audit file that goes beyond the store says was ended since; null: nobody knows what was. */
  readonly replay: Replay | null;
}

/** Where the acceptance finds its surroundings. */
export interface RollbackSurroundings {
  readonly state: VaultState;
  readonly writer: Writer;
  readonly clock: Clock;
  readonly random: RandomSource;
  readonly logger: Logger;
  /** Records in the audit trail what is being accepted, before it is. */
  readonly note: (resource: Readonly<Record<string, unknown>>) => void | Promise<void>;
  /** The writes that end every token of the identity API, in the writer's turn. */
  readonly planEndOfServiceTokens: () => readonly Write[];
}

/**
 * Whether a store is older than what was promised; null where nothing says so.
 *
 * @param past What its audit file knows that it doesn't; null where there is no file.
 */
export function rollbackOf(state: Pick<VaultState, "meta" | "sequence">, past: TrailPast | null): Rollback | null {
  const restored = state.meta.get(RESTORED_KEY);
  const isAhead = past !== null && past.lastChange > state.sequence;
  if (restored === undefined && !isAhead) return null;
  // A file that came with the backup knows no more than the backup.
  const trailEnd = Number(state.meta.get(RESTORED_TRAIL_KEY) ?? 0);
  const replay = isAhead && past.lastLine > trailEnd ? past.replay : null;
  if (restored !== undefined) return { reason: `this store was restored from a backup of ${restored}`, replay };
  const reason = `the audit trail knows of ${past!.lastChange} changes, the store of ${state.sequence}`;
  return { reason, replay };
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
  const { state, writer, clock, logger, random } = around;
  const { reason, replay } = rollback;
  const how = choice.keepTokens ? "keep_tokens" : replay === null ? "end_all" : "replay";
  const entries = how === "replay" ? replay!.entries : 0;
  const undone = replay?.undone.told(state) ?? [];
  await around.note({
    reason,
    tokens: how,
    entries,
    ...(undone.length > 0 ? { undone: undone.slice(0, MAX_TOLD) } : {}),
  });
  await inBackground("accept_rollback", () =>
    writer.change(() => ({
      writes: [
        ...how === "end_all" ? planEndOfAll(around) : how === "replay" ? replay!.plan(state, clock.now(), random) : [],
        ...planEndOfSpares(state),
        ...unmark(state),
      ],
      result: () => {},
    })));
  logger.log("warn", "rollback_accepted", {
    reason,
    tokens: WORDS[how],
    entries,
  });
  tellUndone(undone, logger);
}

/** Says which records are as they were before, where the trail knows; in lines that can be read. */
function tellUndone(undone: readonly string[], logger: Logger): void {
  for (let at = 0; at < Math.min(undone.length, MAX_TOLD); at += TOLD_PER_LINE) {
    logger.log("warn", "rollback_undid", {
      changes: undone.slice(at, Math.min(at + TOLD_PER_LINE, MAX_TOLD)).join("; "),
      of: undone.length,
      hint: "these were changed since and are as they were before: narrow again what was narrowed",
    });
  }
}

const TOLD_PER_LINE = 10;
/** More than this nobody reads; the audit trail has the rest. */
const MAX_TOLD = 100;

const WORDS = {
  keep_tokens: "kept: what was revoked since works again",
  end_all: "ended, all of them: no audit file says which were",
  replay: "ended where the audit trail says so; logins whose password changed since are closed until a new one is set",
} as const;

/** Every epoch is raised, and every token that stands for itself is ended, those of operators too. */
function planEndOfAll({ state, clock, random, planEndOfServiceTokens }: RollbackSurroundings): Write[] {
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
  const operators = [...state.table("operator")].map(([key, record]) => closedOperator(record, key, random));
  return [...users, ...tokens, ...operators, ...planEndOfServiceTokens()];
}

function unmark(state: VaultState): Write[] {
  return [RESTORED_KEY, RESTORED_TRAIL_KEY].filter((key) => state.meta.has(key)).map((key) => ({ kind: "meta", key }));
}
