/**
 * Entities: one identity a user or agent, whatever they log in by.
 *
 * @module
 */

import { VaultError } from "../errors.ts";
import { newEntityId } from "../ids.ts";
import { openTokensOf, planEndOfTokens } from "../tokens/token_endings.ts";
import type { Surroundings } from "../tokens/token_service.ts";
import type { User } from "../state.ts";
import type { UserRecord } from "../storage/records.ts";
import type { Write } from "../storage/store.ts";
import type { Plan } from "../writer.ts";
import { assertKeepsLogins } from "./cut_off_guard.ts";
import { raiseEpoch } from "./epochs.ts";
import { foldName, type IdentityIndex } from "./identity_index.ts";
import {
  type Author,
  type GivenMetadata,
  mergeOwnMetadata,
  type Metadata,
  patchMetadata,
  replaceMetadata,
} from "./metadata.ts";
import { cleanPolicies } from "./policies.ts";

const MAX_NAME_LENGTH = 512;

/** What a write of an entity may say; absent fields stay as they are. */
export interface EntityInput {
  readonly name?: string;
  readonly metadata?: GivenMetadata;
  readonly policies?: readonly string[];
  readonly disabled?: boolean;
  /** The version that the writer read; another one now refuses the write. */
  readonly cas?: number;
}

/** What a write made of it. */
export interface WrittenEntity {
  readonly record: UserRecord;
  readonly isNew: boolean;
}

/** Everything that is done to entities. */
export class Entities {
  readonly #in: Surroundings;
  readonly #index: IdentityIndex;

  constructor(surroundings: Surroundings, index: IdentityIndex) {
    this.#in = surroundings;
    this.#index = index;
  }

  /** An entity by its id. */
  byId(id: string): User | undefined {
    return this.#index.entity(id);
  }

  /** An entity by its name, whatever its case. */
  byName(name: string): User | undefined {
    return this.#index.entityByName(name);
  }

  /** All entities, in the order of their making. */
  *list(): Iterable<User> {
    for (const { record } of this.#in.state.users.values()) {
      const user = this.#index.entity(record.entityId);
      if (user !== undefined) yield user;
    }
  }

