/**
 * `identity/entity`: entities by id and by name.
 *
 * @module
 */

import { VaultError } from "../../../vault/errors.ts";
import type { EntityInput, WrittenEntity } from "../../../vault/identity/entities.ts";
import type { Identity } from "../../../vault/identity/identity.ts";
import { type Author, plainMetadata } from "../../../vault/identity/metadata.ts";
import type { MountTable } from "../../../vault/mounts/mount_table.ts";
import type { ApiCaller } from "../../../vault/service_tokens/caller.ts";
import type { User } from "../../../vault/state.ts";
import type { AliasRecord } from "../../../vault/storage/identity_records.ts";
import { bool, commaList, int, jsonMap, text } from "../fields.ts";
import { type ApiAnswer, type ApiRequest, type Route, route } from "../route.ts";
import { rfc3339 } from "../timestamps.ts";
import type { Values } from "../fields.ts";
import { type AssertNoneNamed, assertNoRoleName, FORCE } from "./role_names.ts";

/** What the routes of the identity store need. */
export interface IdentityParts {
  readonly identity: Identity;
  readonly mounts: MountTable;
  readonly assertNoneNamed: AssertNoneNamed;
  /** What whoever logs in by a name on a mount has, without their entity's; none where nobody does. */
  policiesOfLogin(mountAccessor: string, name: string): readonly string[];
}

const ENTITY = {
  id: text("the entity's id"),
  name: text("its name"),
  metadata: jsonMap("facts about it; an administrator's write replaces all, its own adds"),
  policies: commaList("policies of the entity"),
  disabled: bool("whether its tokens and logins are refused"),
  cas: int("the version that was read before; another one now refuses the write"),
  force: FORCE,
};

/** The routes. */
export function identityEntityRoutes(parts: IdentityParts): Route[] {
  const { identity } = parts;
  const { entities } = identity;
  return [
    route({
      path: "entity",
      summary: "Makes an entity, or changes the one with this id or name.",
      fields: ENTITY,
      write: async (request) => {
        const { id, name } = request.values;
        assertNewName(request, name, parts);
        return answerOf(await entities.write(target(id, name), inputOf(request), authorOf(request)), identity);
      },
    }),
    route({ path: "entity/id", summary: "All entities by id.", list: () => listById(parts) }),
    route({ path: "entity/name", summary: "All entities by name.", list: () => listByName(identity) }),
    route({
      path: "entity/id/:segment.id",
      summary: "One entity by its id.",
      fields: ENTITY,
      read: ({ params }) => read(entities.byId(params["id"]!), parts),
      write: async (request) => {
        assertNewName(request, request.values.name, parts);
        await entities.write({ id: request.params["id"]! }, inputOf(request), authorOf(request));
        return null;
      },
      patch: async (request) => {
        assertNewName(request, request.values.name, parts);
        await entities.patch(request.params["id"]!, inputOf(request), authorOf(request));
        return null;
      },
      delete: async ({ params }) => {
        await entities.delete(params["id"]!);
        return null;
      },
    }),
    route({
      path: "entity/name/*rest.name",
      summary: "One entity by its name.",
      stored: ({ name }) => {
        const found = entities.byName(name!);
        return { name: found === undefined ? name! : identity.nameOf(found) };
      },
      fields: ENTITY,
      read: ({ params }) => read(entities.byName(params["name"]!), parts),
      write: async (request) => {
        assertNewName(request, request.params["name"], parts);
        const written = await entities.write({ name: request.params["name"]! }, inputOf(request), authorOf(request));
        return answerOf(written, identity);
      },
      patch: async (request) => {
        const found = entities.byName(request.params["name"]!);
        if (found === undefined) throw new VaultError("not_found", "entity not found from name");
        await entities.patch(found.record.entityId, inputOf(request), authorOf(request));
        return null;
      },
      delete: async ({ params }) => {
        const found = entities.byName(params["name"]!);
        if (found !== undefined) await entities.delete(found.record.entityId);
        return null;
      },
    }),
    route({
      path: "entity/batch-delete",
      summary: "Deletes several entities.",
      fields: { entity_ids: commaList("the ids") },
      write: async ({ values }) => {
        if (values.entity_ids === undefined || values.entity_ids.length === 0) {
          throw new VaultError("invalid_argument", "missing entity ids to delete");
        }
        await entities.deleteAll(values.entity_ids);
        return null;
      },
    }),
    route({
      path: "entity/merge",
      summary: "Merges entities into one.",
      needsSudo: true,
      fields: {
        from_entity_ids: commaList("those that are merged away"),
        to_entity_id: text("the one that stays"),
        force: bool("taken for compatibility"),
        conflicting_alias_ids_to_keep: commaList("aliases that win where two stand on one mount"),
      },
      write: async ({ values }) => {
        const { from_entity_ids: from = [], to_entity_id: to, conflicting_alias_ids_to_keep: keep = [] } = values;
        if (to === undefined) throw new VaultError("invalid_argument", "missing entity id to merge to");
        if (from.length === 0) throw new VaultError("invalid_argument", "missing entity ids to merge from");
        await identity.merges.merge({ from, to, keep });
        return null;
      },
    }),
  ];
}

