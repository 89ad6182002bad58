/**
 * The identity room put together: who is who, what they may be shown as, and how a login becomes an entity.
 *
 * @module
 */

import { VaultError } from "../errors.ts";
import { assertName } from "../names.ts";
import type { MountTable } from "../mounts/mount_table.ts";
import type { User } from "../state.ts";
import type { GroupRecord, MountRecord } from "../storage/identity_records.ts";
import type { UserRecord } from "../storage/records.ts";
import type { Write } from "../storage/store.ts";
import type { Surroundings } from "../tokens/token_service.ts";
import { Aliases } from "./aliases.ts";
import { assertKeepsLogins } from "./cut_off_guard.ts";
import { Entities } from "./entities.ts";
import { Groups } from "./groups.ts";
import { IdentityIndex } from "./identity_index.ts";
import { EntityMerge } from "./merge.ts";
import type { IdentityView } from "./view.ts";

/** An entity that a login or an operator's command leads to, with what must be written for it. */
export interface PlannedEntity {
  readonly record: UserRecord;
  readonly isNew: boolean;
  readonly writes: readonly Write[];
}

/** Entities, aliases and groups. */
export class Identity {
  readonly entities: Entities;
  readonly aliases: Aliases;
  readonly groups: Groups;
  readonly merges: EntityMerge;
  readonly #in: Surroundings;
  readonly #index: IdentityIndex;

