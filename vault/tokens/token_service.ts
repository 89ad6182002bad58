/**
 * Issuing, rotating and revoking user tokens: one current token a user.
 *
 * @module
 */

import { DAY_MS, expiryAfterDays, MAX_EXPIRES_DAYS } from "../dates.ts";
import { VaultError } from "../errors.ts";
import { raiseEpoch } from "../identity/epochs.ts";
import { newEntityId } from "../ids.ts";
import { assertName, quoteName } from "../names.ts";
import type { Clock, RandomSource } from "../ports.ts";
import type { RateLimit } from "../roles/rate_limit.ts";
import { agentIdOf, type User, type UserToken, type VaultState } from "../state.ts";
import type { UserRecord, UserTokenRecord } from "../storage/records.ts";
import type { Write } from "../storage/store.ts";
import type { Plan, Writer } from "../writer.ts";
import { openTokensOf, planEndOfTokens } from "./token_endings.ts";
import { hashToken, isUsable, newUserToken } from "./user_token.ts";

/** The longest that a rotated token may live on: whoever needs more has not rotated. */
const MAX_GRACE_SECONDS = 86_400;

/** The life taken for a token whose day of issue no file told. */
const UNKNOWN_LIFE_DAYS = 90;

/** What may be told of a token. */
export interface TokenSummary {
  readonly user: string;
  readonly role: string;
  readonly topK: number;
  readonly rateLimit: RateLimit;
  readonly issuedAt: number | null;
  readonly expiresAt: number | null;
  readonly agentId: string;
  readonly secretVersion: number;
  /** Until when the token before this one still lives, after a rotation with a grace. */
  readonly graceUntil: number | null;
}

/** A token just made: the only moment at which it is known. */
export interface IssuedToken extends TokenSummary {
  readonly token: string;
}

/** Where the services of the domain find their surroundings. */
export interface Surroundings {
  readonly state: VaultState;
  readonly writer: Writer;
  readonly clock: Clock;
  readonly random: RandomSource;
}

/** What entities hold beside user tokens. */
export interface OtherCredentials {
  /** An entity that isn't a user, by its name or id. */
  find(name: string): User | undefined;
  /** Whether an entity, or one that it took over, holds anything else that {@link TokenService.revoke} ends. */
  has(entity: UserRecord): boolean;
}

/** Whose access ended. */
export interface RevokedUser {
  readonly user: string;
  readonly disabled: boolean;
  readonly scoreRows: number;
}

/** Everything an operator does with user tokens. */
export class TokenService {
  readonly #in: Surroundings;
  #others: OtherCredentials = { find: () => undefined, has: () => false };

  constructor(surroundings: Surroundings) {
    this.#in = surroundings;
  }

  /** Has {@link revoke} end what `others` knows too, such as login tokens. */
  noteOtherCredentials(others: OtherCredentials): void {
    this.#others = others;
  }

