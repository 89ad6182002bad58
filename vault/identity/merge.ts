/**
 * Merging entities: what was known as several is one from then on.
 *
 * @module
 */

import { VaultError } from "../errors.ts";
import type { User } from "../state.ts";
import type { AliasRecord } from "../storage/identity_records.ts";
import type { Write } from "../storage/store.ts";
import type { Surroundings } from "../tokens/token_service.ts";
import type { Plan } from "../writer.ts";
import { assertKeepsLogins } from "./cut_off_guard.ts";
import type { IdentityIndex } from "./identity_index.ts";

/** What is merged into what. */
export interface MergeInput {
  readonly from: readonly string[];
  readonly to: string;
  /** Aliases that win where two entities have one on the same mount. */
  readonly keep: readonly string[];
}

/** Merges entities. */
export class EntityMerge {
  readonly #in: Surroundings;
  readonly #index: IdentityIndex;

  constructor(surroundings: Surroundings, index: IdentityIndex) {
    this.#in = surroundings;
    this.#index = index;
  }

  /**
   * Moves aliases and memberships of some entities to another, which takes their credentials over; their metadata and
   * policies go.
   *
   * @throws {VaultError} `invalid_argument` for unknown entities, a user of the vault as a source, or aliases that clash
   *   (they stand in `data.response`).
   */
  merge(input: MergeInput): Promise<void> {
    return this.#in.writer.change(() => this.#plan(input));
  }

  #plan({ from, to, keep }: MergeInput): Plan<void> {
    const target = this.#index.entity(to);
    if (target === undefined) throw new VaultError("invalid_argument", "entity id to merge to is invalid");
    const sources = [...new Set(from)].map((id) => this.#source(id, to));
    const moved = this.#moveAliases(sources, target, new Set(keep));
    const ids = new Set(sources.map((source) => source.record.entityId));
    const now = this.#in.clock.now();
    const writes: Write[] = [
      ...moved,
      ...this.#moveMemberships(ids, to),
      ...sources.map(({ record }): Write => ({
        kind: "user",
        key: record.entityId,
        value: { ...record, mergedInto: to, updatedAt: now },
      })),
      {
        kind: "user",
        key: to,
        value: {
          ...target.record,
          mergedEntityIds: [
            ...new Set([
              ...target.record.mergedEntityIds ?? [],
              ...sources.flatMap(({ record }) => [record.entityId, ...record.mergedEntityIds ?? []]),
            ]),
          ],
          version: (target.record.version ?? 1) + 1,
          updatedAt: now,
        },
      },
    ];
    return { writes, result: () => {} };
  }

  #source(id: string, to: string): User {
    if (id === to) {
      throw new VaultError("invalid_argument", "to_entity_id should not be present in from_entity_ids");
    }
    const source = this.#index.entity(id);
    if (source === undefined) throw new VaultError("invalid_argument", "entity id to merge from is invalid");
    assertKeepsLogins(source.record);
    if (source.record.isUser !== false) {
      throw new VaultError("invalid_argument", "a user of the vault can't be merged into another entity", {
        hint: "merge the other way round, or use `runevault user link`",
      });
    }
    return source;
  }

  #moveAliases(sources: readonly User[], target: User, keep: ReadonlySet<string>): Write[] {
    const kept = new Map(this.#index.aliasesOf(target.record.entityId));
    const writes: Write[] = [];
    const clashes: [AliasRecord, AliasRecord][] = [];
    for (const source of sources) {
      for (const alias of this.#index.aliasesOf(source.record.entityId).values()) {
        const other = kept.get(alias.mountAccessor);
        if (other !== undefined && !keep.has(alias.id) && !keep.has(other.id)) {
          clashes.push([other, alias]);
          continue;
        }
        const loser = other === undefined ? undefined : keep.has(alias.id) ? other : alias;
        if (loser !== undefined) writes.push({ kind: "alias", key: loser.id });
        if (loser === alias) continue;
        kept.set(alias.mountAccessor, alias);
        writes.push({ kind: "alias", key: alias.id, value: this.#movedAlias(alias, target.record.entityId) });
      }
    }
    if (clashes.length > 0) throw this.#clash(clashes);
    return writes;
  }

  #movedAlias(alias: AliasRecord, entityId: string): AliasRecord {
    const mergedFromEntityIds = [...alias.mergedFromEntityIds, alias.entityId];
    return { ...alias, entityId, mergedFromEntityIds, updatedAt: this.#in.clock.now() };
  }

  #moveMemberships(from: ReadonlySet<string>, to: string): Write[] {
    const groups = new Map([...from].flatMap((id) => this.#index.directGroups(id)).map((group) => [group.id, group]));
    return [...groups.values()].map((group) => {
      const others = group.memberEntityIds.filter((id) => !from.has(id) && id !== to);
      return { kind: "group", key: group.id, value: { ...group, memberEntityIds: [...others, to] } };
    });
  }

  #clash(clashes: readonly (readonly [AliasRecord, AliasRecord])[]): VaultError {
    const response = clashes.flat().map((alias) => ({
      alias: alias.name,
      alias_id: alias.id,
      entity: this.#index.nameOf(this.#in.state.users.get(alias.entityId)!.record),
      entity_id: alias.entityId,
      mount_accessor: alias.mountAccessor,
    }));
    return new VaultError("invalid_argument", "toEntity and at least one fromEntity have aliases with the same mount", {
      hint: "name those to keep in conflicting_alias_ids_to_keep",
      data: { response },
    });
  }
}
