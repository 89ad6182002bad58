/**
 * The database secrets engine: dynamic and static roles.
 *
 * @module
 */

import { VaultError } from "../../../vault/errors.ts";
import type { DatabaseRoleRecord, DatabaseStaticRoleRecord } from "../../../vault/storage/database_records.ts";
import { bool, duration, list, object, text } from "../fields.ts";
import { type ApiAnswer, type ApiRequest, type Route, route } from "../route.ts";
import { rfc3339 } from "../timestamps.ts";
import { type DatabaseParts, keysOf, NO_PREFIX } from "./database.ts";

const ROLE = {
  db_name: text("the connection"),
  creation_statements: list("statements that make an account"),
  revocation_statements: list("statements that take it away; none: it is dropped"),
  rollback_statements: list("statements after a creation that failed"),
  renew_statements: list("statements that let it live longer"),
  default_ttl: duration("life of an account; 0: the mount's"),
  max_ttl: duration("the most that renewals may make of it; 0: the mount's"),
  credential_type: text("`password`"),
  credential_config: object("password_policy"),
  user_bound: bool("whether users are served by their own names"),
};
const STATEMENTS = ["creation_statements", "revocation_statements", "rollback_statements", "renew_statements"] as const;

const STATIC_ROLE = {
  db_name: text("the connection"),
  username: text("the account, which is there already"),
  rotation_period: duration("seconds from one password to the next, 5 at least"),
  rotation_statements: list("statements that set the password"),
  credential_type: text("`password`"),
  credential_config: object("password_policy"),
};

/** The routes of dynamic roles. */
export function databaseRoleRoutes(parts: DatabaseParts): Route[] {
  const { roles } = parts.database;
  return [
    route({
      path: "roles",
      summary: "The names of all roles.",
      list: ({ mount }) => keysOf(roles.list(mount.accessor)),
    }),
    route({
      path: "roles/:email.name",
      summary: "One role: which accounts are made, and for how long.",
      fieldProblemPrefix: NO_PREFIX,
      fields: ROLE,
      exists: ({ name }, mount) => roles.get(mount.accessor, name!) !== undefined,
      read: ({ mount, params }) => {
        const role = roles.get(mount.accessor, params["name"]!);
        return role === undefined ? null : { data: roleBody(role) };
      },
      write: (request) => writeRole(request, parts),
      delete: async ({ mount, params }) => {
        await roles.delete(mount.accessor, params["name"]!);
        return null;
      },
    }),
  ];
}

async function writeRole(request: ApiRequest<typeof ROLE>, parts: DatabaseParts): Promise<ApiAnswer> {
  const { mount, params, values, warn } = request;
  const name = params["name"]!;
  const [creation, revocation, rollback, renewal] = STATEMENTS.map((field) => statementsOf(request, field));
  const policy = policyOf(values.credential_config);
  await parts.database.roles.write(mount.accessor, name, {
    ...(values.db_name === undefined ? {} : { connection: values.db_name }),
    ...(creation === undefined ? {} : { creation }),
    ...(revocation === undefined ? {} : { revocation }),
    ...(rollback === undefined ? {} : { rollback }),
    ...(renewal === undefined ? {} : { renewal }),
    ...(values.default_ttl === undefined ? {} : { defaultTtl: values.default_ttl }),
    ...(values.max_ttl === undefined ? {} : { maxTtl: values.max_ttl }),
    ...(values.credential_type === undefined ? {} : { credentialType: values.credential_type }),
    ...(policy === undefined ? {} : { passwordPolicy: policy }),
    ...(values.user_bound === undefined ? {} : { userBound: values.user_bound }),
  });
  if (parts.isNameOfUser(name)) warn(`there is a user "${name}", for whom this role wins over that for all users`);
  return null;
}

function roleBody(role: DatabaseRoleRecord): Record<string, unknown> {
  return {
    db_name: role.connection,
    creation_statements: role.creation,
    revocation_statements: role.revocation,
    rollback_statements: role.rollback,
    renew_statements: role.renewal,
    default_ttl: role.defaultTtl,
    max_ttl: role.maxTtl,
    credential_type: "password",
    ...(role.passwordPolicy === undefined ? {} : { credential_config: { password_policy: role.passwordPolicy } }),
    ...(role.userBound === undefined ? {} : { user_bound: role.userBound }),
  };
}