  /**
   * Issues a user's token; the user is made where there is none.
   *
   * @throws {VaultError} `already_exists` when the user has one (also one that has just expired: rotate it),
   *   `not_found` for the role, `invalid_argument`, `storage_failed`.
   */
  issue(wanted: { user: string; role: string; expiresDays?: number }): Promise<IssuedToken> {
    return this.#in.writer.change(() => {
      const known = this.#in.state.userByName(wanted.user);
      if (known === undefined) this.#assertNameIsFree(wanted.user);
      if (known?.token) {
        throw new VaultError("already_exists", `User ${quoteName(wanted.user)} already has a token`, {
          hint: "use `runevault token rotate` for a new one, or revoke it first",
        });
      }
      if (known?.record.disabled) throw blocked(known.record);
      this.#assertRole(wanted.role);
      const user = known?.record ?? this.#newUser(wanted.user);
      const writes: Write[] = known ? [] : [{ kind: "user", key: user.entityId, value: user }];
      return this.#grant(user, wanted.role, wanted.expiresDays, writes);
    });
  }

  /**
   * Gives a user a new token in place of the current one.
   *
   * @param wanted.expiresDays Life of the new token; absent: as long as the old one was given.
   * @param wanted.graceSeconds How long the old token lives on; absent: it stops at once.
   * @throws {VaultError} `not_found`, `invalid_argument`, `storage_failed`.
   */
  rotate(wanted: { user: string; expiresDays?: number; graceSeconds?: number }): Promise<IssuedToken> {
    return this.#in.writer.change(() => {
      const old = this.#currentToken(wanted.user);
      const ended = this.#endRotated(old.record, wanted.graceSeconds ?? 0);
      // An older replaced token ends now, whatever its grace: one user never has more than two that work.
      const writes = [...this.#replacedTokens(old.user).map((t) => this.#end(t.record, "rotated")), ended].map(
        putToken,
      );
      const days = wanted.expiresDays ?? givenDays(old.record);
      return this.#grant(old.user.record, old.record.role, days, writes);
    });
  }

  /**
   * Ends all that a user holds: every token, also those in grace, and by the raised epoch everything they caused.
   *
   * @param name The user's name, or the name or id of an entity that has logins alone.
   * @throws {VaultError} `not_found` when the user holds nothing, `storage_failed`.
   */
  revoke(name: string): Promise<RevokedUser> {
    return this.#in.writer.change(() => {
      const user = this.#in.state.userByName(name) ?? this.#others.find(name);
      const holdsOthers = user !== undefined && this.#others.has(user.record);
      const holder = holdsOthers ? user : this.#currentToken(name).user;
      const { disabled, scoreRows = 0 } = holder.record;
      const tokens = openTokensOf(this.#in.state, holder);
      return {
        writes: [
          ...raiseEpoch(this.#in.state, holder.record),
          ...planEndOfTokens(tokens, "revoked", this.#in.clock.now()),
        ],
        result: () => ({ user: name, disabled, scoreRows }),
      };
    });
  }

  /** The current token of a user; `not_found` when there is none. */
  show(user: string): TokenSummary {
    return this.#summary(this.#currentToken(user));
  }

  /** The current token of a user, or null; for `user show`. */
  find(user: User): TokenSummary | null {
    return user.token === null ? null : this.#summary(user.token);
  }

  /** The current tokens in the order in which their users were made, after the user `page.after`. */
  *list(page: { after?: string; limit?: number } = {}): Iterable<TokenSummary> {
    let left = page.limit ?? Infinity;
    const users = this.#in.state.userList;
    for (let i = this.#indexAfter(page.after); i < users.length && left > 0; i++) {
      const { token } = users.at(i);
      if (token === null) continue;
      left--;
      yield this.#summary(token);
    }
  }

  /** How many users have a current token. */
  count(): number {
    return this.#in.state.liveTokenCount;
  }

  #indexAfter(name: string | undefined): number {
    if (name === undefined) return 0;
    const user = this.#in.state.userByName(name);
    if (user === undefined) throw new VaultError("not_found", `No user ${quoteName(name)}`);
    return user.index + 1;
  }

  #grant(user: UserRecord, role: string, days: number | undefined, before: readonly Write[]): Plan<IssuedToken> {
    const { clock, random, state } = this.#in;
    const token = newUserToken(random);
    const record: UserTokenRecord = {
      tokenHash: hashToken(token),
      entityId: user.entityId,
      epoch: user.epoch,
      role,
      secretVersion: newestSecretVersion(state),
      issuedAt: clock.now(),
      expiresAt: days === undefined ? null : expiryAfterDays(clock.now(), days),
    };
    return {
      writes: [...before, ...firstUserMark(state, clock), putToken(record)],
      result: () => ({ ...this.#summary(state.tokens.get(agentIdOf(record.tokenHash))!), token }),
    };
  }

  #newUser(name: string): UserRecord {
    const { clock, random } = this.#in;
    return { entityId: newEntityId(clock, random), name, epoch: 1, disabled: false, createdAt: clock.now() };
  }

  #assertNameIsFree(name: string): void {
    assertName("user", name);
    const clash = this.#in.state.usersByFoldedName(name)[0];
    if (clash === undefined) return;
    throw new VaultError("already_exists", `A user ${quoteName(clash.record.name)} exists, which differs only in case`);
  }

  #assertRole(role: string): void {
    if (this.#in.state.roles.has(role)) return;
    throw new VaultError("not_found", `No role ${quoteName(role)}`, { hint: "see `runevault role list`" });
  }

  #currentToken(user: string): UserToken {
    const token = this.#in.state.userByName(user)?.token;
    if (token) return token;
    throw new VaultError("not_found", `User ${quoteName(user)} has no token`, { hint: "see `runevault token list`" });
  }

  #replacedTokens(user: User): UserToken[] {
    const token = this.#in.state.graceTokenOf(user.record.entityId);
    return token === undefined ? [] : [token];
  }

  #graceUntil(user: User): number | null {
    const [token] = this.#replacedTokens(user);
    return token !== undefined && isUsable(token, this.#in.clock.now()) ? token.record.graceUntil ?? null : null;
  }

  #endRotated(record: UserTokenRecord, graceSeconds: number): UserTokenRecord {
    if (!Number.isInteger(graceSeconds) || graceSeconds < 0 || graceSeconds > MAX_GRACE_SECONDS) {
      throw new VaultError("invalid_argument", `A grace of ${graceSeconds} s is not possible`, {
        hint: `give 0 to ${MAX_GRACE_SECONDS} s (24 h)`,
      });
    }
    if (graceSeconds === 0) return this.#end(record, "rotated");
    return { ...record, graceUntil: this.#in.clock.now() + graceSeconds * 1000 };
  }

  #end(record: UserTokenRecord, ended: "rotated"): UserTokenRecord {
    return { ...record, ended, endedAt: this.#in.clock.now() };
  }

  #summary(token: UserToken): TokenSummary {
    const { record, user } = token;
    const role = this.#in.state.roles.get(record.role)!;
    return {
      user: user.record.name,
      role: record.role,
      topK: role.topK,
      rateLimit: role.rateLimit,
      issuedAt: record.issuedAt,
      expiresAt: record.expiresAt,
      agentId: agentIdOf(record.tokenHash),
      secretVersion: record.secretVersion,
      graceUntil: this.#graceUntil(user),
    };
  }
}

