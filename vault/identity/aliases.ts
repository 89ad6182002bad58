/**
 * Aliases: which name on which auth mount is which entity.
 *
 * @module
 */

import { VaultError } from "../errors.ts";
import { newUuid } from "../ids.ts";
import type { MountTable } from "../mounts/mount_table.ts";
import type { User } from "../state.ts";
import type { AliasRecord } from "../storage/identity_records.ts";
import type { UserRecord } from "../storage/records.ts";
import type { Write } from "../storage/store.ts";
import type { Surroundings } from "../tokens/token_service.ts";
import type { Plan } from "../writer.ts";
import { assertKeepsLogins } from "./cut_off_guard.ts";
import type { Entities } from "./entities.ts";
import type { IdentityIndex } from "./identity_index.ts";
import { type Author, authorsAfter } from "./metadata.ts";

const MAX_NAME_LENGTH = 512;
const MAX_PAIRS = 64;
const MAX_KEY_LENGTH = 128;
const MAX_VALUE_LENGTH = 512;

/** What a write of an alias may say. */
export interface AliasInput {
  readonly id?: string;
  readonly name?: string;
  readonly mountAccessor?: string;
  readonly entityId?: string;
  readonly customMetadata?: Readonly<Record<string, string>>;
}

/** What a new alias leads to: whoever logs in by this name is this entity from then on. */
export interface Led {
  readonly mountAccessor: string;
  readonly name: string;
  /** Undefined: one is made for it. */
  readonly entity: User | undefined;
}

/** Everything that is done to aliases. */
export class Aliases {
  readonly #in: Surroundings;
  readonly #index: IdentityIndex;
  readonly #mounts: MountTable;
  readonly #entities: Entities;

  constructor(surroundings: Surroundings, index: IdentityIndex, mounts: MountTable, entities: Entities) {
    this.#in = surroundings;
    this.#index = index;
    this.#mounts = mounts;
    this.#entities = entities;
  }

  /** An alias by its id. The alias of a user's evt token has the id of their entity. */
  byId(id: string): AliasRecord | undefined {
    const stored = this.#in.state.table("alias").get(id);
    if (stored !== undefined) return stored;
    const user = this.#index.entity(id);
    return user === undefined ? undefined : this.ofEvtUser(user);
  }

