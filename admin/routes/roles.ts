/**
 * `/roles`: a change binds every token of the role from the next call on.
 *
 * @module
 */

import { quoteName } from "../../vault/names.ts";
import { formatRateLimit, type Role } from "../../vault/mod.ts";
import { defined, integer, optional, text, texts } from "../body.ts";
import type { AdminVault } from "../ports.ts";
import { type AdminContext, type AdminRoute, bodyOf, nameIn } from "../route.ts";
import type { RoleRow } from "../wire.ts";

/** The routes of roles. */
export function roleRoutes(vault: Pick<AdminVault, "roles">): readonly AdminRoute[] {
  const { roles } = vault;
  return [
    { method: "GET", path: "/roles", handle: (c) => c.json({ roles: roles.list().map(toRow) }) },
    { method: "POST", path: "/roles", handle: (c) => create(c, roles) },
    { method: "GET", path: "/roles/:name", handle: (c) => c.json(toRow(roles.show(nameIn(c, "name")))) },
    { method: "PUT", path: "/roles/:name", handle: (c) => update(c, roles) },
    { method: "DELETE", path: "/roles/:name", handle: (c) => remove(c, roles) },
  ];
}

async function create(c: AdminContext, roles: AdminVault["roles"]): Promise<Response> {
  const { name, scope, top_k, rate_limit, policies, cutoff_envelopes: cutoffEnvelopes } = await bodyOf(c, {
    name: text,
    scope: texts,
    top_k: integer,
    rate_limit: text,
    policies: optional(texts),
    cutoff_envelopes: optional(text),
  });
  const wanted = { name, scope, topK: top_k, rateLimit: rate_limit, ...defined({ policies, cutoffEnvelopes }) };
  return c.json(toRow(await roles.create(wanted)), 201);
}

async function update(c: AdminContext, roles: AdminVault["roles"]): Promise<Response> {
  const { scope, top_k, rate_limit, policies, cutoff_envelopes: cutoffEnvelopes } = await bodyOf(c, {
    scope: optional(texts),
    top_k: optional(integer),
    rate_limit: optional(text),
    policies: optional(texts),
    cutoff_envelopes: optional(text),
  });
  const change = defined({ scope, topK: top_k, rateLimit: rate_limit, policies, cutoffEnvelopes });
  return c.json(toRow(await roles.update(nameIn(c, "name"), change)));
}

async function remove(c: AdminContext, roles: AdminVault["roles"]): Promise<Response> {
  const name = nameIn(c, "name");
  await roles.delete(name);
  return c.json({ message: `Deleted role ${quoteName(name)}`, name });
}

function toRow(role: Role): RoleRow {
  const { name, scope, topK: top_k, policies, cutoffEnvelopes: cutoff_envelopes } = role;
  const row = { name, scope, top_k, rate_limit: formatRateLimit(role.rateLimit) };
  return { ...row, ...defined({ policies, cutoff_envelopes }) };
}
