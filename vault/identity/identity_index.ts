/**
 * Where entities, aliases and groups are found by name, by owner and by member, kept up with every change, so that no
 * request scans them.
 *
 * @module
 */

import { hashText, RowIndex } from "../rows/row_index.ts";
import type { User, VaultState } from "../state.ts";
import type { AliasRecord, GroupRecord } from "../storage/identity_records.ts";
import type { UserRecord } from "../storage/records.ts";
import { entityNameOf, isPresent } from "./view.ts";

/** Names are one name whatever their case. */
export function foldName(name: string): string {
  return name.toLowerCase();
}

/** The look-up tables of the identity room. */
export class IdentityIndex {
  readonly #state: VaultState;
  /** Entities by their name. Several share one only where users of old files do, or a login came first. */
  readonly #byName: RowIndex;
  readonly #aliasByName = new Map<string, AliasRecord>();
  readonly #aliasesByEntity = new Map<string, Map<string, AliasRecord>>();
  readonly #groupByName = new Map<string, GroupRecord>();
  readonly #groupsByEntity = new Map<string, Set<string>>();
  readonly #groupsByGroup = new Map<string, Set<string>>();
  readonly #stamps = new Map<string, number>();
  #groupStamp = 0;

  constructor(state: VaultState) {
    this.#state = state;
    this.#byName = new RowIndex((row) => hashText(foldName(state.users.entityNameOf(row))));
    for (let row = 0; row < state.users.size; row++) if (isRowPresent(state, row)) this.#byName.add(row);
    state.watchEntities((after, before) => this.#noteEntity(after!, before));
    state.watch("alias", (after, before) => this.#noteAlias(after, before));
    state.watch("group", (after, before) => this.#noteGroup(after, before));
  }

  /** An entity that is there. */
  entity(id: string): User | undefined {
    const user = this.#state.users.get(id);
    return user !== undefined && isPresent(user.record) ? user : undefined;
  }

  /** The entity that an id stands for now: the one it was merged into, if it was. */
  followed(id: string): User | undefined {
    let user = this.#state.users.get(id);
    while (user?.record.mergedInto !== undefined) user = this.#state.users.get(user.record.mergedInto);
    return user?.record.deletedAt === undefined ? user : undefined;
  }

  /** An entity by its name. */
  entityByName(name: string): User | undefined {
    const row = this.#holderOf(foldName(name));
    return row === undefined ? undefined : this.#state.users.at(row);
  }

  /** The name of an entity: its own, or a made one where an older entity holds that. No two have one name. */
  nameOf(record: UserRecord): string {
    const name = entityNameOf(record);
    const holder = this.#holderOf(foldName(name));
    return holder === undefined || this.#state.users.idOf(holder) === record.entityId
      ? name
      : `entity_${record.entityId.slice(-8)}`;
  }

  /** The alias with a name on a mount. */
  alias(mountAccessor: string, name: string): AliasRecord | undefined {
    return this.#aliasByName.get(aliasKey(mountAccessor, name));
  }

  /** The aliases of an entity by the accessor of their mount. */
  aliasesOf(entityId: string): ReadonlyMap<string, AliasRecord> {
    return this.#aliasesByEntity.get(entityId) ?? new Map();
  }

  /** A group by its name. */
  groupByName(name: string): GroupRecord | undefined {
    return this.#groupByName.get(foldName(name));
  }

  /** The groups that have an entity as a member. */
  directGroups(entityId: string): GroupRecord[] {
    return this.#records(this.#groupsByEntity.get(entityId));
  }

  /** The groups that have a group as a member. */
  parentsOf(groupId: string): GroupRecord[] {
    return this.#records(this.#groupsByGroup.get(groupId));
  }

  /** The groups that an entity is in through other groups only. */
  inheritedGroups(entityId: string): GroupRecord[] {
    const direct = this.directGroups(entityId);
    const seen = new Set(direct.map((group) => group.id));
    const found: GroupRecord[] = [];
    for (const queue = [...direct]; queue.length > 0;) {
      for (const parent of this.parentsOf(queue.pop()!.id)) {
        if (seen.has(parent.id)) continue;
        seen.add(parent.id);
        found.push(parent);
        queue.push(parent);
      }
    }
    return found;
  }

  /** A number that grows whenever anything changes that a policy or template may show of an entity. */
  stampOf(entityId: string): number {
    return (this.#stamps.get(entityId) ?? 0) + this.#groupStamp;
  }

  #noteEntity(after: UserRecord, before: UserRecord | undefined): void {
    // Nobody has asked about one that is new.
    if (before !== undefined) this.#touch(after.entityId);
    const [had, has] = [heldName(before), heldName(after)];
    if (had === has) return;
    const row = this.#state.users.rowOf(after.entityId);
    if (had !== undefined) this.#dropName(row, had);
    if (has !== undefined) this.#byName.add(row);
  }

  /** Who holds a name: the oldest of those that have it. */
  #holderOf(folded: string): number | undefined {
    const rows = this.#rowsNamed(folded);
    if (rows.length < 2) return rows[0];
    const { users } = this.#state;
    return rows.reduce((oldest, row) => users.idOf(row) < users.idOf(oldest) ? row : oldest);
  }

  #rowsNamed(folded: string): number[] {
    const { users } = this.#state;
    return this.#byName.all(hashText(folded), (row) => foldName(users.entityNameOf(row)) === folded);
  }

  #dropName(row: number, folded: string): void {
    this.#byName.remove(row, hashText(folded));
    for (const other of this.#rowsNamed(folded)) this.#touch(this.#state.users.idOf(other));
  }

  #noteAlias(after: AliasRecord | undefined, before: AliasRecord | undefined): void {
    if (before !== undefined) {
      const key = aliasKey(before.mountAccessor, before.name);
      if (this.#aliasByName.get(key)?.id === before.id) this.#aliasByName.delete(key);
      const owned = this.#aliasesByEntity.get(before.entityId);
      if (owned?.get(before.mountAccessor)?.id === before.id) owned.delete(before.mountAccessor);
      if (owned?.size === 0) this.#aliasesByEntity.delete(before.entityId);
      this.#touch(before.entityId);
    }
    if (after === undefined) return;
    this.#aliasByName.set(aliasKey(after.mountAccessor, after.name), after);
    const owned = this.#aliasesByEntity.get(after.entityId) ?? new Map<string, AliasRecord>();
    this.#aliasesByEntity.set(after.entityId, owned.set(after.mountAccessor, after));
    this.#touch(after.entityId);
  }

  #noteGroup(after: GroupRecord | undefined, before: GroupRecord | undefined): void {
    this.#groupStamp++;
    if (before !== undefined) {
      if (this.#groupByName.get(foldName(before.name))?.id === before.id) {
        this.#groupByName.delete(foldName(before.name));
      }
      for (const id of before.memberEntityIds) this.#groupsByEntity.get(id)?.delete(before.id);
      for (const id of before.memberGroupIds) this.#groupsByGroup.get(id)?.delete(before.id);
    }
    if (after === undefined) return;
    this.#groupByName.set(foldName(after.name), after);
    for (const id of after.memberEntityIds) addTo(this.#groupsByEntity, id, after.id);
    for (const id of after.memberGroupIds) addTo(this.#groupsByGroup, id, after.id);
  }

  #touch(entityId: string): void {
    this.#stamps.set(entityId, (this.#stamps.get(entityId) ?? 0) + 1);
  }

  #records(ids: Iterable<string> | undefined): GroupRecord[] {
    if (ids === undefined) return [];
    const groups = this.#state.table("group");
    return [...ids].map((id) => groups.get(id)!);
  }
}

/** Most entities have nothing that needs a record to be made. */
function isRowPresent({ users }: VaultState, row: number): boolean {
  return !users.hasExtras(row) || isPresent(users.record(row));
}

function heldName(record: UserRecord | undefined): string | undefined {
  return record !== undefined && isPresent(record) ? foldName(entityNameOf(record)) : undefined;
}

function aliasKey(mountAccessor: string, name: string): string {
  return `${mountAccessor}\n${foldName(name)}`;
}

function addTo(map: Map<string, Set<string>>, key: string, value: string): void {
  const set = map.get(key) ?? new Set();
  map.set(key, set.add(value));
}