function blocked({ name, cutOff }: UserRecord): VaultError {
  const [state, way] = cutOff === undefined ? ["disabled", "enable"] : ["cut off", "restore"];
  return new VaultError("precondition_failed", `User ${quoteName(name)} is ${state}`, {
    hint: `run \`runevault user ${way} ${name}\` first`,
  });
}

/** The write that stores a token. */
export function putToken(record: UserTokenRecord): Write {
  return { kind: "user_token", key: record.tokenHash, value: record };
}

/** The newest version of the team secret, under which new tokens are issued. */
export function newestSecretVersion(state: VaultState): number {
  return Math.max(...state.secrets.keys());
}

/** Marks the store as one that has held a user, once: from then on no file without a generation is taken whole. */
export function firstUserMark(state: VaultState, clock: Clock): Write[] {
  if (state.meta.has("first_user_at")) return [];
  return [{ kind: "meta", key: "first_user_at", value: { value: clock.now() } }];
}

/** The number of days that a token was given at its issue; undefined: no expiry. */
function givenDays({ issuedAt, expiresAt }: UserTokenRecord): number | undefined {
  if (expiresAt === null) return undefined;
  if (issuedAt === null) return UNKNOWN_LIFE_DAYS;
  const days = Math.round(expiresAt / DAY_MS) - Math.floor(issuedAt / DAY_MS) - 1;
  // Old files may name any day: one beyond the longest life that can be given must not make a token unrotatable.
  return Math.min(Math.max(1, days), MAX_EXPIRES_DAYS);
}
