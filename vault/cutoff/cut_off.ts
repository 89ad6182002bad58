/**
 * Cutting a user off: one write after which nothing that they caused is accepted on any face, and no login of theirs.
 *
 * @module
 */

import { looksLikeToken } from "../audit/token_like.ts";
import { VaultError } from "../errors.ts";
import { raiseEpoch } from "../identity/epochs.ts";
import type { Identity } from "../identity/identity.ts";
import { quoteName } from "../names.ts";
import type { ServiceTokens } from "../service_tokens/service_tokens.ts";
import { agentIdOf, type User } from "../state.ts";
import type { CutOffRecord, UserRecord } from "../storage/records.ts";
import { openTokensOf, planEndOfTokens } from "../tokens/token_endings.ts";
import type { Surroundings } from "../tokens/token_service.ts";
import type { UserAccounts } from "../userpass/accounts.ts";
import { heldBy, type HeldThing, type ReadPassword } from "./held.ts";

/** An account elsewhere that is to go and hasn't gone yet. */
export interface PendingAccount {
  readonly leaseId: string;
  /** The server that it is on, and its name there. */
  readonly account: string;
  readonly since: number;
  /** Why the last try failed; null while the first is under way. */
  readonly reason: string | null;
}

/** What is known of the accounts that were made for an entity. */
export interface AccountsElsewhere {
  /** How many an entity has in use. */
  countOf(entityId: string): number;
  /** Those that wait for their end. */
  pendingOf(entityId: string): readonly PendingAccount[];
  /** Waits until these are gone, so long at most. */
  gone(leaseIds: readonly string[], timeoutMs: number): Promise<unknown>;
}

/** How many of each a cut-off ended. */
export interface EndedCounts {
  readonly evtTokens: number;
  /** Login tokens, and all that descends from them or from the evt token. */
  readonly serviceTokens: number;
  readonly wrappedAnswers: number;
  /** Leases, and with them the database accounts. */
  readonly leases: number;
}

/** How a cut-off came out, or stands. */
export interface CutOffReport {
  readonly user: string;
  readonly entityId: string;
  readonly cutOff: CutOffRecord;
  readonly ended: EndedCounts;
  /** Logins that are refused from now on. */
  readonly blockedLogins: readonly string[];
  /** Logins of the same name that lead to somebody else, and stay open. */
  readonly openNamesakes: readonly string[];
  readonly pending: readonly PendingAccount[];
  readonly held: readonly HeldThing[];
}

/** What cutting off needs. */
export interface CutOffSurroundings extends Surroundings {
  readonly identity: Identity;
  readonly tokens: ServiceTokens;
  readonly accounts: UserAccounts;
  readonly elsewhere: AccountsElsewhere;
  /** The passwords of static accounts that an entity has read. */
  passwordsReadBy(entityId: string): readonly ReadPassword[];
}

/** What an operator may say of a cut-off. */
const MAX_REASON_LENGTH = 256;
/** Most accounts are gone by then, and the operator sees it done. */
const PATIENCE_MS = 2000;

/** Cuts users off and lets them back in. */
export class CutOff {
  readonly #in: CutOffSurroundings;

  constructor(surroundings: CutOffSurroundings) {
    this.#in = surroundings;
  }

