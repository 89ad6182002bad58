/**
 * `identity/lookup`: an entity or group by any one of its names.
 *
 * @module
 */

import { VaultError } from "../../../vault/errors.ts";
import type { User } from "../../../vault/state.ts";
import { text, type Values } from "../fields.ts";
import { type Route, route } from "../route.ts";
import { entityBody, type IdentityParts } from "./identity_entity.ts";
import { groupBody } from "./identity_group.ts";

const QUERY = {
  id: text("the id"),
  name: text("the name"),
  alias_id: text("the id of an alias"),
  alias_name: text("the name of an alias, with alias_mount_accessor"),
  alias_mount_accessor: text("the accessor of the alias's mount"),
};

/** The one thing that is asked by. */
type Query =
  | { readonly by: "id"; readonly value: string }
  | { readonly by: "name"; readonly value: string }
  | { readonly by: "alias_id"; readonly value: string }
  | { readonly by: "alias"; readonly name: string; readonly mountAccessor: string };

/** The routes. */
export function identityLookupRoutes(parts: IdentityParts): Route[] {
  const { identity } = parts;
  return [
    route({
      path: "lookup/entity",
      summary: "An entity by its id, its name, or one of its aliases.",
      fields: QUERY,
      write: ({ values }) => {
        const user = findEntity(queryOf(values), parts);
        return user === undefined ? null : { data: entityBody(user, parts) };
      },
    }),
    route({
      path: "lookup/group",
      summary: "A group by its id or its name.",
      fields: QUERY,
      write: ({ values }) => {
        const query = queryOf(values);
        // Only external groups have aliases, and no auth method here supplies them.
        if (query.by !== "id" && query.by !== "name") return null;
        const group = query.by === "id" ? identity.groups.byId(query.value) : identity.groups.byName(query.value);
        return group === undefined ? null : { data: groupBody(group, parts) };
      },
    }),
  ];
}

function findEntity(query: Query, parts: IdentityParts): User | undefined {
  const { entities, aliases } = parts.identity;
  switch (query.by) {
    case "id":
      return entities.byId(query.value);
    case "name":
      return entities.byName(query.value);
    case "alias_id":
      return ownerOf(aliases.byId(query.value), parts);
    case "alias": {
      const accessor = parts.mounts.resolve(query.mountAccessor)?.accessor ?? query.mountAccessor;
      return ownerOf(aliases.byName(accessor, query.name), parts);
    }
  }
}

function ownerOf(alias: { readonly entityId: string } | undefined, { identity }: IdentityParts): User | undefined {
  return alias === undefined ? undefined : identity.entities.byId(alias.entityId);
}

function queryOf({ id, name, alias_id, alias_name, alias_mount_accessor }: Values<typeof QUERY>): Query {
  const hasAlias = alias_name !== undefined || alias_mount_accessor !== undefined;
  const count = [id, name, alias_id].filter((value) => value !== undefined).length + (hasAlias ? 1 : 0);
  if (count === 0) throw new VaultError("invalid_argument", "query parameter not supplied");
  if (count > 1) {
    throw new VaultError(
      "invalid_argument",
      "query parameter conflict; please supply distinct set of query parameters",
    );
  }
  if (id !== undefined) return { by: "id", value: id };
  if (name !== undefined) return { by: "name", value: name };
  if (alias_id !== undefined) return { by: "alias_id", value: alias_id };
  if (!alias_name || !alias_mount_accessor) {
    throw new VaultError("invalid_argument", "both alias_name and alias_mount_accessor must be supplied");
  }
  return { by: "alias", name: alias_name, mountAccessor: alias_mount_accessor };
}
