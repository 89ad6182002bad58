/**
 * `auth/userpass`: users with passwords, and their logins.
 *
 * @module
 */

import { VaultError } from "../../../vault/errors.ts";
import type { Identity } from "../../../vault/identity/identity.ts";
import { cleanPolicies } from "../../../vault/identity/policies.ts";
import type { ApiCaller } from "../../../vault/service_tokens/caller.ts";
import type { ServiceTokens } from "../../../vault/service_tokens/service_tokens.ts";
import type { MountRecord, TokenParams } from "../../../vault/storage/identity_records.ts";
import type { Write } from "../../../vault/storage/store.ts";
import { policiesOf, type UserpassLogin } from "../../../vault/userpass/login.ts";
import type { UserpassService } from "../../../vault/userpass/userpass_service.ts";
import { authBlock } from "../auth_block.ts";
import { commaList, duration, int, text, type Values } from "../fields.ts";
import { assertMayGive } from "../given_policies.ts";
import { type ApiAnswer, type ApiRequest, type Backend, type Route, route } from "../route.ts";
import { type AssertNoneNamed, assertNoRoleName, FORCE } from "./role_names.ts";
import { TOKEN_PARAMS, tokenParamsBody, tokenParamsOf } from "../token_params.ts";

/** What these routes need. */
export interface UserpassParts {
  readonly users: UserpassService;
  readonly logins: UserpassLogin;
  readonly tokens: ServiceTokens;
  readonly identity: Identity;
  readonly assertNoneNamed: AssertNoneNamed;
}

const PASSWORD = text("the password");
const USER = {
  password: PASSWORD,
  password_hash: text("a bcrypt hash, in place of the password"),
  ...TOKEN_PARAMS,
  policies: commaList("the old name of token_policies"),
  ttl: duration("the old name of token_ttl"),
  max_ttl: duration("the old name of token_max_ttl"),
  bound_cidrs: commaList("the old name of token_bound_cidrs"),
  force: FORCE,
};
const NO_PREFIX = "";

/** The backend of mounts of type `userpass`. */
export function userpassBackend(parts: UserpassParts): Backend {
  const routes = [...loginRoutes(parts), ...userRoutes(parts), ...partRoutes(parts)];
  return { type: "userpass", section: "auth", description: "log in by name and password", routes };
}

function loginRoutes(parts: UserpassParts): Route[] {
  const { logins, identity } = parts;
  return [
    route({
      path: "login/:email.username",
      userNamed: userNamed(parts),
      summary: "Logs a user in.",
      isOpen: true,
      fieldProblemStatus: 500,
      fields: { password: PASSWORD },
      write: async ({ mount, params, values, remoteAddress, warn }) => {
        if (!values.password) throw new VaultError("invalid_argument", "missing password");
        const { token, record, warnings } = await logins.login(
          mount,
          params["username"]!,
          values.password,
          remoteAddress,
        );
        warnings.forEach(warn);
        return { auth: authBlock(token, record, identity) };
      },
    }),
  ];
}

function userRoutes(parts: UserpassParts): Route[] {
  const { users } = parts;
  return [
    route({
      path: "users",
      summary: "The names of all users.",
      fields: { after: text("names after this one"), limit: int("how many") },
      list: ({ mount, values }) => {
        const names = users.list(mount).filter((name) => values.after === undefined || name > values.after);
        const keys = values.limit !== undefined && values.limit > 0 ? names.slice(0, values.limit) : names;
        return keys.length === 0 ? null : { data: { keys } };
      },
    }),
    route({
      path: "users/:email.username",
      userNamed: userNamed(parts),
      summary: "One user.",
      stored,
      fieldProblemPrefix: NO_PREFIX,
      fields: USER,
      exists: ({ username }, mount) => users.get(mount, username!) !== undefined,
      read: ({ mount, params }) => {
        const user = users.get(mount, params["username"]!);
        return user === undefined ? null : { data: bodyOf(user.params) };
      },
      write: (request) => writeUser(request, parts),
      delete: async ({ mount, params }) => {
        await users.delete(mount, params["username"]!);
        return null;
      },
    }),
  ];
}

/** Finds whom a name stands for. */
function userNamed({ users, identity }: UserpassParts): NonNullable<Route["userNamed"]> {
  return (params, mount) => {
    const name = params["username"]!.toLowerCase();
    if (users.get(mount, name) === undefined) return undefined;
    const entity = identity.holderOf(mount.accessor, name);
    return { name: entity?.record.name ?? name, entityId: entity?.record.entityId };
  };
}

/** Names of users are kept in lower case. */
function stored({ username }: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return { username: username!.toLowerCase() };
}

async function writeUser(request: ApiRequest<typeof USER>, parts: UserpassParts): Promise<ApiAnswer> {
  const { mount, params, values } = request;
  if (request.operation === "create") assertNoRoleName(params["username"], request, parts.assertNoneNamed);
  const given = paramsOf(values);
  if (given.policies !== undefined) assertMayGive(request, given.policies);
  if ((values.password ?? values.password_hash) !== undefined) {
    if (request.operation === "update") assertNotOwn(request, parts);
    assertNoMorePowerful(request, parts);
  }
  await parts.users.put(mount, params["username"]!, {
    ...(values.password === undefined ? {} : { password: values.password }),
    ...(values.password_hash === undefined ? {} : { passwordHash: values.password_hash }),
    params: given,
  });
  return null;
}