  /** The alias with a name on a mount. */
  byName(mountAccessor: string, name: string): AliasRecord | undefined {
    const stored = this.#index.alias(mountAccessor, name);
    if (stored !== undefined || this.#mounts.byAccessor(mountAccessor)?.type !== "evt") return stored;
    const user = this.#in.state.userByName(name);
    return user === undefined ? undefined : this.ofEvtUser(user);
  }

  /** Every alias of an entity, that of its evt token first. */
  of(user: User): AliasRecord[] {
    const evt = this.ofEvtUser(user);
    const stored = [...this.#index.aliasesOf(user.record.entityId).values()];
    return evt === undefined ? stored : [evt, ...stored];
  }

  /** All aliases. */
  *list(): Iterable<AliasRecord> {
    for (const user of this.#entities.list()) yield* this.of(user);
  }

  /** A user's name on `token/evt/` is an alias too; it isn't stored, for it can't differ from the user's record. */
  ofEvtUser({ record }: User): AliasRecord | undefined {
    const mount = this.#mounts.byPath("auth", "token/evt/");
    if (record.isUser === false || mount === undefined) return undefined;
    return {
      id: record.entityId,
      entityId: record.entityId,
      mountAccessor: mount.accessor,
      name: record.name,
      customMetadata: {},
      metadata: {},
      mergedFromEntityIds: [],
      createdAt: record.createdAt,
      updatedAt: record.createdAt,
    };
  }

  /**
   * Makes an alias, or changes the one of this id, or of this name on this mount.
   *
   * @param author Moving an alias, giving it another name or mount, and giving one to an entity that has one, needs
   *   `sudo` (S11): whoever logs in by that name becomes the entity.
   * @param assertMayLead Throws where the author may not make a new one; asked in the turn that makes it.
   * @returns The alias, and whether anything changed.
   * @throws {VaultError} `invalid_argument`, `permission_denied`.
   */
  write(
    input: AliasInput,
    author: Author,
    assertMayLead: (led: Led) => void,
  ): Promise<{ record: AliasRecord; isChanged: boolean }> {
    return this.#in.writer.change(() => {
      const found = this.#find(input);
      return found === undefined ? this.#planNew(input, author, assertMayLead) : this.#planUpdate(found, input, author);
    });
  }

  /** Deletes an alias; absent: nothing. */
  delete(id: string): Promise<void> {
    return this.#in.writer.change(() => {
      const record = this.byId(id);
      if (record === undefined) return { writes: [], result: () => {} };
      this.#assertNotEvt(record.mountAccessor);
      this.#assertFree(record);
      return { writes: [{ kind: "alias", key: id }], result: () => {} };
    });
  }

  /** A new alias, as a part of a greater change. */
  newRecord(entityId: string, mountAccessor: string, name: string, more: Partial<AliasRecord> = {}): AliasRecord {
    const now = this.#in.clock.now();
    return {
      id: newUuid(this.#in.random),
      entityId,
      mountAccessor,
      name,
      customMetadata: {},
      metadata: {},
      mergedFromEntityIds: [],
      createdAt: now,
      updatedAt: now,
      ...more,
    };
  }

  #find({ id, name, mountAccessor }: AliasInput): AliasRecord | undefined {
    if (id !== undefined) {
      const found = this.byId(id);
      if (found === undefined) throw new VaultError("invalid_argument", "invalid alias ID provided");
      return found;
    }
    if (!name || !mountAccessor) {
      throw new VaultError("invalid_argument", "'id' or 'mount_accessor' and 'name' must be provided");
    }
    return this.byName(this.#mountOf(mountAccessor), this.#normalName(mountAccessor, name));
  }

  #planNew(
    input: AliasInput,
    author: Author,
    assertMayLead: (led: Led) => void,
  ): Plan<{ record: AliasRecord; isChanged: boolean }> {
    const mountAccessor = this.#mountOf(input.mountAccessor!);
    this.#assertNotEvt(mountAccessor);
    const name = this.#normalName(mountAccessor, input.name!);
    assertAliasName(name);
    const [owner, ownerWrites] = this.#ownerOf(input.entityId, mountAccessor, author.hasSudo);
    assertMayLead({ mountAccessor, name, entity: this.#index.entity(owner.entityId) });
    const customMetadata = checkedPairs(input.customMetadata ?? {});
    const customMetadataBy = authorsAfter({}, {}, customMetadata, author);
    const record = this.newRecord(owner.entityId, mountAccessor, name, { customMetadata, customMetadataBy });
    return { writes: [...ownerWrites, put(record)], result: () => ({ record, isChanged: true }) };
  }

  #ownerOf(
    entityId: string | undefined,
    mountAccessor: string,
    hasSudo: boolean,
  ): [owner: UserRecord, writes: Write[]] {
    if (entityId === undefined || entityId === "") {
      const record = this.#entities.newRecord(undefined);
      return [record, [{ kind: "user", key: record.entityId, value: record }]];
    }
    const user = this.#index.entity(entityId);
    if (user === undefined) throw new VaultError("invalid_argument", "invalid canonical ID");
    if (this.#index.aliasesOf(entityId).has(mountAccessor)) {
      throw new VaultError("invalid_argument", "Alias already exists for requested entity and mount accessor");
    }
    if (this.of(user).length > 0 && !hasSudo) {
      throw new VaultError("permission_denied", "giving a further alias to an entity needs sudo on this path");
    }
    return [user.record, []];
  }

  #planUpdate(
    before: AliasRecord,
    input: AliasInput,
    author: Author,
  ): Plan<{ record: AliasRecord; isChanged: boolean }> {
    this.#assertNotEvt(before.mountAccessor);
    const after = this.#updated(before, input, author);
    if (isSame(before, after)) {
      return { writes: [], result: () => ({ record: before, isChanged: false }) };
    }
    if (after.entityId !== before.entityId) this.#assertMovable(after, author);
    this.#assertMayRename(before, after, author);
    if (aliasKey(before) !== aliasKey(after)) this.#assertFree(before);
    this.#assertNameIsFree(after);
    const record = { ...after, updatedAt: this.#in.clock.now() };
    return { writes: [put(record)], result: () => ({ record, isChanged: true }) };
  }

  #updated(before: AliasRecord, input: AliasInput, author: Author): AliasRecord {
    const mountAccessor = input.mountAccessor ? this.#mountOf(input.mountAccessor) : before.mountAccessor;
    this.#assertNotEvt(mountAccessor);
    const name = input.name ? this.#normalName(mountAccessor, input.name) : before.name;
    assertAliasName(name);
    // Without an id an absent map counts as an empty one, as upstream has it.
    const given = input.customMetadata ?? (input.id === undefined ? {} : undefined);
    return {
      ...before,
      mountAccessor,
      name,
      entityId: input.entityId || before.entityId,
      ...(given === undefined ? {} : customMetadataOf(before, checkedPairs(given), author)),
    };
  }

  #assertMayRename(before: AliasRecord, after: AliasRecord, { hasSudo }: Author): void {
    if (hasSudo || after.name === before.name && after.mountAccessor === before.mountAccessor) return;
    throw new VaultError("permission_denied", "giving an alias another name or mount needs sudo on this path");
  }

  #assertMovable({ entityId, mountAccessor }: AliasRecord, { hasSudo }: Author): void {
    if (!hasSudo) {
      throw new VaultError("permission_denied", "moving an alias to another entity needs sudo on this path");
    }
    if (this.#index.entity(entityId) === undefined) {
      throw new VaultError("invalid_argument", "given 'canonical_id' is not associated with an entity");
    }
    if (this.#index.aliasesOf(entityId).has(mountAccessor)) {
      throw new VaultError(
        "invalid_argument",
        "Alias cannot be updated as the given entity already has an alias for this mount ",
      );
    }
  }

  /** Whoever was cut off keeps the names that they log in by. */
  #assertFree({ entityId }: AliasRecord): void {
    const owner = this.#in.state.users.get(entityId)?.record;
    if (owner !== undefined) assertKeepsLogins(owner);
  }

  #assertNameIsFree({ id, mountAccessor, name }: AliasRecord): void {
    const holder = this.byName(mountAccessor, name);
    if (holder === undefined || holder.id === id) return;
    throw new VaultError("invalid_argument", "alias with combination of mount accessor and name already exists");
  }

  #mountOf(accessor: string): string {
    const mount = this.#mounts.resolve(accessor);
    if (mount?.section === "auth") return mount.accessor;
    throw new VaultError("invalid_argument", `invalid mount accessor ${JSON.stringify(accessor.slice(0, 80))}`, {
      hint: "accessors stand in `sys/auth`",
    });
  }

  /** userpass folds the names that people log in by, so an alias in capitals would never be found as it is written. */
  #normalName(accessor: string, name: string): string {
    return this.#mounts.resolve(accessor)?.type === "userpass" ? name.toLowerCase() : name;
  }

  #assertNotEvt(mountAccessor: string): void {
    if (this.#mounts.byAccessor(mountAccessor)?.type !== "evt") return;
    throw new VaultError("invalid_argument", "aliases on token/evt/ are changed through the admin API alone", {
      hint: "see `runevault user`",
    });
  }
}

