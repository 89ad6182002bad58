/**
 * Making service tokens.
 *
 * @module
 */

import { VaultError } from "../errors.ts";
import type { VaultState } from "../state.ts";
import type { ServiceTokenRecord } from "../storage/identity_records.ts";
import type { UserRecord } from "../storage/records.ts";
import type { Write } from "../storage/store.ts";
import type { Surroundings } from "../tokens/token_service.ts";
import type { ApiCaller } from "./caller.ts";
import { formatSeconds } from "./format_seconds.ts";
import { initialLifetime, type LifetimeInput } from "./lifetimes.ts";
import type { TokenIndex } from "./token_index.ts";
import { newAccessor, newServiceToken, type TokenHasher } from "./token_text.ts";

/** S18: more live tokens than that are no user's need. */
const MAX_TOKENS_PER_ENTITY = 10_000;
const MAX_DEPTH = 32;

/** What a token shall be. */
export interface MintSpec {
  /** A text that somebody with `sudo` chose; absent: drawn. */
  readonly id?: string;
  readonly type?: ServiceTokenRecord["type"];
  readonly policies: readonly string[];
  readonly path: string;
  readonly mountAccessor: string;
  readonly displayName: string;
  readonly meta: Readonly<Record<string, string>> | null;
  /** The entity that it acts as; null: none. */
  readonly entity: UserRecord | null;
  /** Who makes it, so that it ends with them. */
  readonly parent: ApiCaller | null;
  /** Whether it lives on when its parent's token ends. It ends with its parent's entity and evt token all the same. */
  readonly isOrphan: boolean;
  /** Null: it never expires. */
  readonly lifetime: LifetimeInput | null;
  readonly renewable: boolean;
  readonly numUses: number;
  readonly boundCidrs: readonly string[];
  readonly role?: string;
  readonly login?: { readonly username: string };
  readonly wrappedPath?: string;
  readonly wrappedAccessor?: string;
  /** What it ends with, in the place of what its maker's tokens end with. */
  readonly descent?: Pick<ServiceTokenRecord, "creator" | "evtAgentId">;
}

/** A token just made: the only moment at which it is known. */
export interface Minted {
  readonly token: string;
  readonly record: ServiceTokenRecord;
  readonly writes: readonly Write[];
  readonly warnings: readonly string[];
}

/** Makes tokens; always in the writer's turn. */
export class Minting {
  readonly #in: Surroundings;
  readonly #state: VaultState;
  readonly #index: TokenIndex;
  readonly #hasher: TokenHasher;
  /** Tokens planned since the last commit, which the index doesn't know yet. */
  readonly #planned = new Map<string, number>();
  #plannedAfter = -1;

  constructor(surroundings: Surroundings, index: TokenIndex, hasher: TokenHasher) {
    this.#in = surroundings;
    this.#state = surroundings.state;
    this.#index = index;
    this.#hasher = hasher;
  }

