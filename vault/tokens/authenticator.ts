/**
 * Who is calling, and whether they may call once more.
 *
 * @module
 */

import { VaultError } from "../errors.ts";
import type { Clock } from "../ports.ts";
import { holdsScope, type Scope } from "../roles/scope.ts";
import { agentIdOf, type User, type UserToken, type VaultState } from "../state.ts";
import type { RoleRecord } from "../storage/records.ts";
import { hashToken, isExpired, isUsable, MAX_TOKEN_LENGTH } from "./user_token.ts";

/** An authenticated caller. */
export interface Caller {
  readonly user: User;
  readonly token: UserToken;
  readonly agentId: string;
  /** The role as it is now; a later change of it binds the next call. */
  readonly role: RoleRecord;
}

/** Authenticates callers from memory. */
export class Authenticator {
  readonly #state: VaultState;
  readonly #clock: Clock;

  constructor(state: VaultState, clock: Clock) {
    this.#state = state;
    this.#clock = clock;
  }

  /**
   * Whether this is the text of a token that is kept, live or not; cheaper than to have {@link identify} refuse it.
   *
   * @param hash Its {@link hashToken}, where that is known already.
   */
  knows(presented: string, hash?: string): boolean {
    if (presented.length === 0 || presented.length > MAX_TOKEN_LENGTH) return false;
    hash ??= hashToken(presented);
    return this.#state.tokens.get(agentIdOf(hash))?.record.tokenHash === hash;
  }

  /**
   * Finds out whose token this is. It counts no call: {@link takePlace} does, so that unknown tokens are refused before
   * any counter moves and guessing can't use up a user's allowance.
   *
   * The look-up is by SHA-256: no comparison sees the token itself, so none leaks a prefix of it by its timing.
   *
   * @param presented The token exactly as received; surrounding space makes it another token.
   * @throws {VaultError} `token_invalid` or `token_expired`.
   */
  identify(presented: string): Caller {
    if (presented.length === 0 || presented.length > MAX_TOKEN_LENGTH) throw tokenInvalid();
    const hash = hashToken(presented);
    const agentId = agentIdOf(hash);
    const token = this.#state.tokens.get(agentId);
    if (token === undefined || token.record.tokenHash !== hash) throw tokenInvalid();
    this.#assertLive(token);
    return { user: token.user, token, agentId, role: this.#roleOf(token) };
  }

  /**
   * Counts a call against its user's window; a call that is refused here takes no place.
   *
   * @throws {VaultError} `rate_limited` with `data.retryAfterSeconds`.
   */
  takePlace({ user, role }: Caller): void {
    this.takePlaceIn(user, role);
  }

  /** {@link takePlace} for a user who came by another credential than their evt token: there is one window a user. */
  takePlaceIn(user: User, role: RoleRecord): void {
    const now = this.#clock.monotonic();
    const waitMs = this.#state.windows.of(user.row, now).take(now, role.rateLimit);
    if (waitMs === 0) return;
    const retryAfterSeconds = Math.max(1, Math.ceil(waitMs / 1000));
    throw new VaultError("rate_limited", `Rate limit reached`, {
      data: { retryAfterSeconds },
    });
  }

  /**
   * Looks again at a caller whose call took long: what was revoked meanwhile gets no answer.
   *
   * @throws {VaultError} `token_invalid` or `token_expired`.
   */
  assertStillLive(caller: Caller): void {
    this.#assertLive(caller.token);
  }

  /**
   * Refuses a caller whose role holds none of these scopes.
   *
   * @throws {VaultError} `scope_denied`.
   */
  assertScope(caller: Caller, anyOf: readonly Scope[]): void {
    if (anyOf.some((scope) => holdsScope(caller.role.scope, scope))) return;
    throw new VaultError("scope_denied", `Role "${caller.role.name}" lacks the scope ${anyOf.join(" or ")}`);
  }

  #assertLive(token: UserToken): void {
    const now = this.#clock.now();
    if (token.record.ended === "expired") throw tokenExpired();
    if (!isUsable(token, now)) throw tokenInvalid();
    if (isExpired(token, now)) throw tokenExpired();
  }

  #roleOf(token: UserToken): RoleRecord {
    const role = this.#state.roles.get(token.record.role);
    // Roles in use can't be deleted; were one missing all the same, its holders may do nothing.
    if (role === undefined) throw new VaultError("scope_denied", "The token's role does not exist");
    return role;
  }
}

function tokenExpired(): VaultError {
  return new VaultError("token_expired", "Token expired");
}

function tokenInvalid(): VaultError {
  return new VaultError("token_invalid", "Invalid token");
}