  /**
   * Writes an entity found by its id, else by its name; makes one where there is none.
   *
   * @throws {VaultError} `invalid_argument` for an unknown id, a name in use, bad metadata, or a stale `cas`;
   *   `permission_denied` for what the author may not say.
   */
  write(where: { id?: string; name?: string }, input: EntityInput, author: Author): Promise<WrittenEntity> {
    return this.#in.writer.change(() => {
      const found = this.#find(where);
      const wanted = where.id === undefined && where.name !== undefined ? { ...input, name: where.name } : input;
      return found === undefined ? this.#planNew(wanted, author) : this.#planUpdate(found, wanted, author);
    });
  }

  /**
   * Applies a JSON merge patch (RFC 7396) to an entity's metadata; its other fields are replaced.
   *
   * @throws {VaultError} `not_found`, and as {@link write}.
   */
  patch(id: string, input: EntityInput, author: Author): Promise<WrittenEntity> {
    return this.#in.writer.change(() => {
      const found = this.#index.entity(id);
      if (found === undefined) throw new VaultError("not_found", "entity not found from id");
      const isOwn = isOwnWrite(found.record, author);
      const { metadata, ...others } = input;
      const base = this.#updated(found.record, others, author);
      const patched = metadata === undefined
        ? base
        : { ...base, metadata: patchMetadata(base.metadata ?? {}, metadata, author, isOwn) };
      const noted = isOwn ? sessionNoted(metadata, author) : [];
      return { writes: [put(patched), ...noted], result: () => ({ record: patched, isNew: false }) };
    });
  }

  /** Deletes an entity: its credentials end, its aliases and memberships go, its name is free. Absent: nothing. */
  delete(id: string): Promise<boolean> {
    return this.deleteAll([id]).then((count) => count > 0);
  }

  /** {@link delete} of several, together; returns how many there were. */
  deleteAll(ids: readonly string[]): Promise<number> {
    return this.#in.writer.change(() => {
      const found = [...new Set(ids)].map((id) => this.#index.entity(id)).filter((user) => user !== undefined);
      for (const { record } of found) assertKeepsLogins(record);
      const gone = new Set(found.map((user) => user.record.entityId));
      const writes = [
        ...found.flatMap((user) => this.#planDeletion(user)),
        ...this.#withoutMembers(gone),
      ];
      return { writes, result: () => found.length };
    });
  }

  /** A new entity of a name that is free, else of a generated one; a part of a greater change. */
  newRecord(name: string | undefined, more: Partial<UserRecord> = {}): UserRecord {
    const { clock, random } = this.#in;
    const free = name !== undefined && this.#index.entityByName(name) === undefined;
    const entityName = free ? name : this.#generatedName();
    return {
      entityId: newEntityId(clock, random),
      name: entityName,
      epoch: 1,
      disabled: false,
      createdAt: clock.now(),
      isUser: false,
      ...more,
    };
  }

  #find({ id, name }: { id?: string; name?: string }): User | undefined {
    if (id === undefined) return name === undefined ? undefined : this.#index.entityByName(name);
    const found = this.#index.entity(id);
    if (found === undefined) throw new VaultError("invalid_argument", "entity not found from id");
    return found;
  }

  #planNew(input: EntityInput, author: Author): Plan<WrittenEntity> {
    if (input.cas !== undefined && input.cas !== 0) throw staleVersion(0);
    assertMaySay(input, author, false);
    if (input.name !== undefined) this.#assertName(input.name, undefined);
    const record: UserRecord = {
      ...this.newRecord(input.name),
      ...(input.metadata === undefined ? {} : { metadata: replaceMetadata(input.metadata, author) }),
      ...(input.policies === undefined ? {} : { policies: cleanPolicies(input.policies) }),
      disabled: input.disabled ?? false,
      version: 1,
    };
    return { writes: [put(record)], result: () => ({ record, isNew: true }) };
  }

  #planUpdate(user: User, input: EntityInput, author: Author): Plan<WrittenEntity> {
    const record = this.#updated(user.record, input, author);
    const noted = isOwnWrite(record, author) ? sessionNoted(input.metadata, author) : [];
    return { writes: [put(record), ...noted], result: () => ({ record, isNew: false }) };
  }

  #updated(before: UserRecord, input: EntityInput, author: Author): UserRecord {
    const version = before.version ?? 1;
    if (input.cas !== undefined && input.cas !== version) throw staleVersion(version);
    assertMayEnable(before, input);
    const isOwn = isOwnWrite(before, author);
    const isRenaming = input.name !== undefined && foldName(input.name) !== foldName(this.#index.nameOf(before));
    if (isOwn) assertMetadataAlone(input, isRenaming);
    else assertMaySay(input, author, isRenaming);
    const renamed = input.name === undefined || input.name === this.#index.nameOf(before)
      ? {}
      : this.#rename(before, input.name);
    return {
      ...before,
      ...renamed,
      ...(input.metadata === undefined ? {} : { metadata: metadataAfter(before.metadata ?? {}, input, author, isOwn) }),
      ...(input.policies === undefined ? {} : { policies: cleanPolicies(input.policies) }),
      ...(input.disabled === undefined ? {} : { disabled: input.disabled }),
      version: version + 1,
      updatedAt: this.#in.clock.now(),
    };
  }

  #rename(before: UserRecord, name: string): Partial<UserRecord> {
    this.#assertName(name, before.entityId);
    return before.isUser === false ? { name } : { entityName: name };
  }

  #assertName(name: string, ownId: string | undefined): void {
    // deno-lint-ignore no-control-regex -- they are what is looked for
    if (name === "" || name.length > MAX_NAME_LENGTH || !name.isWellFormed() || /[\x00-\x1f\x7f]/.test(name)) {
      throw new VaultError("invalid_argument", "invalid entity name", {
        hint: `a name is 1 to ${MAX_NAME_LENGTH} characters without control characters`,
      });
    }
    const holder = this.#index.entityByName(name);
    if (holder === undefined || holder.record.entityId === ownId) return;
    throw new VaultError("already_exists", "entity name is already in use");
  }

  #generatedName(): string {
    for (;;) {
      const name = `entity_${this.#in.random.bytes(4).toHex()}`;
      if (this.#index.entityByName(name) === undefined) return name;
    }
  }

  #planDeletion(user: User): Write[] {
    const { state, clock } = this.#in;
    const now = clock.now();
    const { metadata: _m, policies: _p, entityName: _n, ...kept } = user.record;
    const tombstone: UserRecord = { ...kept, deletedAt: now };
    return [
      ...raiseEpoch(state, tombstone),
      ...planEndOfTokens(openTokensOf(state, user), "revoked", now),
      ...[...this.#index.aliasesOf(kept.entityId).values()].map((alias): Write => ({ kind: "alias", key: alias.id })),
    ];
  }

  #withoutMembers(gone: ReadonlySet<string>): Write[] {
    const groups = new Map([...gone].flatMap((id) => this.#index.directGroups(id)).map((group) => [group.id, group]));
    return [...groups.values()].map((group) => ({
      kind: "group",
      key: group.id,
      value: {
        ...group,
        memberEntityIds: group.memberEntityIds.filter((id) => !gone.has(id)),
        modifyIndex: group.modifyIndex + 1,
        updatedAt: this.#in.clock.now(),
      },
    }));
  }
}

