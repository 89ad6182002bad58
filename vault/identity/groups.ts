/**
 * Groups of entities, and groups of groups.
 *
 * @module
 */

import { VaultError } from "../errors.ts";
import { newUuid } from "../ids.ts";
import type { GroupRecord, Json } from "../storage/identity_records.ts";
import type { Write } from "../storage/store.ts";
import type { Surroundings } from "../tokens/token_service.ts";
import type { IdentityIndex } from "./identity_index.ts";
import { type Author, authorsAfter } from "./metadata.ts";
import { cleanPolicies } from "./policies.ts";

const MAX_NAME_LENGTH = 512;
const MAX_METADATA_BYTES = 16_384;

/** What a write of a group may say; absent fields stay, lists replace. */
export interface GroupInput {
  readonly name?: string;
  readonly type?: string;
  readonly metadata?: Readonly<Record<string, Json>>;
  readonly policies?: readonly string[];
  readonly memberEntityIds?: readonly string[];
  readonly memberGroupIds?: readonly string[];
}

/** Everything that is done to groups. */
export class Groups {
  readonly #in: Surroundings;
  readonly #index: IdentityIndex;

  constructor(surroundings: Surroundings, index: IdentityIndex) {
    this.#in = surroundings;
    this.#index = index;
  }

  /** A group by its id. */
  byId(id: string): GroupRecord | undefined {
    return this.#in.state.table("group").get(id);
  }

  /** A group by its name, whatever its case. */
  byName(name: string): GroupRecord | undefined {
    return this.#index.groupByName(name);
  }

  /** All groups. */
  list(): Iterable<GroupRecord> {
    return this.#in.state.table("group").values();
  }

  /** The groups that a group is in. */
  parentsOf(group: GroupRecord): GroupRecord[] {
    return this.#index.parentsOf(group.id);
  }