  constructor(surroundings: Surroundings, mounts: MountTable) {
    this.#in = surroundings;
    this.#index = new IdentityIndex(surroundings.state);
    this.entities = new Entities(surroundings, this.#index);
    this.aliases = new Aliases(surroundings, this.#index, mounts, this.entities);
    this.groups = new Groups(surroundings, this.#index);
    this.merges = new EntityMerge(surroundings, this.#index);
  }

  /** The entity that an id stands for now: itself, or the one that it was merged into; undefined when deleted. */
  followed(entityId: string): User | undefined {
    return this.#index.followed(entityId);
  }

  /** The entity that has this alias. */
  holderOf(mountAccessor: string, aliasName: string): User | undefined {
    const alias = this.#index.alias(mountAccessor, aliasName);
    return alias === undefined ? undefined : this.#index.entity(alias.entityId);
  }

  /** The name of an entity; no two have one. */
  nameOf(user: User): string {
    return this.#index.nameOf(user.record);
  }

  /** An entity as policies and templates may see it. */
  view(user: User): IdentityView {
    const { record } = user;
    return {
      id: record.entityId,
      name: this.#index.nameOf(record),
      record,
      metadata: record.metadata ?? {},
      alias: (mountAccessor) => {
        const stored = this.#index.aliasesOf(record.entityId).get(mountAccessor);
        if (stored !== undefined) return stored;
        const evt = this.aliases.ofEvtUser(user);
        return evt?.mountAccessor === mountAccessor ? evt : undefined;
      },
      groups: () => this.#groupsOf(record.entityId),
    };
  }

  /** The names of the policies that an entity has of its own and by its groups; never `root`. */
  policiesOf(user: User): readonly string[] {
    const { entityId, policies: own = [] } = user.record;
    const groups = this.#groupsOf(entityId);
    if (groups.length === 0 && own.length < 2) return own;
    return [...new Set([...own, ...groups.flatMap((group) => group.policies)])];
  }

  #groupsOf(entityId: string): GroupRecord[] {
    const direct = this.#index.directGroups(entityId);
    return direct.length === 0 ? direct : [...direct, ...this.#index.inheritedGroups(entityId)];
  }

  /** Groups of an entity: those that name it, and those it is in through them. */
  groupIdsOf(user: User): { direct: string[]; inherited: string[] } {
    const id = user.record.entityId;
    return {
      direct: this.#index.directGroups(id).map((group) => group.id),
      inherited: this.#index.inheritedGroups(id).map((group) => group.id),
    };
  }

  /** A number that grows whenever anything changes that a policy or a template may show of an entity. */
  stampOf(user: User): number {
    return this.#index.stampOf(user.record.entityId);
  }

  /**
   * The entity of a login, in the writer's turn; made, with its alias, where there is none.
   *
   * @throws {VaultError} `permission_denied` for an entity that is disabled.
   */
  planLogin(mount: MountRecord, aliasName: string): PlannedEntity {
    const alias = this.#index.alias(mount.accessor, aliasName);
    const user = alias === undefined ? undefined : this.#index.entity(alias.entityId);
    if (user?.record.disabled) throw new VaultError("permission_denied", "permission denied");
    if (user !== undefined) return { record: user.record, isNew: false, writes: [] };
    const record = this.entities.newRecord(aliasName);
    return { record, isNew: true, writes: [putEntity(record), this.#putAlias(record, mount, aliasName)] };
  }

  /**
   * The entity of a user whom an operator makes with a login: the user of this name, or a new one, in the writer's turn.
   *
   * @throws {VaultError} `already_exists` where the login is somebody else's, `invalid_argument` for a bad name.
   */
  planUser(name: string, mount: MountRecord, loginName: string): PlannedEntity {
    const known = this.#in.state.userByName(name);
    if (known === undefined) this.#assertUserNameIsFree(name);
    const alias = this.#index.alias(mount.accessor, loginName);
    if (alias !== undefined && alias.entityId !== known?.record.entityId) {
      throw new VaultError("already_exists", `the login ${JSON.stringify(loginName)} belongs to another entity`, {
        hint: "use `runevault user link` to make them one",
      });
    }
    const record = known?.record ?? this.#newUser(name);
    if (alias !== undefined) return { record, isNew: false, writes: [] };
    if (this.#index.aliasesOf(record.entityId).has(mount.accessor)) {
      throw new VaultError("already_exists", `user ${JSON.stringify(name)} has another login on auth/${mount.path}`);
    }
    const entity = known === undefined ? [putEntity(record)] : [];
    return { record, isNew: known === undefined, writes: [...entity, this.#putAlias(record, mount, loginName)] };
  }

  /**
   * Makes a user and a login one entity: the login's alias moves to the user, in the writer's turn. What the login's
   * former entity caused ends where nothing else is left of it.
   *
   * @throws {VaultError} `not_found` for the user; `already_exists` where the user has another login there, or the login
   *   is another user's.
   */
  planLink(userName: string, mount: MountRecord, loginName: string): PlannedEntity {
    const user = this.#in.state.userByName(userName);
    if (user === undefined) throw new VaultError("not_found", `No user ${JSON.stringify(userName)}`);
    const { record } = user;
    const alias = this.#index.alias(mount.accessor, loginName);
    if (alias?.entityId === record.entityId) return { record, isNew: false, writes: [] };
    if (this.#index.aliasesOf(record.entityId).has(mount.accessor)) {
      throw new VaultError(
        "already_exists",
        `user ${JSON.stringify(userName)} has another login on auth/${mount.path}`,
      );
    }
    if (alias === undefined) {
      return { record, isNew: false, writes: [this.#putAlias(record, mount, loginName)] };
    }
    const former = this.#in.state.users.get(alias.entityId)!.record;
    if (record.cutOff === undefined) assertKeepsLogins(former);
    if (former.isUser !== false) {
      throw new VaultError("already_exists", `the login ${JSON.stringify(loginName)} is linked to another user`);
    }
    const moved = { ...alias, entityId: record.entityId, updatedAt: this.#in.clock.now() };
    const ended = { ...former, epoch: former.epoch + 1 };
    return {
      record,
      isNew: false,
      writes: [{ kind: "alias", key: alias.id, value: moved }, putEntity(ended)],
    };
  }

  #newUser(name: string): UserRecord {
    // Where an entity of this name is there already, the user is one of its own all the same (S11).
    const { isUser: _entityOnly, ...record } = this.entities.newRecord(undefined);
    return { ...record, name };
  }

  #assertUserNameIsFree(name: string): void {
    assertName("user", name);
    const clash = this.#in.state.usersByFoldedName(name)[0];
    if (clash === undefined) return;
    const message = `A user ${JSON.stringify(clash.record.name)} exists, which differs only in case`;
    throw new VaultError("already_exists", message);
  }

  #putAlias({ entityId }: UserRecord, mount: MountRecord, name: string): Write {
    const value = this.aliases.newRecord(entityId, mount.accessor, name);
    return { kind: "alias", key: value.id, value };
  }
}

function putEntity(record: UserRecord): Write {
  return { kind: "user", key: record.entityId, value: record };
}
