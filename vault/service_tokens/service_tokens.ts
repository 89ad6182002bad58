/**
 * Service tokens: who holds one, whether it counts, and what they are told of it.
 *
 * @module
 */

import { VaultError } from "../errors.ts";
import type { Identity } from "../identity/identity.ts";
import type { SealKey } from "../keys/seal_key.ts";
import type { MountTable } from "../mounts/mount_table.ts";
import { agentIdOf, type User, type UserToken } from "../state.ts";
import type { ServiceTokenRecord } from "../storage/identity_records.ts";
import type { RoleRecord } from "../storage/records.ts";
import type { Write } from "../storage/store.ts";
import type { Authenticator } from "../tokens/authenticator.ts";
import { putToken, type Surroundings } from "../tokens/token_service.ts";
import { hashToken, isExpired, isUsable, MAX_TOKEN_LENGTH } from "../tokens/user_token.ts";
import type { ApiCaller } from "./caller.ts";
import { isInCidrs } from "./cidr.ts";
import { TokenEndings } from "./endings.ts";
import { type Minted, Minting, type MintSpec, ownerOfCaller } from "./minting.ts";
import { TokenIndex } from "./token_index.ts";
import { SERVICE_TOKEN_PREFIX, TokenHasher } from "./token_text.ts";

/** What the room of service tokens needs. */
export interface ServiceTokenSurroundings extends Surroundings {
  readonly sealKey: SealKey;
  readonly identity: Identity;
  readonly mounts: MountTable;
  readonly authenticator: Authenticator;
}

/** Made once: whoever sends bad tokens chooses how many, and making an error costs more than all else of refusing it. */
const UNKNOWN_TOKEN = tokenInvalid();

/** A hierarchy of tokens deeper than this is nobody's need. */
const MAX_DEPTH = 32;

/** Every service token, and the evt tokens where they are used like one. */
export class ServiceTokens {
  readonly index: TokenIndex;
  readonly endings: TokenEndings;
  readonly #in: ServiceTokenSurroundings;
  readonly #hasher: TokenHasher;
  readonly #minting: Minting;
  readonly #rolePolicies = new WeakMap<RoleRecord, readonly string[]>();

  constructor(surroundings: ServiceTokenSurroundings) {
    this.#in = surroundings;
    this.#hasher = new TokenHasher(surroundings.sealKey.deriveKey("runevault/service-tokens"));
    this.index = new TokenIndex(surroundings.state);
    this.endings = new TokenEndings(surroundings, this.index);
    this.#minting = new Minting(surroundings, this.index, this.#hasher);
  }