  /**
   * Cuts a user off. One who is cut off already is ended once more, and keeps the day and reason unless one is given.
   *
   * @param name The user's name, or the name or id of an entity that has logins alone.
   * @throws {VaultError} `not_found`, `invalid_argument` for the reason, `storage_failed`: then nothing happened.
   */
  async cutOff(name: string, reason?: string): Promise<CutOffReport> {
    if (reason !== undefined) assertReason(reason);
    const { writer, state, clock, elsewhere } = this.#in;
    const { user, ended } = await writer.change(() => {
      const user = this.#find(name);
      const now = clock.now();
      const cutOff = cutOffRecord(user.record, now, reason);
      const record: UserRecord = { ...user.record, disabled: true, cutOff };
      const tokens = openTokensOf(state, user);
      const leases = idsOf(user).reduce((sum, id) => sum + elsewhere.countOf(id), 0);
      const ended = { ...this.#countServiceTokens(user), evtTokens: tokens.length, leases };
      const writes = [...raiseEpoch(state, record), ...planEndOfTokens(tokens, "revoked", now)];
      return { writes, result: () => ({ user, ended }) };
    });
    // Whatever comes of the servers behind, from here on the vault accepts nothing.
    const pending = this.#pendingOf(user);
    if (pending.length > 0) await elsewhere.gone(pending.map(({ leaseId }) => leaseId), PATIENCE_MS);
    return this.#report(user, ended);
  }

  /**
   * Undoes the block of a cut-off; what it ended stays ended, and whoever was disabled before is so again.
   *
   * @throws {VaultError} `not_found`, `precondition_failed` for a user who isn't cut off, `storage_failed`.
   */
  restore(name: string): Promise<{ readonly user: string; readonly disabled: boolean }> {
    return this.#in.writer.change(() => {
      const { cutOff, ...kept } = this.#find(name).record;
      if (cutOff === undefined) throw notCutOff(name);
      const value: UserRecord = { ...kept, disabled: cutOff.wasDisabled ?? false };
      return {
        writes: [{ kind: "user", key: value.entityId, value }],
        result: () => ({ user: value.name, disabled: value.disabled }),
      };
    });
  }

  /** How the cut-off of a user stands now; `not_found`, `precondition_failed` for a user who isn't cut off. */
  show(name: string): CutOffReport {
    const user = this.#find(name);
    if (user.record.cutOff === undefined) throw notCutOff(name);
    return this.#report(user, { evtTokens: 0, serviceTokens: 0, wrappedAnswers: 0, leases: 0 });
  }

  #report(user: User, ended: EndedCounts): CutOffReport {
    const { accounts } = this.#in;
    const { name, entityId, cutOff } = user.record;
    return {
      user: name,
      entityId,
      cutOff: cutOff!,
      ended,
      blockedLogins: accounts.loginsOfUser(user).map(({ mountPath, username }) => `${mountPath}login/${username}`),
      openNamesakes: accounts.namesakesOf(user),
      pending: this.#pendingOf(user),
      held: heldBy(user.record, idsOf(user).flatMap((id) => this.#in.passwordsReadBy(id))),
    };
  }

  #pendingOf(user: User): PendingAccount[] {
    return idsOf(user).flatMap((id) => this.#in.elsewhere.pendingOf(id));
  }

  #countServiceTokens(user: User): Pick<EndedCounts, "serviceTokens" | "wrappedAnswers"> {
    const { index } = this.#in.tokens;
    const evts = openTokensOf(this.#in.state, user).map(({ tokenHash }) => agentIdOf(tokenHash));
    const own = [...idsOf(user).flatMap((id) => index.ofEntity(id)), ...evts.flatMap((id) => index.ofEvt(id))];
    const all = index.withDescendants(own);
    const wrappedAnswers = all.filter(({ type }) => type === "wrapping").length;
    return { serviceTokens: all.length - wrappedAnswers, wrappedAnswers };
  }

  #find(name: string): User {
    const { entities } = this.#in.identity;
    const user = this.#in.state.userByName(name) ?? entities.byName(name) ?? entities.byId(name);
    if (user !== undefined) return user;
    throw new VaultError("not_found", `No user or entity ${quoteName(name)}`, {
      hint: "see `runevault user list` and `runevault entity list`",
    });
  }
}

/** An entity's id, and those of the entities that it took over. */
function idsOf({ record }: User): string[] {
  return [record.entityId, ...record.mergedEntityIds ?? []];
}

/** Day and reason stay those of the first time, unless a reason is given. */
function cutOffRecord({ cutOff, disabled }: UserRecord, at: number, reason: string | undefined): CutOffRecord {
  if (cutOff !== undefined && reason === undefined) return cutOff;
  const wasDisabled = cutOff === undefined ? disabled : cutOff.wasDisabled ?? false;
  return { at, ...(reason === undefined ? {} : { reason }), ...(wasDisabled ? { wasDisabled } : {}) };
}

function notCutOff(name: string): VaultError {
  return new VaultError("precondition_failed", `User ${quoteName(name)} is not cut off`);
}

function assertReason(reason: string): void {
  // deno-lint-ignore no-control-regex -- they are what is looked for
  const isGood = reason !== "" && reason.length <= MAX_REASON_LENGTH && !/[\x00-\x1f\x7f]/.test(reason) &&
    reason.isWellFormed() && !looksLikeToken(reason);
  if (isGood) return;
  throw new VaultError("invalid_argument", "The reason of a cut-off can't be kept", {
    hint: `give 1 to ${MAX_REASON_LENGTH} characters on one line, and no token among them`,
  });
}