/** One that a login made has no authors of custom metadata, which it has none of. */
function isSame(before: AliasRecord, after: AliasRecord): boolean {
  const written = ({ name, mountAccessor, entityId, customMetadata, customMetadataBy = {} }: AliasRecord) =>
    JSON.stringify([name, mountAccessor, entityId, customMetadata, customMetadataBy]);
  return written(before) === written(after);
}

function customMetadataOf(
  { customMetadata: before, customMetadataBy: authors = {} }: AliasRecord,
  customMetadata: Readonly<Record<string, string>>,
  author: Author,
): Pick<AliasRecord, "customMetadata" | "customMetadataBy"> {
  return { customMetadata, customMetadataBy: authorsAfter(before, authors, customMetadata, author) };
}

/** What a login finds an alias by, and whom it leads to. */
function aliasKey({ entityId, mountAccessor, name }: AliasRecord): string {
  return [entityId, mountAccessor, name].join("\n");
}

function put(record: AliasRecord): Write {
  return { kind: "alias", key: record.id, value: record };
}

function assertAliasName(name: string): void {
  // deno-lint-ignore no-control-regex -- they are what is looked for
  if (name !== "" && name.length <= MAX_NAME_LENGTH && name.isWellFormed() && !/[\x00-\x1f\x7f]/.test(name)) return;
  throw new VaultError("invalid_argument", "invalid alias name");
}

function checkedPairs(pairs: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const entries = Object.entries(pairs);
  const isGood = ([key, value]: [string, string]) =>
    key !== "" && key !== "__proto__" && key.length <= MAX_KEY_LENGTH && value !== "" &&
    value.length <= MAX_VALUE_LENGTH;
  if (entries.length <= MAX_PAIRS && entries.every(isGood)) return pairs;
  throw new VaultError("invalid_argument", "invalid custom metadata", {
    hint: `at most ${MAX_PAIRS} pairs, keys of 1 to ${MAX_KEY_LENGTH} characters, values of 1 to ${MAX_VALUE_LENGTH}`,
  });
}