  /**
   * Plans a token.
   *
   * @throws {VaultError} `rate_limited` for an entity that has too many, `invalid_argument` for a chosen text in use or a
   *   hierarchy too deep, `token_invalid` where the maker's entity ended meanwhile.
   */
  plan(spec: MintSpec): Minted {
    this.#assertRoom(ownerOfSpec(spec));
    this.#assertDepth(spec);
    const { clock, random } = this.#in;
    const now = clock.now();
    const token = spec.id ?? newServiceToken(random);
    const hash = this.#hasher.hash(token);
    if (this.#index.get(hash) !== undefined) {
      throw new VaultError("invalid_argument", "cannot create a token with a duplicate ID");
    }
    const granted = spec.lifetime === null ? null : initialLifetime(spec.lifetime);
    const record: ServiceTokenRecord = {
      hash,
      accessor: newAccessor(random),
      parent: spec.isOrphan ? null : spec.parent?.token?.hash ?? null,
      ...(spec.descent ?? this.#descent(spec)),
      entityId: spec.entity?.entityId ?? "",
      epoch: spec.entity === null ? 0 : this.#epochNow(spec.entity),
      type: spec.type ?? "service",
      policies: spec.policies,
      path: spec.path,
      mountAccessor: spec.mountAccessor,
      displayName: spec.displayName,
      meta: spec.meta,
      numUses: spec.numUses,
      renewable: spec.renewable && granted !== null,
      creationTtl: granted?.ttl ?? 0,
      ttl: granted?.ttl ?? 0,
      explicitMaxTtl: spec.lifetime?.explicitMaxTtl ?? 0,
      period: spec.lifetime?.period ?? 0,
      createdAt: now,
      expiresAt: granted === null ? null : now + granted.ttl * 1000,
      boundCidrs: spec.boundCidrs,
      ...(spec.role === undefined ? {} : { role: spec.role }),
      ...(spec.login === undefined ? {} : { login: spec.login }),
      ...(spec.wrappedPath === undefined ? {} : { wrappedPath: spec.wrappedPath }),
      ...(spec.wrappedAccessor === undefined ? {} : { wrappedAccessor: spec.wrappedAccessor }),
    };
    const warnings = granted?.cappedFrom === undefined
      ? []
      : [cappedWarning(granted.cappedFrom, granted.effectiveMax!)];
    return { token, record, writes: [{ kind: "service_token", key: hash, value: record }], warnings };
  }

  /** What it descends from besides its parent: an evt token (S7), and of an orphan the entity that made it (S6). */
  #descent({ parent, isOrphan, entity }: MintSpec): Partial<ServiceTokenRecord> {
    if (parent === null) return {};
    const evtAgentId = parent.evt === null ? parent.token?.evtAgentId : parent.accessor;
    const maker = parent.entity?.record;
    const isForAnother = maker !== undefined && (isOrphan || entity?.entityId !== maker.entityId);
    // An orphan acts as nobody; who made it stands behind what it makes as well.
    const inherited = maker === undefined ? parent.token?.creator : undefined;
    const creator = isForAnother ? { entityId: maker.entityId, epoch: this.#epochNow(maker) } : inherited;
    return {
      ...(evtAgentId === undefined ? {} : { evtAgentId }),
      ...(creator === undefined ? {} : { creator }),
    };
  }

  /** The epoch in the turn that commits, not the one that the caller came with. An entity made with it has its own. */
  #epochNow(entity: UserRecord): number {
    return this.#state.users.get(entity.entityId)?.record.epoch ?? entity.epoch;
  }

  #assertRoom(owner: string): void {
    if (owner === "") return;
    if (this.#plannedAfter !== this.#state.sequence) this.#planned.clear();
    this.#plannedAfter = this.#state.sequence;
    const planned = (this.#planned.get(owner) ?? 0) + 1;
    if (this.#index.countOf(owner) + planned > MAX_TOKENS_PER_ENTITY) {
      throw new VaultError("rate_limited", `this entity has ${MAX_TOKENS_PER_ENTITY} live tokens`, {
        hint: "revoke some, or give them a shorter life",
      });
    }
    this.#planned.set(owner, planned);
  }

  #assertDepth({ parent, isOrphan }: MintSpec): void {
    let depth = 0;
    for (let up = isOrphan ? null : parent?.token ?? null; up !== null; depth++) {
      up = up.parent === null ? null : this.#index.get(up.parent) ?? null;
    }
    if (depth >= MAX_DEPTH) throw new VaultError("invalid_argument", "token hierarchy is too deep");
  }
}

/** The entity whose allowance a new token takes: its own, or that of whoever stands behind its maker. */
function ownerOfSpec({ entity, parent }: MintSpec): string {
  return entity?.entityId ?? (parent === null ? "" : ownerOfCaller(parent));
}

/** The entity that a caller's doings count for; empty: nobody's, as with root. */
export function ownerOfCaller({ entity, token }: ApiCaller): string {
  return entity?.record.entityId ?? token?.creator?.entityId ?? "";
}

/** What a client is told whose wish was cut. */
export function cappedWarning(wanted: number, max: number): string {
  return `TTL of "${formatSeconds(wanted)}" exceeded the effective max_ttl of "${
    formatSeconds(max)
  }"; TTL value is capped accordingly`;
}
