/**
 * Leases: how long an account made for a token may be used, and who may say so.
 *
 * @module
 */

import { inBackground } from "../audit/request.ts";
import { asVaultError, VaultError } from "../errors.ts";
import { formatSeconds } from "../service_tokens/format_seconds.ts";
import type { ServiceTokenRecord } from "../storage/identity_records.ts";
import type { LeaseRecord } from "../storage/database_records.ts";
import type { Write } from "../storage/store.ts";
import { type LeaseBackend, LeaseEndings, type LeaseSurroundings } from "./lease_endings.ts";
import { type LeaseCounts, LeaseIndex } from "./lease_index.ts";

/** Live and ending leases that an entity may have (S18). */
export const MAX_LEASES_OF_ENTITY = 1000;
/** How long a revocation that isn't waited for is waited for all the same, so that most clients see it done. */
const PATIENCE_MS = 2000;

/** What keeps accounts. */
export interface AccountBackend extends LeaseBackend {
  /** Lets an account live until then; `VaultError` whose message holds no secret. */
  renew(lease: LeaseRecord, expiresAt: number): Promise<void>;
}

/** A lease as it is told. */
export interface LeaseSummary {
  readonly id: string;
  readonly issuedAt: number;
  readonly expiresAt: number;
  readonly renewedAt: number | null;
  readonly renewable: boolean;
  /** Seconds left; 0 once it waits for its end. */
  readonly ttl: number;
  readonly revokeError?: string;
}

/** A lease with what it is for: what operators are told of a user. */
export interface HeldLease extends LeaseSummary {
  readonly mountAccessor: string;
  readonly entityId: string;
  readonly connection: string;
  readonly role: string;
  /** The account's name on the server. */
  readonly username: string;
  readonly state: LeaseRecord["state"];
}

/** What is written together with a lease. */
export interface AlongWithLease {
  /** Waited for before the store is asked; absent: nothing is. */
  readonly before?: () => Promise<void>;
  /** In the writer's turn. */
  plan(): readonly Write[];
  /** It is durable. */
  written(): void;
}

/** How a revocation came out. */
export interface Revocation {
  /** Whether it waits for what it needs. */
  readonly isQueued: boolean;
  readonly warnings: readonly string[];
}

/** Everything that is done to leases. */
export class Leases {
  readonly #in: LeaseSurroundings;
  readonly #backend: AccountBackend;
  readonly #maxOfEntity: number;
  /** Leases of each entity that wait to be written. */
  readonly #waiting = new Map<string, number>();
  readonly index: LeaseIndex;
  readonly endings: LeaseEndings;

