/**
 * `identity/entity-alias`: which name on which mount is which entity.
 *
 * @module
 */

import type { AliasInput, Led } from "../../../vault/identity/aliases.ts";
import { text, textMap, type Values } from "../fields.ts";
import { assertMayGive } from "../given_policies.ts";
import { type ApiAnswer, type ApiRequest, type Route, route } from "../route.ts";
import { assertNoRoleName, FORCE } from "./role_names.ts";
import { aliasBody, authorOf, type IdentityParts, orNull } from "./identity_entity.ts";

const ALIAS = {
  id: text("the alias's id"),
  name: text("the name on the mount"),
  canonical_id: text("the entity that it stands for"),
  entity_id: text("the old name of canonical_id"),
  mount_accessor: text("the accessor, or the stable accessor name, of the auth mount"),
  custom_metadata: textMap("facts about the alias"),
  force: FORCE,
};

/** The routes. */
export function identityAliasRoutes(parts: IdentityParts): Route[] {
  const { aliases } = parts.identity;
  return [
    route({
      path: "entity-alias",
      summary: "Makes an alias, or changes the one with this id, or with this name on this mount.",
      fields: ALIAS,
      write: (request) => write(parts, request, request.values.id),
    }),
    route({ path: "entity-alias/id", summary: "All aliases by id.", list: () => list(parts) }),
    route({
      path: "entity-alias/id/:segment.id",
      summary: "One alias by its id.",
      fields: ALIAS,
      read: ({ params }) => {
        const alias = aliases.byId(params["id"]!);
        return alias === undefined ? null : { data: aliasBody(alias, parts.mounts) };
      },
      write: (request) => write(parts, request, request.params["id"]),
      delete: async ({ params }) => {
        await aliases.delete(params["id"]!);
        return null;
      },
    }),
  ];
}

async function write(
  { identity, mounts, assertNoneNamed, policiesOfLogin }: IdentityParts,
  request: ApiRequest<typeof ALIAS>,
  id: string | undefined,
): Promise<ApiAnswer> {
  const { name, mount_accessor: accessor } = request.values;
  const isNew = name &&
    (accessor === undefined || identity.aliases.byName(mounts.resolve(accessor)?.accessor ?? "", name) === undefined);
  if (isNew) assertNoRoleName(name, request, assertNoneNamed);
  // Whoever logs in by the name has what the entity has, and acts as it with what they have.
  const assertMayLead = ({ mountAccessor, name, entity }: Led) => {
    if (entity !== undefined) assertMayGive(request, identity.policiesOf(entity));
    assertMayGive(request, policiesOfLogin(mountAccessor, name));
  };
  const author = authorOf(request);
  const { record, isChanged } = await identity.aliases.write(inputOf(request.values, id), author, assertMayLead);
  return isChanged ? { data: { id: record.id, canonical_id: record.entityId } } : null;
}

function inputOf(values: Values<typeof ALIAS>, id: string | undefined): AliasInput {
  const entityId = values.canonical_id ?? values.entity_id;
  return {
    ...(id ? { id } : {}),
    ...(values.name === undefined ? {} : { name: values.name }),
    ...(entityId === undefined ? {} : { entityId }),
    ...(values.mount_accessor === undefined ? {} : { mountAccessor: values.mount_accessor }),
    ...(values.custom_metadata === undefined ? {} : { customMetadata: values.custom_metadata }),
  };
}

function list({ identity, mounts }: IdentityParts): ApiAnswer {
  const rows = [...identity.aliases.list()].map((alias) => {
    const { canonical_id, mount_accessor, mount_path, mount_type, name } = aliasBody(alias, mounts);
    const info = { canonical_id, mount_accessor, mount_path, mount_type, name, local: false };
    const custom_metadata = orNull(alias.customMetadata);
    return [alias.id, { ...info, custom_metadata, metadata: orNull(alias.metadata) }] as const;
  });
  if (rows.length === 0) return null;
  return { data: { keys: rows.map(([id]) => id), key_info: Object.fromEntries(rows) } };
}
