/**
 * `/users`: the people and agents that tokens belong to.
 *
 * @module
 */

import { type UserSummary, warningsOf } from "../../vault/mod.ts";
import type { AdminVault } from "../ports.ts";
import { type AdminContext, type AdminRoute, bodyOf, nameIn, pageIn } from "../route.ts";
import { streamRows } from "../rows.ts";
import type { UserRow } from "../wire.ts";
import { toDetail } from "./tokens.ts";

/** The routes of users. */
export function userRoutes(vault: Pick<AdminVault, "users" | "engine">): readonly AdminRoute[] {
  const { users, engine } = vault;
  return [
    { method: "GET", path: "/users", handle: (c) => list(c, users) },
    { method: "GET", path: "/users/:name", handle: (c) => show(c, users, engine.accounts) },
    {
      method: "POST",
      path: "/users/:name/disable",
      needs: "tokens",
      handle: (c) => change(c, (name) => users.disable(name)),
    },
    {
      method: "POST",
      path: "/users/:name/enable",
      needs: "tokens",
      handle: (c) => change(c, (name) => users.enable(name)),
    },
  ];
}

function list(c: AdminContext, users: AdminVault["users"]): Response {
  return c.body(streamRows("users", users.list(pageIn(c)), toRow), 200, { "content-type": "application/json" });
}

function show(c: AdminContext, users: AdminVault["users"], accounts: AdminVault["engine"]["accounts"]): Response {
  const name = nameIn(c, "name");
  const logins = accounts.loginsOf(name).map((login) => ({
    mount_path: login.mountPath,
    username: login.username,
    policies: login.policies,
    locked: login.isLocked,
  }));
  return c.json({ ...toRow(users.show(name)), logins });
}

async function change(c: AdminContext, apply: (name: string) => Promise<UserSummary>): Promise<Response> {
  await bodyOf(c, {});
  return c.json(toRow(await apply(nameIn(c, "name"))));
}

function toRow(user: UserSummary): UserRow {
  return {
    name: user.name,
    entity_id: user.entityId,
    disabled: user.disabled,
    created_at: new Date(user.createdAt).toISOString(),
    epoch: user.epoch,
    token: user.token === null ? null : toDetail(user.token),
    agent_key_left_at: moment(user.agentKeyLeftAt),
    index_key_left_at: moment(user.indexKeyLeftAt),
    score_rows: user.scoreRows,
    cut_off: user.cutOff === null ? null : { at: moment(user.cutOff.at)!, reason: user.cutOff.reason ?? null },
    warnings: warningsOf(user),
  };
}

function moment(at: number | null): string | null {
  return at === null ? null : new Date(at).toISOString();
}