  constructor(surroundings: LeaseSurroundings, backend: AccountBackend, maxOfEntity = MAX_LEASES_OF_ENTITY) {
    this.#in = surroundings;
    this.#maxOfEntity = maxOfEntity;
    this.#backend = backend;
    this.index = new LeaseIndex(surroundings.state);
    this.endings = new LeaseEndings(surroundings, this.index, backend);
    surroundings.writer.addBookkeeping((writes) => writes.flatMap((write) => this.#planFollowing(write)));
  }

  /**
   * Writes a lease down, for an account that is about to be made: whoever dies meanwhile leaves none without. Until
   * {@link made} or {@link abandon} it is nobody's.
   *
   * @param isStillLive Whether its token is, asked in the writer's turn: one that ends later ends the lease.
   * @param along What the store is to know of with it; absent: nothing.
   * @throws {VaultError} `rate_limited` where the entity has as many as it may, `permission_denied`, `storage_failed`.
   */
  async intend(lease: LeaseRecord, isStillLive: () => boolean, along?: AlongWithLease): Promise<void> {
    this.assertRoom(lease.entityId);
    const { beingMade } = this.index;
    beingMade.add(lease.id);
    this.#waiting.set(lease.entityId, (this.#waiting.get(lease.entityId) ?? 0) + 1);
    try {
      await along?.before?.();
      await this.#in.writer.join(() => {
        if (!isStillLive()) throw new VaultError("permission_denied", "permission denied");
        const more = along?.plan() ?? [];
        return { writes: [...more, put(lease)], result: () => along?.written(), isPreliminary: true };
      });
    } catch (error) {
      beingMade.delete(lease.id);
      throw error;
    } finally {
      this.#waiting.set(lease.entityId, this.#waiting.get(lease.entityId)! - 1);
      if (this.#waiting.get(lease.entityId) === 0) this.#waiting.delete(lease.entityId);
    }
  }

  /**
   * The account of an intended lease is made.
   *
   * @returns Whether somebody may have it; false: its token ended meanwhile, and the account goes.
   */
  made(lease: LeaseRecord): boolean {
    this.index.beingMade.delete(lease.id);
    if (this.index.get(lease.id)?.state === "live") return true;
    // It is on its way out already; now it is known to be there.
    void this.endings.endNow(lease.id).catch(() => {});
    return false;
  }

  /**
   * Takes back what {@link intend} wrote, with whatever of the account is there.
   *
   * @param isUncertain Whether the server may be about to make it still: then it is looked for once more.
   */
  async abandon(lease: LeaseRecord, isUncertain: boolean): Promise<void> {
    this.index.beingMade.delete(lease.id);
    try {
      if (!isUncertain) return void await this.endings.endNow(lease.id);
    } catch {
      // It is tried again, and says why, for as long as it takes.
    }
    const left = () =>
      this.index.ofToken(lease.tokenHash).filter(({ id, state }) => id === lease.id && state === "live");
    const plan = isUncertain ? () => this.endings.planEndOfUncertain(left()) : () => this.endings.planEnd(left());
    await this.#in.writer.change(() => ({ writes: plan(), result: () => {} }));
  }

  /** Ends a lease that was answered to nobody; where its account can't be taken away now, it is tried again as any other is. */
  takeBack(id: string): Promise<void> {
    return inBackground("take_lease_back", async () => {
      const lease = this.index.issued(id);
      if (lease !== undefined) await this.abandon(lease, false);
    });
  }

  /** A lease by its id; one whose account isn't made yet is none. */
  find(id: string): LeaseSummary | undefined {
    const lease = this.index.issued(id);
    return lease === undefined ? undefined : this.#summary(lease);
  }

  /** Ids at a path or below it. */
  list(prefix: string): string[] {
    return this.index.below(prefix).map(({ id }) => id);
  }

  /** Leases whose end keeps failing. */
  failing(): (LeaseSummary & { readonly mountAccessor: string })[] {
    const failing = [...this.index.all()].filter(({ state, failures = 0 }) => state === "ending" && failures > 0);
    return failing.map((lease) => ({ ...this.#summary(lease), mountAccessor: lease.mountAccessor }));
  }

  /**
   * Lets a lease live longer, from now on, up to its maximum.
   *
   * @param increment Seconds; 0: the default.
   * @throws {VaultError} `invalid_argument`.
   */
  async renew(id: string, increment: number): Promise<LeaseSummary & { readonly warnings: readonly string[] }> {
    if (increment < 0) throw new VaultError("invalid_argument", "increment cannot be negative");
    const now = this.#in.clock.now();
    const lease = this.#renewable(id, now);
    const wanted = increment || lease.defaultTtl;
    const left = Math.floor((lease.maxExpiresAt - now) / 1000);
    const warnings = wanted <= left ? [] : [
      `TTL of "${formatSeconds(wanted)}" exceeded the effective max_ttl of "${formatSeconds(left)}"; ` +
      "TTL value is capped accordingly",
    ];
    const ttl = Math.min(wanted, left);
    const expiresAt = now + ttl * 1000;
    await this.#backend.renew(lease, expiresAt).catch((error: unknown) => {
      throw new VaultError("invalid_argument", `failed to renew entry: ${asVaultError(error).message}`);
    });
    const renewed = await this.#in.writer.change(() => {
      const value: LeaseRecord = { ...this.#renewable(id, now), expiresAt, renewedAt: now };
      return { writes: [put(value)], result: () => value };
    });
    return { ...this.#summary(renewed), ttl, warnings };
  }

  /**
   * Ends a lease; one that there isn't is no error.
   *
   * @param isSync Whether to wait, and to leave the lease as it was where it can't be ended.
   * @throws {VaultError} `invalid_argument` where that was wanted and failed.
   */
  async revoke(id: string, isSync: boolean): Promise<Revocation> {
    if (this.find(id) === undefined) return { isQueued: false, warnings: [] };
    if (!isSync) return await this.#queue([id]);
    try {
      return { isQueued: false, warnings: await this.endings.endNow(id) };
    } catch (error) {
      throw new VaultError("invalid_argument", `failed to revoke entry: ${asVaultError(error).message}`);
    }
  }

  /** {@link revoke} for all at a path or below it; goes on past failures and reports the first of them. */
  async revokePrefix(prefix: string, isSync: boolean): Promise<Revocation> {
    const ids = this.list(prefix);
    if (!isSync) return await this.#queue(ids);
    const ended = await Promise.allSettled(ids.map((id) => this.endings.endNow(id)));
    const failed = ended.findIndex(({ status }) => status === "rejected");
    if (failed === -1) {
      return {
        isQueued: false,
        warnings: ended.flatMap((one) => one.status === "fulfilled" ? one.value : []),
      };
    }
    const count = ended.filter(({ status }) => status === "rejected").length;
    const { message } = asVaultError((ended[failed] as PromiseRejectedResult).reason);
    throw new VaultError(
      "invalid_argument",
      `failed to revoke "${ids[failed]}" (${count} / ${ids.length}): ${message}`,
    );
  }

  /** Forgets all at a path or below it, whatever becomes of their accounts. */
  forcePrefix(prefix: string): Promise<void> {
    return this.#in.writer.change(() => ({
      writes: this.index.below(prefix).map(({ id }) => ({ kind: "lease", key: id })),
      result: () => {},
    }));
  }

  /** How many there are, for metrics. */
  get counts(): LeaseCounts {
    return this.index.counts;
  }

  /** What an entity holds, also what waits for its end; the oldest first. */
  heldBy(entityId: string): HeldLease[] {
    return this.index.ofEntity(entityId).map((lease) => this.#held(lease)).sort((a, b) => a.issuedAt - b.issuedAt);
  }

  /** Everything that anybody holds; the oldest first. */
  held(): HeldLease[] {
    return [...this.index.all()].map((lease) => this.#held(lease)).sort((a, b) => a.issuedAt - b.issuedAt);
  }

  /**
   * The writes that end all that an entity holds, in the writer's turn: for whoever cuts a user off and wants it in the same
   * transaction. What is being made meanwhile ends when it is made, if its token did.
   */
  planEndOfEntity(entityId: string): Write[] {
    return this.endings.planEnd(this.index.ofEntity(entityId));
  }

  /** Ends all that an entity holds; waits a little for the accounts to go. */
  endOfEntity(entityId: string): Promise<Revocation> {
    const issued = this.index.ofEntity(entityId).filter(({ id }) => !this.index.beingMade.has(id));
    return this.#queue(issued.map(({ id }) => id));
  }

  /** The writes that end what a token leased, in the writer's turn. */
  planEndOfToken({ hash }: Pick<ServiceTokenRecord, "hash">): Write[] {
    return this.endings.planEnd(this.index.ofToken(hash));
  }

  /** Refuses an entity that has as many as it may (`rate_limited`). */
  assertRoom(entityId: string): void {
    const held = this.index.countOf(entityId) + (this.#waiting.get(entityId) ?? 0);
    if (entityId === "" || held < this.#maxOfEntity) return;
    throw new VaultError("rate_limited", `at most ${this.#maxOfEntity} leases at a time`, {
      hint: "revoke some, or let them expire",
    });
  }

  async #queue(ids: readonly string[]): Promise<Revocation> {
    await this.#in.writer.change(() => {
      const leases = ids.map((id) => this.index.get(id)).filter((lease) => lease !== undefined);
      return { writes: this.endings.planEnd(leases), result: () => {} };
    });
    return { isQueued: await this.endings.gone(ids, PATIENCE_MS) > 0, warnings: [] };
  }

  #renewable(id: string, now: number): LeaseRecord {
    const lease = this.index.issued(id);
    if (lease === undefined) throw new VaultError("invalid_argument", "lease not found");
    if (lease.state === "ending" && (lease.failures ?? 0) > 0) {
      throw new VaultError("invalid_argument", "lease is expired and has failed previous revocation attempts");
    }
    if (lease.state === "live" && lease.expiresAt > now) return lease;
    throw new VaultError("invalid_argument", "lease expired");
  }

  /** An evt token that ends, an epoch that rises, and a user who is disabled, end what was leased under them. */
  #planFollowing(write: Write): Write[] {
    if (write.kind === "user_token" && write.value?.ended !== undefined) {
      return this.endings.planEnd(this.index.ofToken(write.value.tokenHash));
    }
    if (write.kind !== "user" || write.value === undefined) return [];
    const before = this.#in.state.users.get(write.key)?.record;
    if (before === undefined) return [];
    const isRefused = write.value.epoch > before.epoch || write.value.disabled && !before.disabled;
    // What was leased before a merge was leased to an entity that is this one now.
    return isRefused ? [write.key, ...before.mergedEntityIds ?? []].flatMap((id) => this.planEndOfEntity(id)) : [];
  }

  #held(lease: LeaseRecord): HeldLease {
    const { mountAccessor, entityId, role, state, account: { connection, username: name, isNameEnd } } = lease;
    const username = isNameEnd ? `*${name}` : name;
    return { ...this.#summary(lease), mountAccessor, entityId, connection, role, username, state };
  }

  #summary(lease: LeaseRecord): LeaseSummary {
    const { id, issuedAt, expiresAt, renewedAt, state, lastError } = lease;
    const left = state === "live" ? Math.floor((expiresAt - this.#in.clock.now()) / 1000) : 0;
    return {
      id,
      issuedAt,
      expiresAt,
      renewedAt,
      renewable: left > 0,
      ttl: Math.max(0, left),
      ...(lastError === undefined ? {} : { revokeError: lastError }),
    };
  }
}

function put(value: LeaseRecord): Write {
  return { kind: "lease", key: value.id, value };
}