function partRoutes(parts: UserpassParts): Route[] {
  return [
    route({
      path: "users/:email.username/password",
      userNamed: userNamed(parts),
      summary: "Sets a user's password; users set their own by giving the old one, which ends their other sessions.",
      stored,
      fieldProblemPrefix: NO_PREFIX,
      fields: { password: PASSWORD, password_hash: USER.password_hash, old_password: text("the present password") },
      write: (request) => setPassword(request, parts),
    }),
    route({
      path: "users/:email.username/policies",
      userNamed: userNamed(parts),
      summary: "Sets the policies of a user's tokens.",
      stored,
      fieldProblemPrefix: NO_PREFIX,
      fields: { token_policies: TOKEN_PARAMS.token_policies, policies: USER.policies },
      write: async (request) => {
        const { mount, params, values } = request;
        const policies = cleanPolicies(values.token_policies ?? values.policies ?? []);
        assertMayGive(request, policies);
        await parts.users.setPolicies(mount, params["username"]!, policies);
        return null;
      },
    }),
  ];
}

type PasswordRequest = ApiRequest<{
  password: typeof PASSWORD;
  password_hash: typeof PASSWORD;
  old_password: typeof PASSWORD;
}>;

async function setPassword(request: PasswordRequest, parts: UserpassParts): Promise<ApiAnswer> {
  const { mount, params, values, caller } = request;
  const username = params["username"]!;
  const input = {
    ...(values.password === undefined ? {} : { password: values.password }),
    ...(values.password_hash === undefined ? {} : { passwordHash: values.password_hash }),
  };
  if (request.hasSudo || !isOwn(mount, username, caller, parts)) {
    assertNoMorePowerful(request, parts);
    await parts.users.setPassword(mount, username, input);
    return null;
  }
  if (!values.old_password) {
    throw new VaultError("invalid_argument", "missing old_password", {
      hint: "give the present password with the new",
    });
  }
  await parts.logins.confirm(mount, username, values.old_password);
  await parts.users.setPassword(mount, username, input, () => endOtherSessions(mount, username, caller, parts));
  return null;
}

/** Every token of the same login but the caller's and those that it descends from. */
function endOtherSessions(mount: MountRecord, username: string, caller: ApiCaller, { tokens }: UserpassParts): Write[] {
  const kept = new Set<string>();
  for (let up = caller.token; up !== null && up !== undefined;) {
    kept.add(up.hash);
    up = up.parent === null ? null : tokens.index.get(up.parent) ?? null;
  }
  const { entityId, mergedEntityIds = [] } = caller.entity!.record;
  const all = [entityId, ...mergedEntityIds].flatMap((id) => tokens.index.ofEntity(id));
  const others = all.filter((record) =>
    record.mountAccessor === mount.accessor && record.login?.username === username.toLowerCase() &&
    !kept.has(record.hash)
  );
  return tokens.endings.planEnd(others);
}

function isOwn(mount: MountRecord, username: string, { entity }: ApiCaller, { identity }: UserpassParts): boolean {
  return entity !== null &&
    identity.aliases.byName(mount.accessor, username)?.entityId === entity.record.entityId;
}

/** By this path nobody gives the old password, so one's own is changed by the other. */
function assertNotOwn(request: ApiRequest<typeof USER>, parts: UserpassParts): void {
  if (request.hasSudo || !isOwn(request.mount, request.params["username"]!, request.caller, parts)) return;
  throw new VaultError("permission_denied", "change your own password at …/password, giving old_password");
}

/** S12: whoever sets a password may log in with it, so without `sudo` nobody sets that of a user who may do more. */
function assertNoMorePowerful(
  { hasSudo, caller, mount, params }: Pick<ApiRequest, "hasSudo" | "caller" | "mount" | "params">,
  { users, identity }: UserpassParts,
): void {
  if (hasSudo) return;
  const user = users.get(mount, params["username"]!);
  // An alias may be there before its login.
  const entity = identity.aliases.byName(mount.accessor, params["username"]!.toLowerCase())?.entityId;
  const own = [...caller.policies, ...policiesOfEntity(caller.entity?.record.entityId, identity)];
  const theirs = [...user === undefined ? [] : policiesOf(user.params), ...policiesOfEntity(entity, identity)];
  if (theirs.every((name) => name === "default" || own.includes(name))) return;
  throw new VaultError("permission_denied", "setting the password of a user with policies beyond your own needs sudo");
}

function policiesOfEntity(entityId: string | undefined, identity: Identity): readonly string[] {
  const entity = entityId === undefined ? undefined : identity.followed(entityId);
  return entity === undefined ? [] : identity.policiesOf(entity);
}

function paramsOf(values: Values<typeof USER>): Partial<TokenParams> {
  const old = {
    ...(values.policies === undefined ? {} : { token_policies: values.policies }),
    ...(values.ttl === undefined ? {} : { token_ttl: values.ttl }),
    ...(values.max_ttl === undefined ? {} : { token_max_ttl: values.max_ttl }),
    ...(values.bound_cidrs === undefined ? {} : { token_bound_cidrs: values.bound_cidrs }),
  };
  return tokenParamsOf({ ...old, ...values });
}

/** Under the old names too, for whoever wrote them. */
function bodyOf(params: TokenParams): Record<string, unknown> {
  return {
    ...tokenParamsBody(params),
    policies: params.policies,
    ttl: params.ttl,
    max_ttl: params.maxTtl,
    bound_cidrs: params.boundCidrs,
  };
}
