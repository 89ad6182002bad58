/**
 * The database secrets engine: connections, and accounts made for callers.
 *
 * @module
 */

import type { DatabaseEngine } from "../../../vault/database/database_engine.ts";
import type { DatabaseConnectionRecord } from "../../../vault/storage/database_records.ts";
import type { Json } from "../../../vault/storage/identity_records.ts";
import { anything, bool, commaList, list, text } from "../fields.ts";
import { type ApiAnswer, type ApiRequest, type Backend, type Route, route } from "../route.ts";
import { databaseRoleRoutes, databaseStaticRoleRoutes } from "./database_roles.ts";

/** What these routes need. */
export interface DatabaseParts {
  readonly database: DatabaseEngine;
  /** Whether somebody logs in, or is known, by this name. */
  isNameOfUser(name: string): boolean;
}

/** As field messages of this engine have no prefix upstream. */
export const NO_PREFIX = "";

const CONNECTION = {
  plugin_name: text("`mysql-database-plugin`, `postgresql-database-plugin` and their relatives"),
  plugin_version: text("taken for compatibility"),
  verify_connection: bool("whether to try it out first (default)"),
  allowed_roles: commaList("roles that it serves; `*` stands for anything"),
  root_rotation_statements: list("statements that give its own account another password"),
  password_policy: text("policy of the passwords made on it"),
};
/** Fields that an explicit null empties. */
const EMPTIED = ["allowed_roles", "root_rotation_statements"] as const;

/** The backend of mounts of type `database`. */
export function databaseBackend(parts: DatabaseParts): Backend {
  const routes = [
    ...connectionRoutes(parts.database),
    ...databaseRoleRoutes(parts),
    ...databaseStaticRoleRoutes(parts),
    credentialRoute(parts.database),
  ];
  return { type: "database", section: "secret", description: "accounts on databases, one for each token", routes };
}

function connectionRoutes({ connections }: DatabaseEngine): Route[] {
  return [
    route({
      path: "config",
      summary: "The names of all connections.",
      list: ({ mount }) => keysOf(connections.list(mount.accessor)),
    }),
    route({
      path: "config/:name",
      summary: "One connection to a server.",
      fieldProblemPrefix: NO_PREFIX,
      fields: CONNECTION,
      keepsUnknown: true,
      exists: ({ name }, mount) => connections.get(mount.accessor, name!) !== undefined,
      read: ({ mount, params }) => {
        const record = connections.get(mount.accessor, params["name"]!);
        return record === undefined ? null : { data: bodyOf(record, connections.shown(record)) };
      },
      write: (request) => writeConnection(request, connections),
      delete: async ({ mount, params, warn }) => {
        const held = await connections.delete(mount.accessor, params["name"]!);
        if (held > 0) {
          warn(`${held} leases are on this connection; they end once there is one of this name again`);
        }
        return null;
      },
    }),
    route({
      path: "reset/:name",
      summary: "Closes a connection and opens it anew.",
      write: ({ mount, params }) => {
        connections.reset(mount.accessor, params["name"]!);
        return null;
      },
    }),
    route({
      path: "rotate-root/:name",
      summary: "Gives a connection's own account a password that nobody else knows.",
      write: async ({ mount, params }) => {
        await connections.rotateRoot(mount.accessor, params["name"]!);
        return null;
      },
    }),
  ];
}

async function writeConnection(
  { mount, params, values, sent, warn }: ApiRequest<typeof CONNECTION>,
  connections: DatabaseEngine["connections"],
): Promise<ApiAnswer> {
  const emptied = new Set(EMPTIED.filter((name) => sent.get(name) === null));
  const allowedRoles = emptied.has("allowed_roles") ? [] : values.allowed_roles;
  const rotation = emptied.has("root_rotation_statements") ? [] : values.root_rotation_statements;
  const warnings = await connections.write(mount.accessor, params["name"]!, {
    ...(values.plugin_name === undefined ? {} : { pluginName: values.plugin_name }),
    ...(values.plugin_version === undefined ? {} : { pluginVersion: values.plugin_version }),
    ...(values.verify_connection === undefined ? {} : { verify: values.verify_connection }),
    ...(allowedRoles === undefined ? {} : { allowedRoles }),
    ...(rotation === undefined ? {} : { rootRotationStatements: rotation }),
    ...(values.password_policy === undefined ? {} : { passwordPolicy: values.password_policy }),
    details: detailsOf(sent),
  });
  warnings.forEach(warn);
  return null;
}

/** Whatever isn't a field of the connection itself is one of its details. */
function detailsOf(sent: ReadonlyMap<string, unknown>): Record<string, Json> {
  const { coerce } = anything("");
  const others = [...sent].filter(([name]) => !Object.hasOwn(CONNECTION, name) && name !== "__proto__");
  return Object.fromEntries(others.map(([name, value]) => [name, value === null ? null : coerce(value)]));
}

function bodyOf(record: DatabaseConnectionRecord, details: Record<string, Json>): Record<string, unknown> {
  return {
    plugin_name: record.pluginName,
    plugin_version: record.pluginVersion,
    connection_details: details,
    allowed_roles: record.allowedRoles,
    root_credentials_rotate_statements: record.rootRotationStatements,
    password_policy: record.passwordPolicy,
  };
}

function credentialRoute({ credentials }: DatabaseEngine): Route {
  return route({
    path: "creds/:email.name",
    summary: "Makes an account for the caller, by a role or by the caller's own name; it ends with its lease.",
    read: async ({ mount, params, caller, warn }) => {
      const { leaseId: id, ttl, username, password, warnings } = await credentials.issue(
        mount,
        params["name"]!,
        caller,
      );
      warnings.forEach(warn);
      return { data: { username, password }, lease: { id, renewable: true, duration: ttl, isNew: true } };
    },
  });
}

/** The names of some records, as a list is told. */
export function keysOf(records: readonly { readonly name: string }[]): ApiAnswer {
  return records.length === 0 ? null : { data: { keys: records.map(({ name }) => name) } };
}