/** The routes of static roles. */
export function databaseStaticRoleRoutes({ database: { staticRoles } }: DatabaseParts): Route[] {
  return [
    route({
      path: "static-roles",
      summary: "The names of all static roles.",
      list: ({ mount }) => keysOf(staticRoles.list(mount.accessor)),
    }),
    route({
      path: "static-roles/:email.name",
      summary: "One account whose password is changed on schedule.",
      fieldProblemPrefix: NO_PREFIX,
      fields: STATIC_ROLE,
      exists: ({ name }, mount) => staticRoles.get(mount.accessor, name!) !== undefined,
      read: ({ mount, params }) => {
        const role = staticRoles.get(mount.accessor, params["name"]!);
        return role === undefined ? null : { data: staticRoleBody(role) };
      },
      write: async (request) => {
        const { mount, params, values, sent } = request;
        assertNoSchedule(sent);
        const rotation = statementsOf(request, "rotation_statements");
        const policy = policyOf(values.credential_config);
        await staticRoles.write(mount.accessor, params["name"]!, {
          ...(values.db_name === undefined ? {} : { connection: values.db_name }),
          ...(values.username === undefined ? {} : { username: values.username }),
          ...(values.rotation_period === undefined ? {} : { rotationPeriod: values.rotation_period }),
          ...(rotation === undefined ? {} : { rotation }),
          ...(values.credential_type === undefined ? {} : { credentialType: values.credential_type }),
          ...(policy === undefined ? {} : { passwordPolicy: policy }),
        });
        return null;
      },
      delete: async ({ mount, params, warn }) => {
        const known = await staticRoles.delete(mount.accessor, params["name"]!);
        if (known > 0) warn(`the account keeps its password, which ${known} users have read: change it by hand`);
        return null;
      },
    }),
    route({
      path: "static-creds/:email.name",
      summary: "The present password of a static role's account.",
      read: async ({ mount, params, caller }) => {
        const reader = caller.entity?.record.entityId ?? null;
        const { role, password, ttl } = await staticRoles.credentials(mount.accessor, params["name"]!, reader);
        return {
          data: {
            username: role.username,
            password,
            ttl,
            rotation_period: role.rotationPeriod,
            last_vault_rotation: rfc3339(role.rotatedAt),
          },
        };
      },
    }),
    route({
      path: "rotate-role/:email.name",
      summary: "Changes the password of a static role's account now.",
      write: async ({ mount, params }) => {
        await staticRoles.rotate(mount.accessor, params["name"]!);
        return null;
      },
    }),
  ];
}

/** Another way to say when a password changes, which HashiCorp's Vault alone knows. Ignored, it would never change then. */
function assertNoSchedule(sent: ReadonlyMap<string, unknown>): void {
  const found = ["rotation_schedule", "rotation_window"].find((name) =>
    sent.get(name) !== undefined && sent.get(name) !== null
  );
  if (found === undefined) return;
  throw new VaultError("invalid_argument", `${found} is not supported`, { hint: "give rotation_period, in seconds" });
}

function staticRoleBody(role: DatabaseStaticRoleRecord): Record<string, unknown> {
  return {
    db_name: role.connection,
    username: role.username,
    rotation_period: role.rotationPeriod,
    rotation_statements: role.rotation,
    credential_type: "password",
    ...(role.passwordPolicy === undefined ? {} : { credential_config: { password_policy: role.passwordPolicy } }),
    last_vault_rotation: rfc3339(role.rotatedAt),
  };
}

/** A statements field; an explicit null empties it. */
function statementsOf<K extends string>(
  { values, sent }: { values: { readonly [N in K]?: readonly string[] }; sent: ReadonlyMap<string, unknown> },
  name: K,
): readonly string[] | undefined {
  return sent.get(name) === null ? [] : values[name];
}

function policyOf(config: Readonly<Record<string, unknown>> | undefined): string | undefined {
  const policy = config?.["password_policy"];
  if (policy === undefined) return undefined;
  if (typeof policy === "string" && policy !== "") return policy;
  throw new VaultError("invalid_argument", "credential_config.password_policy must be the name of a policy");
}
