/**
 * `/users` with passwords: logins that belong to users. Passwords come in bodies and never leave.
 *
 * @module
 */

import { quoteName } from "../../vault/names.ts";
import { defined, flag, optional, text, texts } from "../body.ts";
import { assertMay } from "../operator.ts";
import type { AdminVault } from "../ports.ts";
import { assertNoRoleName } from "../role_names.ts";
import { type AdminContext, type AdminRoute, bodyOf, nameIn } from "../route.ts";
import type { CreatedUserBody } from "../wire.ts";

/** The routes of accounts. */
export function accountRoutes(vault: Pick<AdminVault, "engine" | "users">): readonly AdminRoute[] {
  const { accounts } = vault.engine;
  return [
    { method: "POST", path: "/users", needs: "tokens", handle: (c) => create(c, vault) },
    { method: "POST", path: "/users/:name/password", needs: "tokens", handle: (c) => setPassword(c, accounts) },
    { method: "POST", path: "/users/:name/link", needs: "tokens", handle: (c) => link(c, accounts) },
    { method: "POST", path: "/users/:name/unlock", needs: "tokens", handle: (c) => unlock(c, accounts) },
  ];
}

type Accounts = AdminVault["engine"]["accounts"];

async function create(c: AdminContext, vault: Pick<AdminVault, "engine" | "users">): Promise<Response> {
  const { user, password, login, policies, force } = await bodyOf(c, {
    user: text,
    password: text,
    login: optional(text),
    policies: optional(texts),
    force: optional(flag),
  });
  // Policies can be anything, and a role's name gives rights on databases: whoever may only issue tokens gives neither.
  if (policies !== undefined || force) assertMay(c.get("operator"), "all");
  for (const name of [user, login ?? user]) assertNoRoleName(vault, name, force);
  await vault.engine.accounts.create({ name: user, password, ...defined({ login, policies }) });
  const message = `Created the login of user ${JSON.stringify(user)}`;
  return c.json({ message, user, warnings: warningsOf(policies, vault) } satisfies CreatedUserBody, 201);
}

/** A policy may be written later than the user who is to have it, so one that isn't there is no mistake for certain. */
function warningsOf(policies: readonly string[] = [], { engine }: Pick<AdminVault, "engine">): string[] {
  const missing = [...new Set(policies)].filter((name) => !engine.policies.exists(name.trim().toLowerCase()));
  return missing.map((name) => `Policy ${quoteName(name)} does not exist: until it is written it gives nothing`);
}

async function setPassword(c: AdminContext, accounts: Accounts): Promise<Response> {
  const { password } = await bodyOf(c, { password: text });
  const user = nameIn(c, "name");
  await accounts.setPassword(user, password);
  return c.json({ message: `Set the password of user ${JSON.stringify(user)}`, user });
}

async function link(c: AdminContext, accounts: Accounts): Promise<Response> {
  const { login } = await bodyOf(c, { login: text });
  const user = nameIn(c, "name");
  await accounts.link(user, login);
  return c.json({ message: `Linked the login ${JSON.stringify(login)} to user ${JSON.stringify(user)}`, user });
}

async function unlock(c: AdminContext, accounts: Accounts): Promise<Response> {
  await bodyOf(c, {});
  const user = nameIn(c, "name");
  accounts.unlock(user);
  return c.json({ message: `User ${JSON.stringify(user)} may try again`, user });
}