  /**
   * Writes a group found by its id, else by its name; makes one where there is none.
   *
   * @param author S12: what a group gives to its members, who they are, and another name for it, needs `sudo`.
   * @throws {VaultError} `invalid_argument` for an unknown id, unknown members, a cycle, or another type; `already_exists`
   *   for a name in use; `permission_denied`.
   */
  write(
    where: { id?: string; name?: string },
    input: GroupInput,
    author: Author,
  ): Promise<{ record: GroupRecord; isNew: boolean }> {
    return this.#in.writer.change(() => {
      const before = this.#find(where);
      const wanted = where.id === undefined && where.name !== undefined ? { ...input, name: where.name } : input;
      const record = this.#updated(before ?? this.#newRecord(wanted), wanted, author);
      return { writes: [put(record)], result: () => ({ record, isNew: before === undefined }) };
    });
  }

  /** Deletes a group; its parents forget it. Absent: nothing. */
  delete(id: string): Promise<void> {
    return this.#in.writer.change(() => {
      const group = this.byId(id);
      if (group === undefined) return { writes: [], result: () => {} };
      const parents = this.parentsOf(group).map((parent) =>
        put({ ...parent, memberGroupIds: parent.memberGroupIds.filter((member) => member !== id) })
      );
      return { writes: [...parents, { kind: "group", key: id }], result: () => {} };
    });
  }

  #find({ id, name }: { id?: string; name?: string }): GroupRecord | undefined {
    if (id === undefined) return name === undefined ? undefined : this.byName(name);
    const found = this.byId(id);
    if (found === undefined) throw new VaultError("invalid_argument", "invalid group ID");
    return found;
  }

  #newRecord({ name, type }: GroupInput): GroupRecord {
    const { clock, random } = this.#in;
    if (type !== undefined && type !== "internal" && type !== "external") {
      throw new VaultError("invalid_argument", "group type must be internal or external");
    }
    const now = clock.now();
    return {
      id: newUuid(random),
      name: name ?? `group_${random.bytes(4).toHex()}`,
      type: type ?? "internal",
      metadata: {},
      policies: [],
      memberEntityIds: [],
      memberGroupIds: [],
      modifyIndex: 0,
      createdAt: now,
      updatedAt: now,
    };
  }

  #updated(before: GroupRecord, input: GroupInput, author: Author): GroupRecord {
    assertMaySay(before, input, author);
    if (input.type !== undefined && input.type !== before.type) {
      throw new VaultError("invalid_argument", "group type cannot be changed");
    }
    if (input.name !== undefined) this.#assertName(input.name, before.id);
    const memberEntityIds = unique(input.memberEntityIds ?? before.memberEntityIds);
    const memberGroupIds = unique(input.memberGroupIds ?? before.memberGroupIds);
    if (before.type === "external" && memberEntityIds.length + memberGroupIds.length > 0) {
      throw new VaultError("invalid_argument", "member entities or groups can't be set for external groups");
    }
    this.#assertMembers(before.id, input.memberEntityIds ?? [], memberGroupIds);
    return {
      ...before,
      name: input.name ?? before.name,
      ...(input.metadata === undefined ? {} : metadataOf(before, checkedMetadata(input.metadata), author)),
      policies: input.policies === undefined ? before.policies : cleanPolicies(input.policies),
      memberEntityIds,
      memberGroupIds,
      modifyIndex: before.modifyIndex + 1,
      updatedAt: this.#in.clock.now(),
    };
  }

  #assertName(name: string, ownId: string): void {
    // deno-lint-ignore no-control-regex -- they are what is looked for
    if (name === "" || name.length > MAX_NAME_LENGTH || !name.isWellFormed() || /[\x00-\x1f\x7f]/.test(name)) {
      throw new VaultError("invalid_argument", "invalid group name");
    }
    const holder = this.byName(name);
    if (holder === undefined || holder.id === ownId) return;
    throw new VaultError("already_exists", "group name is already in use");
  }

  #assertMembers(id: string, entityIds: readonly string[], groupIds: readonly string[]): void {
    if (entityIds.some((entityId) => this.#index.entity(entityId) === undefined)) {
      throw new VaultError("invalid_argument", "a member entity ID is invalid");
    }
    if (groupIds.some((groupId) => this.byId(groupId) === undefined)) {
      throw new VaultError("invalid_argument", "a member group ID is invalid");
    }
    if (this.#reaches(groupIds, id)) {
      throw new VaultError("invalid_argument", "cyclic relationship detected between the group and its members");
    }
  }

  /** Whether a group is among others, or among what they hold at any depth. */
  #reaches(from: readonly string[], wanted: string): boolean {
    const seen = new Set<string>();
    for (const queue = [...from]; queue.length > 0;) {
      const id = queue.pop()!;
      if (id === wanted) return true;
      if (seen.has(id)) continue;
      seen.add(id);
      queue.push(...this.byId(id)?.memberGroupIds ?? []);
    }
    return false;
  }
}

function put(record: GroupRecord): Write {
  return { kind: "group", key: record.id, value: record };
}

function unique(ids: readonly string[]): string[] {
  return [...new Set(ids)];
}

function assertMaySay(before: GroupRecord, input: GroupInput, { hasSudo }: Author): void {
  const { name = before.name, policies, memberEntityIds, memberGroupIds } = input;
  if (hasSudo) return;
  if (policies !== undefined || memberEntityIds !== undefined || memberGroupIds !== undefined) {
    throw new VaultError("permission_denied", "setting policies or members of a group needs sudo on its path");
  }
  if (name === before.name) return;
  throw new VaultError("permission_denied", "giving a group another name needs sudo on its path");
}

function metadataOf(
  { metadata: before, metadataBy: authors = {} }: GroupRecord,
  metadata: Readonly<Record<string, Json>>,
  author: Author,
): Pick<GroupRecord, "metadata" | "metadataBy"> {
  return { metadata, metadataBy: authorsAfter(before, authors, metadata, author) };
}

function checkedMetadata(metadata: Readonly<Record<string, Json>>): Readonly<Record<string, Json>> {
  if (!Object.hasOwn(metadata, "__proto__") && JSON.stringify(metadata).length <= MAX_METADATA_BYTES) return metadata;
  throw new VaultError("invalid_argument", `invalid group metadata: at most ${MAX_METADATA_BYTES} bytes`);
}
