/**
 * Leases by the token that they die with, and by the entity whose allowance they take.
 *
 * @module
 */

import type { VaultState } from "../state.ts";
import type { LeaseRecord } from "../storage/database_records.ts";

/** How many leases there are. */
export interface LeaseCounts {
  /** In use; those whose accounts are being made count too. */
  readonly live: number;
  /** At their end, with an account that isn't gone yet. */
  readonly pending: number;
}

/** Looks leases up. */
export class LeaseIndex {
  readonly #state: VaultState;
  /** Ids of leases whose accounts are being made: on disk already, and nobody's yet. */
  readonly beingMade: Set<string> = new Set();
  #pending = 0;
  readonly #byToken = new Map<string, Set<string>>();
  readonly #byEntity = new Map<string, Set<string>>();
  readonly #byConnection = new Map<string, Set<string>>();

  constructor(state: VaultState) {
    this.#state = state;
    state.watch("lease", (after, before) => {
      if (before !== undefined) this.#note(before, false);
      if (after !== undefined) this.#note(after, true);
      this.#pending += Number(after?.state === "ending") - Number(before?.state === "ending");
    });
  }

  /** How many there are; counted as they come and go. */
  get counts(): LeaseCounts {
    return { live: this.#state.table("lease").size - this.#pending, pending: this.#pending };
  }

  /** A lease by its id. */
  get(id: string): LeaseRecord | undefined {
    return this.#state.table("lease").get(id);
  }

  /** All leases. */
  all(): Iterable<LeaseRecord> {
    return this.#state.table("lease").values();
  }

  /** Those that die with a token. */
  ofToken(tokenHash: string): LeaseRecord[] {
    return this.#records(this.#byToken.get(tokenHash));
  }

  /** Those of an entity. */
  ofEntity(entityId: string): LeaseRecord[] {
    return this.#records(this.#byEntity.get(entityId));
  }

  /** How many an entity has. */
  countOf(entityId: string): number {
    return this.#byEntity.get(entityId)?.size ?? 0;
  }

  /** How many are on a connection. */
  countOn(mountAccessor: string, connection: string): number {
    return this.#byConnection.get(`${mountAccessor}/${connection}`)?.size ?? 0;
  }

  /** A lease that somebody has, or whose account is to go. */
  issued(id: string): LeaseRecord | undefined {
    return this.beingMade.has(id) ? undefined : this.get(id);
  }

  /** Those at a path or below it, by whole segments; a whole id is a path too. None whose account is being made. */
  below(prefix: string): LeaseRecord[] {
    const bare = prefix.replace(/\/+$/, "");
    const isBelow = ({ id }: LeaseRecord) => bare === "" || id === bare || id.startsWith(`${bare}/`);
    return [...this.all()].filter((lease) => isBelow(lease) && !this.beingMade.has(lease.id));
  }

  #records(ids: ReadonlySet<string> | undefined): LeaseRecord[] {
    return [...ids ?? []].map((id) => this.get(id)!);
  }

  #note({ id, tokenHash, entityId, mountAccessor, account }: LeaseRecord, isThere: boolean): void {
    noteIn(this.#byToken, tokenHash, id, isThere);
    noteIn(this.#byEntity, entityId, id, isThere);
    noteIn(this.#byConnection, `${mountAccessor}/${account.connection}`, id, isThere);
  }
}

function noteIn(map: Map<string, Set<string>>, key: string, id: string, isThere: boolean): void {
  const ids = map.get(key) ?? new Set();
  if (isThere) ids.add(id);
  else ids.delete(id);
  if (ids.size === 0) map.delete(key);
  else map.set(key, ids);
}
