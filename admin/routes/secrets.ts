/**
 * `/secrets`: the versions of the team secret. The secret itself is never on this API.
 *
 * @module
 */

import { VaultError } from "../../vault/errors.ts";
import type { SecretVersion } from "../../vault/mod.ts";
import type { AdminVault } from "../ports.ts";
import { type AdminContext, type AdminRoute, bodyOf } from "../route.ts";
import type { SecretRow } from "../wire.ts";

/** The routes of team-secret versions. */
export function secretRoutes(vault: Pick<AdminVault, "secrets">): readonly AdminRoute[] {
  const { secrets } = vault;
  return [
    { method: "GET", path: "/secrets", needs: "all", handle: (c) => c.json({ secrets: secrets.list().map(toRow) }) },
    { method: "POST", path: "/secrets/rotate", handle: (c) => change(c, () => secrets.rotate()) },
    {
      method: "POST",
      path: "/secrets/:version/retire",
      handle: (c) => change(c, () => secrets.retire(versionIn(c))),
    },
  ];
}

async function change(c: AdminContext, apply: () => Promise<SecretVersion>): Promise<Response> {
  await bodyOf(c, {});
  return c.json(toRow(await apply()));
}

function versionIn(c: AdminContext): number {
  const segment = c.req.param("version") ?? "";
  if (/^[1-9][0-9]{0,8}$/.test(segment)) return Number(segment);
  throw new VaultError("invalid_argument", "A version is a whole number above 0", {
    hint: "see `runevault secret list`",
  });
}

function toRow(secret: SecretVersion): SecretRow {
  return {
    version: secret.version,
    state: secret.state,
    created_at: new Date(secret.createdAt).toISOString(),
    fingerprint: secret.fingerprint,
    live_tokens: secret.liveTokens,
  };
}
