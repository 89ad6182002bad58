/**
 * `/root-tokens`: root tokens of the identity API, which are made on this machine alone (S19).
 *
 * @module
 */

import type { AdminVault } from "../ports.ts";
import { type AdminContext, type AdminRoute, bodyOf, nameIn } from "../route.ts";
import type { RootTokenRow } from "../wire.ts";

type RootTokens = AdminVault["engine"]["rootTokens"];

/** The routes of root tokens. */
export function rootTokenRoutes({ engine: { rootTokens } }: Pick<AdminVault, "engine">): readonly AdminRoute[] {
  return [
    {
      method: "GET",
      path: "/root-tokens",
      needs: "all",
      handle: (c) => c.json({ root_tokens: rootTokens.list().map(toRow) }),
    },
    { method: "POST", path: "/root-tokens", handle: (c) => make(c, rootTokens) },
    { method: "DELETE", path: "/root-tokens/:name", handle: (c) => revoke(c, rootTokens) },
  ];
}

async function make(c: AdminContext, rootTokens: RootTokens): Promise<Response> {
  await bodyOf(c, {});
  const made = await rootTokens.make();
  return c.json({ ...toRow(made), token: made.token }, 201);
}

async function revoke(c: AdminContext, rootTokens: RootTokens): Promise<Response> {
  const accessor = nameIn(c, "name");
  await rootTokens.revoke(accessor);
  return c.json({ message: "Revoked the root token and all that it made", accessor });
}

function toRow({ accessor, createdAt, expiresAt }: ReturnType<RootTokens["list"]>[number]): RootTokenRow {
  return {
    accessor,
    created_at: new Date(createdAt).toISOString(),
    expires_at: expiresAt === null ? null : new Date(expiresAt).toISOString(),
  };
}