  /**
   * Finds out who presents this token, and counts a use of one whose uses are counted.
   *
   * @param remoteAddress Where the request came from, without a port.
   * @throws {VaultError} `token_invalid` for a token that is none or has ended, `permission_denied` for one that may not
   *   be used now: a disabled or deleted entity, an address that it isn't bound to.
   */
  authenticate(presented: string, remoteAddress: string): ApiCaller | Promise<ApiCaller> {
    if (presented.length === 0 || presented.length > MAX_TOKEN_LENGTH) throw tokenInvalid();
    const record = presented.startsWith("evt_") ? undefined : this.index.get(this.#hasher.hash(presented));
    if (record === undefined && presented.startsWith(SERVICE_TOKEN_PREFIX)) throw UNKNOWN_TOKEN;
    if (record === undefined) return this.evtCaller(presented);
    const caller = this.#callerOf(record);
    if (!isInCidrs(remoteAddress, record.boundCidrs)) throw denied();
    return record.numUses === 0 ? caller : this.#countUse(record.hash);
  }

  /** The caller that a live token stands for; throws as {@link authenticate}, counts nothing. */
  callerOf(record: ServiceTokenRecord): ApiCaller {
    return this.#callerOf(record);
  }

  /** The record of a token text, live or not; undefined where it is none. */
  find(presented: string): ServiceTokenRecord | undefined {
    if (presented.length === 0 || presented.length > MAX_TOKEN_LENGTH) return undefined;
    return this.index.get(this.#hasher.hash(presented));
  }

  /** Whether a text is a token of any form, of those that somebody chose as well. Asked of much that is none. */
  isToken(text: string): boolean {
    if (text.length === 0 || text.length > MAX_TOKEN_LENGTH) return false;
    const digest = hashToken(text);
    if (this.index.get(this.#hasher.hash(text, digest)) !== undefined) return true;
    return this.#in.authenticator.knows(text, digest) && this.findEvt(text) !== undefined;
  }

  /** The evt token with this text as a caller; undefined where it is none that counts. */
  findEvt(presented: string): ApiCaller | undefined {
    if (!this.#in.authenticator.knows(presented)) return undefined;
    try {
      return this.evtCaller(presented);
    } catch (error) {
      if (error instanceof VaultError) return undefined;
      throw error;
    }
  }

  /** The rights of a user's evt token; undefined where there is no such user, or none with a token. */
  holderOfUser(name: string): Pick<ApiCaller, "policies" | "entity"> | undefined {
    const user = this.#in.state.userByName(name);
    return user?.token ? { policies: this.#policiesOfRole(user.token), entity: user } : undefined;
  }

  /** Whether a service token would be let in now, its address aside. */
  isLive(record: ServiceTokenRecord): boolean {
    try {
      this.#callerOf(record);
      return true;
    } catch (error) {
      if (error instanceof VaultError) return false;
      throw error;
    }
  }

  /**
   * Looks again at a caller whose request took long: what was ended meanwhile gets no answer.
   *
   * @throws {VaultError} `token_invalid`, `permission_denied`.
   */
  assertStillLive(caller: ApiCaller): void {
    if (caller.evt !== null) return this.#assertEvtLive(caller.evt);
    // The operator, whom the admin API has let in: there is no token that could end.
    if (caller.token === null) return;
    const record = this.index.get(caller.token.hash);
    if (record === undefined) throw tokenInvalid();
    if (record.numUses >= 0) this.#callerOf(record);
  }

  /**
   * Counts a request against the window of the caller's entity; the same window as on gRPC (S18).
   *
   * @throws {VaultError} `rate_limited`.
   */
  takePlace(caller: ApiCaller): void {
    const owner = caller.entity ?? this.#in.state.users.get(ownerOfCaller(caller));
    const roleName = owner?.token?.record.role;
    const role = roleName === undefined ? undefined : this.#in.state.roles.get(roleName);
    if (owner !== undefined && role !== undefined) this.#in.authenticator.takePlaceIn(owner, role);
  }

  /** A new token with its record, in the writer's turn. */
  planMint(spec: MintSpec): Minted {
    return this.#minting.plan(spec);
  }

  /** Ends an evt token at its holder's own wish; what it caused ends with it (S7). */
  endEvt({ record }: UserToken): Promise<void> {
    return this.#in.writer.change(() => {
      const now = this.#in.state.tokens.get(agentIdOf(record.tokenHash))!.record;
      if (now.ended !== undefined) return { writes: [], result: () => {} };
      return { writes: [putToken({ ...now, ended: "revoked", endedAt: this.#in.clock.now() })], result: () => {} };
    });
  }

  /** Ends a token whose last use is over. */
  afterUse({ token }: ApiCaller): Promise<void> {
    return token === null ? Promise.resolve() : this.endings.end([token.hash]);
  }

  /** Hash of a token text, as {@link TokenIndex} knows it. */
  hash(token: string): string {
    return this.#hasher.hash(token);
  }

  #callerOf(record: ServiceTokenRecord): ApiCaller {
    const now = this.#in.clock.now();
    if (record.numUses < 0 || hasExpired(record, now) || this.#isOrphaned(record, now)) throw tokenInvalid();
    const entity = record.entityId === "" ? null : this.#entityOf(record.entityId, record.epoch);
    if (record.creator !== undefined) this.#entityOf(record.creator.entityId, record.creator.epoch);
    return {
      token: record,
      evt: null,
      entity,
      policies: this.#policiesOf(record),
      accessor: record.accessor,
      tokenHash: record.hash,
      displayName: record.displayName,
      isLastUse: record.numUses === 1,
    };
  }

  /** Whether an ancestor has ended; the sweeper may not have come by yet. */
  #isOrphaned(record: ServiceTokenRecord, now: number): boolean {
    let parent = record.parent;
    for (let depth = 0; parent !== null; depth++) {
      const ancestor = this.index.get(parent);
      if (ancestor === undefined || hasExpired(ancestor, now) || depth > MAX_DEPTH) return true;
      parent = ancestor.parent;
    }
    if (record.evtAgentId === undefined) return false;
    const evt = this.#in.state.tokens.get(record.evtAgentId);
    return evt === undefined || !isUsable(evt, now) || isExpired(evt, now);
  }

  /** S6: a credential counts with the epoch of its making alone, and while its entity is there and enabled. */
  #entityOf(entityId: string, epoch: number): User {
    const made = this.#in.state.users.get(entityId);
    if (made === undefined || made.epoch !== epoch) throw tokenInvalid();
    const user = this.#in.identity.followed(entityId);
    if (user === undefined || user.disabled) throw denied();
    return user;
  }

  /** S7: what an evt token caused can't do more than the token's role allows now. */
  #policiesOf(record: ServiceTokenRecord): readonly string[] {
    // A wrapping token's only policy is to be unwrapped, which no role need give.
    if (record.evtAgentId === undefined || record.type === "wrapping") return record.policies;
    const evt = this.#in.state.tokens.get(record.evtAgentId)!;
    const allowed = new Set(this.#policiesOfRole(evt));
    return record.policies.filter((name) => allowed.has(name));
  }

  #policiesOfRole(evt: UserToken): readonly string[] {
    const role = this.#in.state.roles.get(evt.record.role);
    if (role === undefined) return ["default"];
    const known = this.#rolePolicies.get(role);
    if (known !== undefined) return known;
    const policies = [...new Set(["default", ...role.policies ?? []])].filter((name) => name !== "root").sort();
    this.#rolePolicies.set(role, policies);
    return policies;
  }

  /**
   * The holder of a user's evt token as a caller.
   *
   * @throws {VaultError} `token_invalid`, `token_expired`.
   */
  evtCaller(presented: string): ApiCaller {
    const { user, token, agentId } = this.#in.authenticator.identify(presented);
    return {
      token: null,
      evt: token,
      entity: user,
      policies: this.#policiesOfRole(token),
      accessor: agentId,
      tokenHash: token.record.tokenHash,
      displayName: `evt-${user.record.name}`,
      isLastUse: false,
    };
  }

  #assertEvtLive(evt: UserToken): void {
    const now = this.#in.clock.now();
    if (!isUsable(evt, now) || isExpired(evt, now)) throw tokenInvalid();
  }

  /** In the writer's turn, so that of many who come at once exactly as many pass as there are uses left. */
  #countUse(hash: string): Promise<ApiCaller> {
    return this.#in.writer.change(() => {
      const record = this.index.get(hash);
      if (record === undefined) throw tokenInvalid();
      const caller = this.#callerOf(record);
      const numUses = record.numUses > 1 ? record.numUses - 1 : -1;
      const write: Write = { kind: "service_token", key: hash, value: { ...record, numUses } };
      return { writes: [write], result: () => caller };
    });
  }
}

/** Whether a token's time is over. */
function hasExpired({ expiresAt }: ServiceTokenRecord, now: number): boolean {
  return expiresAt !== null && now >= expiresAt;
}

function tokenInvalid(): VaultError {
  return new VaultError("token_invalid", "Invalid token");
}

function denied(): VaultError {
  return new VaultError("permission_denied", "permission denied");
}

export type { Minted, MintSpec } from "./minting.ts";