/** One entity as clients read it. */
export function entityBody(user: User, { identity, mounts }: IdentityParts): Record<string, unknown> {
  const { record } = user;
  const groups = identity.groupIdsOf(user);
  return {
    id: record.entityId,
    name: identity.nameOf(user),
    metadata: plainMetadata(record.metadata),
    policies: record.policies ?? [],
    disabled: record.disabled,
    namespace_id: "root",
    creation_time: rfc3339(record.createdAt),
    last_update_time: rfc3339(record.updatedAt ?? record.createdAt),
    merged_entity_ids: record.mergedEntityIds ?? null,
    aliases: identity.aliases.of(user).map((alias) => aliasBody(alias, mounts)),
    direct_group_ids: groups.direct,
    inherited_group_ids: groups.inherited,
    group_ids: [...groups.direct, ...groups.inherited],
    version: record.version ?? 1,
  };
}

/** One alias as clients read it; that of a mount which is gone has no path and no type. */
export function aliasBody(alias: AliasRecord, mounts: MountTable): Record<string, unknown> {
  const mount = mounts.byAccessor(alias.mountAccessor);
  return {
    id: alias.id,
    canonical_id: alias.entityId,
    mount_accessor: alias.mountAccessor,
    mount_path: mount === undefined ? "" : `auth/${mount.path}`,
    mount_type: mount?.type ?? "",
    name: alias.name,
    metadata: orNull(alias.metadata),
    custom_metadata: orNull(alias.customMetadata),
    local: false,
    merged_from_canonical_ids: alias.mergedFromEntityIds.length === 0 ? null : alias.mergedFromEntityIds,
    namespace_id: "root",
    creation_time: rfc3339(alias.createdAt),
    last_update_time: rfc3339(alias.updatedAt),
  };
}

/** An empty map reads as null, as upstream has it. */
export function orNull<T extends object>(map: T): T | null {
  return Object.keys(map).length === 0 ? null : map;
}

/** Of a name that an entity has already nobody is asked again. */
function assertNewName(
  request: ApiRequest<typeof ENTITY>,
  name: string | undefined,
  { identity, assertNoneNamed }: IdentityParts,
): void {
  if (name && identity.entities.byName(name) === undefined) assertNoRoleName(name, request, assertNoneNamed);
}

function target(id: string | undefined, name: string | undefined): { id?: string; name?: string } {
  return { ...(id ? { id } : {}), ...(name ? { name } : {}) };
}

/** Who writes, as S12 wants to know it. */
export function authorOf({ maybeCaller, hasSudo }: Pick<ApiRequest, "maybeCaller" | "hasSudo">): Author {
  return { entityId: maybeCaller?.entity?.record.entityId, hasSudo, noteSession: sessionNote(maybeCaller) };
}

function sessionNote(caller: ApiCaller | null): Author["noteSession"] {
  if (caller === null || (caller.token === null && caller.evt === null)) return undefined;
  const { token, evt } = caller;
  return (sessionId) => [
    evt === null
      ? { kind: "service_token", key: token!.hash, value: { ...token!, sessionId } }
      : { kind: "user_token", key: evt.record.tokenHash, value: { ...evt.record, sessionId } },
  ];
}

function inputOf({ values }: { readonly values: Values<typeof ENTITY> }): EntityInput {
  const { name, metadata, policies, disabled, cas } = values;
  return {
    ...(name ? { name } : {}),
    ...(metadata === undefined ? {} : { metadata }),
    ...(policies === undefined ? {} : { policies }),
    ...(disabled === undefined ? {} : { disabled }),
    ...(cas === undefined ? {} : { cas }),
  };
}

function answerOf({ record, isNew }: WrittenEntity, identity: Identity): ApiAnswer {
  if (!isNew) return null;
  const user = identity.entities.byId(record.entityId);
  return { data: { id: record.entityId, name: user === undefined ? "" : identity.nameOf(user), aliases: null } };
}

function read(user: User | undefined, parts: IdentityParts): ApiAnswer {
  return user === undefined ? null : { data: entityBody(user, parts) };
}

function listById({ identity, mounts }: IdentityParts): ApiAnswer {
  const rows = [...identity.entities.list()].map((user) => {
    const aliases = identity.aliases.of(user).map((alias) => {
      const { id, name, mount_accessor, mount_path, mount_type } = aliasBody(alias, mounts);
      return { id, name, mount_accessor, mount_path, mount_type };
    });
    const info = { name: identity.nameOf(user), ...(aliases.length === 0 ? {} : { aliases }) };
    return [user.record.entityId, info] as const;
  });
  if (rows.length === 0) return null;
  return { data: { keys: rows.map(([id]) => id), key_info: Object.fromEntries(rows) } };
}

function listByName(identity: Identity): ApiAnswer {
  const keys = [...identity.entities.list()].map((user) => identity.nameOf(user)).sort();
  return keys.length === 0 ? null : { data: { keys } };
}
