/**
 * `identity/group`: groups of entities and of groups.
 *
 * @module
 */

import type { GroupInput } from "../../../vault/identity/groups.ts";
import type { GroupRecord } from "../../../vault/storage/identity_records.ts";
import { commaList, jsonMap, text, type Values } from "../fields.ts";
import { type ApiAnswer, type Route, route } from "../route.ts";
import { rfc3339 } from "../timestamps.ts";
import { authorOf, type IdentityParts, orNull } from "./identity_entity.ts";

const GROUP = {
  id: text("the group's id"),
  name: text("its name"),
  type: text("`internal` (default) or `external`"),
  metadata: jsonMap("facts about it"),
  policies: commaList("policies of its members"),
  member_entity_ids: commaList("entities in it; replaces the list"),
  member_group_ids: commaList("groups in it; replaces the list"),
};

/** The routes. */
export function identityGroupRoutes(parts: IdentityParts): Route[] {
  const { groups } = parts.identity;
  return [
    route({
      path: "group",
      summary: "Makes a group, or changes the one with this id or name.",
      fields: GROUP,
      write: async (request) => {
        const { id, name } = request.values;
        const where = { ...(id ? { id } : {}), ...(name ? { name } : {}) };
        return answerOf(await groups.write(where, inputOf(request.values), authorOf(request)));
      },
    }),
    route({ path: "group/id", summary: "All groups by id.", list: () => listById(parts) }),
    route({ path: "group/name", summary: "All groups by name.", list: () => listByName(parts) }),
    route({
      path: "group/id/:segment.id",
      summary: "One group by its id.",
      fields: GROUP,
      read: ({ params }) => read(groups.byId(params["id"]!), parts),
      write: async (request) => {
        await groups.write({ id: request.params["id"]! }, inputOf(request.values), authorOf(request));
        return null;
      },
      delete: async ({ params }) => {
        await groups.delete(params["id"]!);
        return null;
      },
    }),
    route({
      path: "group/name/*rest.name",
      summary: "One group by its name.",
      stored: ({ name }) => ({ name: groups.byName(name!)?.name ?? name! }),
      fields: GROUP,
      read: ({ params }) => read(groups.byName(params["name"]!), parts),
      write: async (request) =>
        answerOf(await groups.write({ name: request.params["name"]! }, inputOf(request.values), authorOf(request))),
      delete: async ({ params }) => {
        const found = groups.byName(params["name"]!);
        if (found !== undefined) await groups.delete(found.id);
        return null;
      },
    }),
  ];
}

/** One group as clients read it. */
export function groupBody(group: GroupRecord, { identity }: IdentityParts): Record<string, unknown> {
  const listOrNull = (list: readonly string[]) => list.length === 0 ? null : list;
  return {
    id: group.id,
    name: group.name,
    type: group.type,
    policies: listOrNull(group.policies),
    member_entity_ids: listOrNull(group.memberEntityIds),
    member_group_ids: listOrNull(group.memberGroupIds),
    parent_group_ids: listOrNull(identity.groups.parentsOf(group).map((parent) => parent.id)),
    alias: {},
    metadata: orNull(group.metadata),
    modify_index: group.modifyIndex,
    namespace_id: "root",
    creation_time: rfc3339(group.createdAt),
    last_update_time: rfc3339(group.updatedAt),
  };
}

function inputOf(values: Values<typeof GROUP>): GroupInput {
  const { name, type, metadata, policies, member_entity_ids, member_group_ids } = values;
  return {
    ...(name ? { name } : {}),
    ...(type ? { type } : {}),
    ...(metadata === undefined ? {} : { metadata }),
    ...(policies === undefined ? {} : { policies }),
    ...(member_entity_ids === undefined ? {} : { memberEntityIds: member_entity_ids }),
    ...(member_group_ids === undefined ? {} : { memberGroupIds: member_group_ids }),
  };
}

function answerOf({ record, isNew }: { record: GroupRecord; isNew: boolean }): ApiAnswer {
  return isNew ? { data: { id: record.id, name: record.name } } : null;
}

function read(group: GroupRecord | undefined, parts: IdentityParts): ApiAnswer {
  return group === undefined ? null : { data: groupBody(group, parts) };
}

function listById({ identity }: IdentityParts): ApiAnswer {
  const rows = [...identity.groups.list()].map((group) => {
    const parents = identity.groups.parentsOf(group).length;
    const members = group.memberEntityIds.length;
    return [group.id, { name: group.name, num_member_entities: members, num_parent_groups: parents }] as const;
  });
  if (rows.length === 0) return null;
  return { data: { keys: rows.map(([id]) => id), key_info: Object.fromEntries(rows) } };
}

function listByName({ identity }: IdentityParts): ApiAnswer {
  const keys = [...identity.groups.list()].map((group) => group.name).sort();
  return keys.length === 0 ? null : { data: { keys } };
}
