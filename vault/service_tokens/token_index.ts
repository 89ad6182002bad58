/**
 * Where service tokens are found by accessor, by parent and by entity.
 *
 * @module
 */

import type { VaultState } from "../state.ts";
import type { ServiceTokenRecord } from "../storage/identity_records.ts";
import { DueQueue } from "../due_queue.ts";

/** The look-up tables of service tokens, kept up with every change. */
export class TokenIndex {
  readonly #records: ReadonlyMap<string, ServiceTokenRecord>;
  readonly #byAccessor = new Map<string, ServiceTokenRecord>();
  readonly #children = new Map<string, Set<string>>();
  /** By the entity that a token acts as, or that stands behind it. */
  readonly #byOwner = new Map<string, Set<string>>();
  readonly #byEvt = new Map<string, Set<string>>();
  /** Hashes by the moment of their expiry. */
  readonly due: DueQueue = new DueQueue();

  constructor(state: VaultState) {
    this.#records = state.table("service_token");
    state.watch("service_token", (after, before) => {
      if (before !== undefined) this.#byAccessor.delete(before.accessor);
      if (after !== undefined) this.#byAccessor.set(after.accessor, after);
      if (before === undefined) this.#noteOwners(after!, true);
      else if (after === undefined) this.#noteOwners(before, false);
      this.#noteParent(after, before);
      // One that is renewed stays where it waits, and is put back when its turn comes too early.
      const [end, formerEnd] = [after?.expiresAt ?? null, before?.expiresAt ?? null];
      if (end !== null && (formerEnd === null || end < formerEnd)) this.due.add(end, after!.hash);
    });
  }

  /** A token by its hash. */
  get(hash: string): ServiceTokenRecord | undefined {
    return this.#records.get(hash);
  }

  /** A token by its accessor. */
  byAccessor(accessor: string): ServiceTokenRecord | undefined {
    return this.#byAccessor.get(accessor);
  }

  /** Every accessor. */
  accessors(): string[] {
    return [...this.#byAccessor.keys()];
  }

  /** All tokens. */
  all(): Iterable<ServiceTokenRecord> {
    return this.#records.values();
  }

  /** How many tokens act as an entity, or were made by it for nobody. */
  countOf(entityId: string): number {
    return this.#byOwner.get(entityId)?.size ?? 0;
  }

  /** The tokens that act as an entity, or were made by it for nobody. */
  ofEntity(entityId: string): ServiceTokenRecord[] {
    return this.#of(this.#byOwner.get(entityId));
  }

  /** The tokens in the descent of an evt token, by its agent id. */
  ofEvt(agentId: string): ServiceTokenRecord[] {
    return this.#of(this.#byEvt.get(agentId));
  }

  /** The tokens that a token made. */
  childrenOf(hash: string): ServiceTokenRecord[] {
    return [...this.#children.get(hash) ?? []].map((child) => this.#records.get(child)!);
  }

  /** Tokens and all that descend from them, each once. */
  withDescendants(records: readonly ServiceTokenRecord[]): ServiceTokenRecord[] {
    const found = new Map<string, ServiceTokenRecord>();
    for (const queue = [...records]; queue.length > 0;) {
      const record = queue.pop()!;
      if (found.has(record.hash)) continue;
      found.set(record.hash, record);
      queue.push(...this.childrenOf(record.hash));
    }
    return [...found.values()];
  }

  #of(hashes: ReadonlySet<string> | undefined): ServiceTokenRecord[] {
    return [...hashes ?? []].map((hash) => this.#records.get(hash)!);
  }

  #noteOwners({ entityId, creator, evtAgentId, hash }: ServiceTokenRecord, isThere: boolean): void {
    const owner = entityId === "" ? creator?.entityId : entityId;
    if (owner !== undefined) noteIn(this.#byOwner, owner, hash, isThere);
    if (evtAgentId !== undefined) noteIn(this.#byEvt, evtAgentId, hash, isThere);
  }

  #noteParent(after: ServiceTokenRecord | undefined, before: ServiceTokenRecord | undefined): void {
    if (after?.parent === before?.parent) return;
    if (before?.parent) {
      const siblings = this.#children.get(before.parent);
      siblings?.delete(before.hash);
      if (siblings?.size === 0) this.#children.delete(before.parent);
    }
    if (after?.parent) {
      const siblings = this.#children.get(after.parent) ?? new Set();
      this.#children.set(after.parent, siblings.add(after.hash));
    }
  }
}

function noteIn(map: Map<string, Set<string>>, key: string, hash: string, isThere: boolean): void {
  const hashes = map.get(key) ?? new Set();
  if (isThere) hashes.add(hash);
  else hashes.delete(hash);
  if (hashes.size === 0) map.delete(key);
  else map.set(key, hashes);
}