function put(record: UserRecord): Write {
  return { kind: "user", key: record.entityId, value: record };
}

/** An entity that writes to itself without `sudo` says things of itself, which is less than an administrator's word. */
function isOwnWrite(record: UserRecord, { entityId, hasSudo }: Author): boolean {
  return !hasSudo && entityId === record.entityId;
}

/** Which session a token says that it is goes with the token: its user may have several at once. */
function sessionNoted(metadata: EntityInput["metadata"], { noteSession }: Author): readonly Write[] {
  const sessionId = metadata?.["session_id"];
  return typeof sessionId === "string" ? noteSession?.(sessionId) ?? [] : [];
}

function metadataAfter(before: Metadata, { metadata }: EntityInput, author: Author, isOwn: boolean): Metadata {
  return isOwn ? mergeOwnMetadata(before, metadata!, author) : replaceMetadata(metadata!, author);
}

/** With any other field a user could give themselves rights, or another's name. */
function assertMetadataAlone({ policies, disabled }: EntityInput, isRenaming: boolean): void {
  if (!isRenaming && policies === undefined && disabled === undefined) return;
  throw new VaultError("permission_denied", "of your own entity you may change the metadata alone");
}

/** S12: without `sudo` nobody gives policies, takes access away, or moves the name by which policies speak of somebody. */
function assertMaySay({ policies, disabled }: EntityInput, { hasSudo }: Author, isRenaming: boolean): void {
  if (hasSudo || !isRenaming && policies === undefined && disabled === undefined) return;
  throw new VaultError(
    "permission_denied",
    "setting policies, disabled or another name of an entity needs sudo on its path",
  );
}

/** A cut-off has a reason and a way back of its own; a write that happens to say `disabled: false` must not undo it. */
function assertMayEnable({ cutOff, name }: UserRecord, { disabled }: EntityInput): void {
  if (cutOff === undefined || disabled !== false) return;
  throw new VaultError("invalid_argument", "this entity was cut off", {
    hint: `use \`runevault user restore ${name}\``,
  });
}

function staleVersion(version: number): VaultError {
  return new VaultError("invalid_argument", `check-and-set parameter did not match the current version ${version}`, {
    hint: "read the entity again and repeat the change on what it is now",
  });
}
