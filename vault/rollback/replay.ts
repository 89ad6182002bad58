/**
 * What was ended since a store was as it is, told from the effects in its audit trail; and the writes that end it again.
 *
 * Only what takes rights away is done again: a trail that somebody made up can lock users out, and give nobody anything.
 *
 * @module
 */

import type { Effect } from "../audit/effects.ts";
import type { AuditEntry } from "../audit/entry.ts";
import type { RandomSource } from "../ports.ts";
import { agentIdOf, type VaultState } from "../state.ts";
import type { OperatorRecord, UserRecord } from "../storage/records.ts";
import type { Write } from "../storage/store.ts";
import { unmatchedHash } from "../userpass/password_hash.ts";
import { Undone } from "./undone.ts";

interface UserPast {
  epoch: number;
  /** As the last entry about it says; a deleted user counts as blocked. */
  disabled: boolean;
  /** When the user was cut off, if no later entry says that they were let in again. */
  cutOffAt: number | undefined;
  /** Whether a user token was made since: those of before were replaced. */
  hasNewToken: boolean;
}

/** Collects what was ended. */
export class Replay {
  readonly #users = new Map<string, UserPast>();
  readonly #agents = new Set<string>();
  readonly #accessors = new Set<string>();
  readonly #logins = new Set<string>();
  /** Operators by what became of them. */
  readonly #operators = new Map<string, "removed" | "rotated">();
  /** What else was changed, and is as it was before again. */
  readonly undone = new Undone();
  /** Entries that were taken in. */
  entries = 0;

  /** Takes in one entry; in order. */
  add({ time, effects }: Pick<AuditEntry, "time" | "effects">): void {
    this.entries++;
    for (const effect of effects ?? []) {
      this.#addEffect(effect, Date.parse(time));
      this.undone.add(effect);
    }
  }

  /** The writes, in the writer's turn. */
  plan(state: VaultState, now: number, random: RandomSource): Write[] {
    return [
      ...this.#planUsers(state),
      ...this.#planUserTokens(state, now),
      ...this.#planServiceTokens(state),
      ...this.#planLogins(state, random),
      ...this.#planOperators(state, random),
    ];
  }

  #addEffect({ kind, id, act, epoch, disabled, cut_off, password, entity_id }: Effect, at: number): void {
    if (kind === "user") {
      const past = this.#user(id);
      if (epoch !== undefined) past.epoch = Math.max(past.epoch, epoch);
      if (disabled !== undefined) past.disabled = disabled;
      if (cut_off !== undefined) past.cutOffAt = cut_off ? at : undefined;
      if (act === "deleted") past.disabled = true;
    } else if (kind === "user_token" && act === "ended") this.#agents.add(id);
    else if (kind === "user_token" && act === "made" && entity_id !== undefined) {
      this.#user(entity_id).hasNewToken = true;
    } else if (kind === "service_token" && act === "ended") this.#accessors.add(id);
    else if (kind === "operator") this.#operators.set(id, act === "deleted" ? "removed" : "rotated");
    else if (kind === "userpass_user" && (password === "set" || act === "deleted")) this.#logins.add(id);
  }

  #user(id: string): UserPast {
    const known = this.#users.get(id) ?? { epoch: 0, disabled: false, cutOffAt: undefined, hasNewToken: false };
    this.#users.set(id, known);
    return known;
  }

  #planUsers(state: VaultState): Write[] {
    const writes: Write[] = [];
    for (const [key, past] of this.#users) {
      const record = state.users.get(key)?.record;
      if (record === undefined) continue;
      const value = endedAgain(record, past);
      const isSame = value.epoch === record.epoch && value.disabled === record.disabled &&
        value.cutOff === record.cutOff;
      if (!isSame) writes.push({ kind: "user", key, value });
    }
    return writes;
  }

  #planUserTokens(state: VaultState, endedAt: number): Write[] {
    const writes: Write[] = [];
    for (const { record } of state.tokens.values()) {
      if (record.ended !== undefined) continue;
      const isEnded = this.#agents.has(agentIdOf(record.tokenHash));
      if (!isEnded && this.#users.get(record.entityId)?.hasNewToken !== true) continue;
      const value = { ...record, ended: isEnded ? "revoked" : "rotated", endedAt } as const;
      writes.push({ kind: "user_token", key: record.tokenHash, value });
    }
    return writes;
  }

  #planServiceTokens(state: VaultState): Write[] {
    const ended = [...state.table("service_token").values()].filter(({ accessor }) => this.#accessors.has(accessor));
    return ended.map(({ hash }) => ({ kind: "service_token", key: hash }));
  }

  /** Which password holds now nobody knows: none does, until somebody sets one. */
  #planLogins(state: VaultState, random: RandomSource): Write[] {
    const logins = state.table("userpass_user");
    return [...this.#logins].filter((key) => logins.has(key)).map((key) => ({
      kind: "userpass_user",
      key,
      value: { ...logins.get(key)!, passwordHash: unmatchedHash(random) },
    }));
  }

  #planOperators(state: VaultState, random: RandomSource): Write[] {
    const operators = state.table("operator");
    return [...this.#operators].filter(([key]) => operators.has(key)).map(([key, became]): Write =>
      became === "removed" ? { kind: "operator", key } : closedOperator(operators.get(key)!, key, random)
    );
  }
}

/** Whoever was cut off is so again: blocked alone, anybody who may write entities could let them in. */
function endedAgain(record: UserRecord, { epoch, disabled, cutOffAt }: UserPast): UserRecord {
  const cutOff = record.cutOff ?? (cutOffAt === undefined ? undefined : { at: cutOffAt, ...wasDisabled(record) });
  return {
    ...record,
    epoch: Math.max(record.epoch, epoch),
    disabled: record.disabled || disabled || cutOff !== undefined,
    ...(cutOff === undefined ? {} : { cutOff }),
  };
}

function wasDisabled({ disabled }: UserRecord): { readonly wasDisabled?: true } {
  return disabled ? { wasDisabled: true } : {};
}

/** An operator who has no token, until `runevault operator rotate` gives them one. */
export function closedOperator(record: OperatorRecord, key: string, random: RandomSource): Write {
  return { kind: "operator", key, value: { ...record, tokenHash: random.bytes(32).toHex() } };
}
