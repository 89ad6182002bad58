/**
 * Which identity tokens count no more although their signatures are good (S14): for services that verify them offline.
 *
 * A row says that tokens of a subject below an epoch, or of a session, are over. It is written in the very change that
 * ends them, and kept until the last of them has expired by itself.
 *
 * @module
 */

import { agentIdOf, type VaultState } from "../state.ts";
import type { ServiceTokenRecord } from "../storage/identity_records.ts";
import type { UserRecord, UserTokenRecord } from "../storage/records.ts";
import type { Write } from "../storage/store.ts";
import type { Surroundings } from "../tokens/token_service.ts";
import { sessionIdOf } from "./session_ids.ts";

/** Seconds that any identity token ever lived at most; kept, for roles may be given shorter lives later. */
const LONGEST_TTL = "oidc_longest_ttl";
/** Sessions that are remembered; past that the oldest count as having minted. */
const MAX_SESSIONS = 100_000;

/** Writes what the feed tells, beside the changes that make it so. */
export class Revocations {
  readonly #in: Surroundings;
  /** By session: the last expiry of what it minted since the start. */
  readonly #minted = new Map<string, number>();
  /** When the newest session was made, by a clock that may have been set back since. */
  #newestMadeAt = 0;
  /** Sessions made until then may have minted something that isn't remembered. */
  #forgottenUntil: number;

  constructor(surroundings: Surroundings) {
    this.#in = surroundings;
    surroundings.state.watch("service_token", (after) => this.#noteMade(after?.createdAt));
    this.#noteMade(surroundings.state.tokens.newestIssue());
    this.#forgottenUntil = this.#newestMadeAt;
    surroundings.writer.addBookkeeping((writes) => this.#planFollowing(writes));
  }

  /** Remembers that a session is about to get a token which expires then, in seconds since 1970. */
  noteMinted(sid: string, exp: number): void {
    const until = Math.max(this.#minted.get(sid) ?? 0, exp * 1000);
    // Put at the end again: what is forgotten first was used longest ago.
    this.#minted.delete(sid);
    this.#minted.set(sid, until);
    if (this.#minted.size <= MAX_SESSIONS) return;
    this.#minted.delete(this.#minted.keys().next().value!);
    this.#forgottenUntil = this.#newestMadeAt;
  }

  /** The row that tells of the end of a service token. */
  planEndOfToken({ accessor, entityId, createdAt, type }: ServiceTokenRecord): Write[] {
    return entityId === "" || type === "wrapping" ? [] : this.#planEndOfSession(sessionIdOf(accessor), createdAt);
  }

  #planFollowing(writes: readonly Write[]): Write[] {
    const { state } = this.#in;
    const users = new Map<string, UserRecord>();
    const ended: UserTokenRecord[] = [];
    let longest = 0;
    for (const { kind, value } of writes) {
      if (value === undefined) continue;
      if (kind === "user") users.set(value.entityId, value);
      else if (kind === "user_token") value.ended === undefined ? this.#noteMade(value.issuedAt) : ended.push(value);
      else if (kind === "oidc_role") longest = Math.max(longest, value.ttl);
      else if (kind === "oidc_client") longest = Math.max(longest, value.idTokenTtl);
    }
    const known = longestTtl(state);
    const raised: Write[] = longest > known ? [{ kind: "meta", key: LONGEST_TTL, value: { value: longest } }] : [];
    if (known === 0) return raised;
    const isRaised = (id: string) => users.has(id) && users.get(id)!.epoch !== epochNow(state, id);
    return [
      ...raised,
      ...[...users.values()].flatMap((record) => this.#planRaised(record)),
      ...this.#planBlocked(users),
      ...ended.filter((token) => !isRaised(token.entityId)).flatMap((token) => this.#planEndOfEvt(token)),
    ];
  }

  /** All that an entity caused before its epoch rose. */
  #planRaised({ entityId, epoch }: UserRecord): Write[] {
    const before = epochNow(this.#in.state, entityId);
    if (before === undefined || before === epoch) return [];
    return [put(`sub/${entityId}`, { sub: entityId, minEp: epoch, until: this.#lastExpiry() })];
  }

  /** Tokens of a disabled entity, also one that was merged into it, count again when it is enabled; so may they here. */
  #planBlocked(users: ReadonlyMap<string, UserRecord>): Write[] {
    const rows = this.#in.state.table("revocation");
    const find = (id: string) => users.get(id) ?? this.#in.state.users.get(id)?.record;
    const ids = new Set(
      [...users.values()].flatMap(({ entityId, mergedEntityIds = [] }) => [entityId, ...mergedEntityIds]),
    );
    return [...ids].flatMap((id): Write[] => {
      const record = find(id);
      if (record === undefined) return [];
      const key = `block/${id}`;
      const before = rows.get(key);
      const isBlocked = whoIsNow(record, find).disabled;
      if (!isBlocked) return before === undefined ? [] : [{ kind: "revocation", key }];
      const minEp = record.epoch + 1;
      return before?.minEp === minEp ? [] : [put(key, { sub: id, minEp, until: this.#lastExpiry() })];
    });
  }

  #planEndOfEvt({ tokenHash, issuedAt }: UserTokenRecord): Write[] {
    const agentId = agentIdOf(tokenHash);
    if (this.#in.state.tokens.get(agentId)?.record.ended !== undefined) return [];
    return this.#planEndOfSession(sessionIdOf(agentId), issuedAt ?? 0);
  }

  #planEndOfSession(sid: string, madeAt: number): Write[] {
    const until = this.#minted.get(sid) ?? (madeAt <= this.#forgottenUntil ? this.#lastExpiry() : 0);
    if (until <= this.#in.clock.now()) return [];
    return [put(`sid/${sid}`, { sid, until })];
  }

  #noteMade(at: number | null | undefined): void {
    this.#newestMadeAt = Math.max(this.#newestMadeAt, at ?? 0);
  }

  #lastExpiry(): number {
    return this.#in.clock.now() + longestTtl(this.#in.state) * 1000;
  }
}

function put(key: string, value: { sub?: string; minEp?: number; sid?: string; until: number }): Write {
  return { kind: "revocation", key, value };
}

function epochNow(state: VaultState, entityId: string): number | undefined {
  return state.users.get(entityId)?.record.epoch;
}

/** The entity that a record stands for once the writes are made. */
function whoIsNow(record: UserRecord, find: (id: string) => UserRecord | undefined): UserRecord {
  let now = record;
  while (now.mergedInto !== undefined) now = find(now.mergedInto)!;
  return now;
}

/** The longest life of identity tokens, in seconds; 0: none was ever made. */
function longestTtl(state: VaultState): number {
  return Number(state.meta.get(LONGEST_TTL) ?? 0);
}
