/**
 * `/tokens`: issuing, rotating, revoking, listing. A usable token appears only in the answers to issue and rotate.
 *
 * @module
 */

import {
  formatRateLimit,
  type IssuedToken,
  lastValidDay,
  type TokenSummary,
  utcDay,
  warningsOf,
} from "../../vault/mod.ts";
import { quoteName } from "../../vault/names.ts";
import { defined, flag, integer, optional, text } from "../body.ts";
import { assertMay } from "../operator.ts";
import type { AdminVault } from "../ports.ts";
import { assertNoRoleName } from "../role_names.ts";
import { type AdminContext, type AdminRoute, bodyOf, nameIn, pageIn } from "../route.ts";
import { streamRows } from "../rows.ts";
import type { IssuedTokenBody, RevokedTokenBody, TokenDetail, TokenRow } from "../wire.ts";

/** The routes of user tokens. */
export function tokenRoutes(vault: Pick<AdminVault, "tokens" | "users" | "engine">): readonly AdminRoute[] {
  const { tokens } = vault;
  return [
    {
      method: "GET",
      path: "/tokens",
      handle: (c) => c.body(streamRows("tokens", tokens.list(pageIn(c)), toRow), JSON_OK),
    },
    { method: "POST", path: "/tokens", needs: "tokens", handle: (c) => issue(c, vault) },
    { method: "GET", path: "/tokens/:user", handle: (c) => c.json(toDetail(tokens.show(nameIn(c, "user")))) },
    { method: "DELETE", path: "/tokens/:user", needs: "tokens", handle: (c) => revoke(c, vault) },
    { method: "POST", path: "/tokens/:user/rotate", needs: "tokens", handle: (c) => rotate(c, tokens) },
  ];
}

/** The wire form of a token's facts; also part of a user's. */
export function toDetail(token: TokenSummary): TokenDetail {
  return {
    ...toRow(token),
    issued_at: token.issuedAt === null ? null : utcDay(token.issuedAt),
    agent_id: token.agentId,
    secret_version: token.secretVersion,
    grace_until: token.graceUntil === null ? null : new Date(token.graceUntil).toISOString(),
  };
}

const JSON_OK = { status: 200, headers: { "content-type": "application/json" } } as const;

async function issue(c: AdminContext, vault: Pick<AdminVault, "tokens" | "users" | "engine">): Promise<Response> {
  const fields = { user: text, role: text, expires_days: optional(integer), force: optional(flag) };
  const body = await bodyOf(c, fields);
  // A role's name may give rights on databases: that is more than issuing tokens.
  if (body.force) assertMay(c.get("operator"), "all");
  assertNoRoleName(vault, body.user, body.force);
  const wanted = { user: body.user, role: body.role, ...defined({ expiresDays: body.expires_days }) };
  return c.json(toIssued(await vault.tokens.issue(wanted)), 201);
}

async function rotate(c: AdminContext, tokens: AdminVault["tokens"]): Promise<Response> {
  const body = await bodyOf(c, { expires_days: optional(integer), grace_seconds: optional(integer) });
  const change = defined({ expiresDays: body.expires_days, graceSeconds: body.grace_seconds });
  return c.json(toIssued(await tokens.rotate({ user: nameIn(c, "user"), ...change })));
}

async function revoke(
  c: AdminContext,
  { tokens, engine }: Pick<AdminVault, "tokens" | "engine">,
): Promise<Response> {
  const { user, disabled, scoreRows } = await tokens.revoke(nameIn(c, "user"));
  const message = `Revoked the token of ${quoteName(user)}`;
  const login_open = !disabled && engine.accounts.loginsOf(user).length > 0;
  return c.json({ message, user, login_open, warnings: warningsOf({ scoreRows }) } satisfies RevokedTokenBody);
}

function toRow(token: TokenSummary): TokenRow {
  return {
    user: token.user,
    role: token.role,
    top_k: token.topK,
    rate_limit: formatRateLimit(token.rateLimit),
    expires: token.expiresAt === null ? null : lastValidDay(token.expiresAt),
  };
}

function toIssued(issued: IssuedToken): IssuedTokenBody {
  const { user, ...detail } = toDetail(issued);
  return { user, token: issued.token, ...detail, created: detail.issued_at };
}
