/**
 * The admin API: every route behind one guard, one set of limits and one translation of errors.
 *
 * @module
 */

import { Hono } from "@hono/hono";
import { causeOf } from "../vault/cause.ts";
import { asVaultError, ERROR_TABLE, VaultError } from "../vault/errors.ts";
import { digestAdminToken } from "./admin_token.ts";
import { describeOperator, describeRoute, faceOf, recorded } from "./audited.ts";
import { type AdminDoor, assertOwnPlace } from "./guard.ts";
import { assertMay, type OperatorKeys, operatorOf } from "./operator.ts";
import type { AdminParts } from "./ports.ts";
import { methodNotAllowed, problemResponse } from "./problem.ts";
import { RefusalLog } from "./refusal_log.ts";
import type { AdminContext, AdminEnv, AdminRoute } from "./route.ts";
import { accountRoutes } from "./routes/accounts.ts";
import { backupRoutes } from "./routes/backups.ts";
import { auditRoutes } from "./routes/audit.ts";
import { clockRoutes } from "./routes/clock.ts";
import { cutoffRoutes } from "./routes/cutoff.ts";
import { fileRoutes } from "./routes/files.ts";
import { keyRoutes } from "./routes/keys.ts";
import { operatorRoutes } from "./routes/operators.ts";
import { rewrapRoutes } from "./routes/rewrap.ts";
import { rootTokenRoutes } from "./routes/root_tokens.ts";
import { roleRoutes } from "./routes/roles.ts";
import { secretRoutes } from "./routes/secrets.ts";
import { statusRoutes } from "./routes/status.ts";
import { tlsRoutes } from "./routes/tls.ts";
import { tokenRoutes } from "./routes/tokens.ts";
import { userRoutes } from "./routes/users.ts";

const MAX_BODY_BYTES = 1024 * 1024;
const BODY_TIMEOUT_MS = 30_000;

/**
 * No page may frame us, no browser may guess types or keep answers; there are no cookies and no CORS headers. Nor does the
 * runtime compress answers (RFC 9111 §5.2.2.6): on this machine it is for nothing, and runtimes before 2.8 now and then
 * make of a long one, such as a backup, what nobody can unpack.
 */
const SECURITY_HEADERS = {
  "content-security-policy": "default-src 'self'; frame-ancestors 'none'",
  "x-content-type-options": "nosniff",
  "cache-control": "no-store, no-transform",
  "referrer-policy": "no-referrer",
  "cross-origin-resource-policy": "same-origin",
} as const;

/** Answers one request that came through one of the admin listeners. Never rejects. */
export type AdminHandler = (request: Request, door: AdminDoor) => Promise<Response>;

/** Puts the admin API together. */
export function createAdminApp(parts: AdminParts): AdminHandler {
  const { operators } = parts.vault;
  const rootDigest = digestAdminToken(parts.adminToken);
  const keys = { rootDigest, operators, uid: parts.uid, decoyKey: parts.random.bytes(32) };
  const routes = [
    ...tokenRoutes(parts.vault),
    ...roleRoutes(parts.vault),
    ...userRoutes(parts.vault),
    ...accountRoutes(parts.vault),
    ...cutoffRoutes(parts.vault),
    ...operatorRoutes(parts.vault),
    ...rootTokenRoutes(parts.vault),
    ...secretRoutes(parts.vault),
    ...rewrapRoutes(parts.vault),
    ...keyRoutes(parts.vault),
    ...fileRoutes(parts.vault),
    ...clockRoutes(parts.vault),
    ...auditRoutes(parts.vault),
    ...backupRoutes(parts.backups),
    ...tlsRoutes(parts.tls),
    ...statusRoutes(parts.facts, keys),
  ];
  const app = new Hono<AdminEnv>();
  app.use(addSecurityHeaders);
  app.use(guard(routes, keys));
  for (const route of routes) mount(app, route, parts);
  for (const [path, methods] of methodsByPath(routes)) app.all(path, (c) => methodNotAllowed(c.req.method, methods));
  const { identityApi } = parts;
  if (identityApi !== undefined) {
    app.all("/v1/*", (c) => {
      // A read may mint a token or make a database account.
      assertMay(c.get("operator"), "all");
      c.env.ending.isPassedOn = true;
      return identityApi(c.req.raw, faceOf(c.env.door));
    });
  }
  app.notFound((c) => {
    c.env.ending.failure = "not_found";
    return problemResponse(new VaultError("not_found", "No such route"));
  });
  const refusals = new RefusalLog(parts.logger, parts.clock);
  app.onError((thrown, c) => answerError(thrown, c, parts, refusals));
  const { hashValue } = parts;
  return (request, door) =>
    recorded(parts, { request, door }, (audited, ending) => app.fetch(request, { door, audited, ending, hashValue }));
}

async function addSecurityHeaders(c: AdminContext, next: () => Promise<void>): Promise<void> {
  await next();
  for (const [name, value] of Object.entries(SECURITY_HEADERS)) c.res.headers.set(name, value);
}

function guard(routes: readonly AdminRoute[], keys: OperatorKeys) {
  const open = new Set(routes.filter((route) => route.open).map((route) => route.path));
  return async (c: AdminContext, next: () => Promise<void>): Promise<void> => {
    const { door } = c.env;
    assertOwnPlace(c.req.raw.headers, door);
    if (!open.has(c.req.path)) {
      c.set("operator", operatorOf(c.req.raw.headers, door, keys));
      describeOperator(c.env.audited, c.get("operator"));
    }
    assertDecodable(c.req.url);
    await next();
  };
}

/** Hono leaves bytes that are not UTF-8 escaped, which would give two names to one text. */
function assertDecodable(url: string): void {
  try {
    decodeURIComponent(url);
  } catch (cause) {
    throw new VaultError("invalid_argument", "The path is not UTF-8", { cause });
  }
}

function mount(app: Hono<AdminEnv>, route: AdminRoute, parts: AdminParts): void {
  const limits = {
    maxBytes: route.maxBodyBytes ?? MAX_BODY_BYTES,
    timeoutMs: parts.bodyTimeoutMs ?? BODY_TIMEOUT_MS,
  };
  app.on(route.method, route.path, async (c: AdminContext) => {
    c.set("limits", limits);
    c.set("route", `${route.method} ${route.path}`);
    describeRoute(c, c.get("route"), parts);
    // What a route doesn't say, only those may do who may do everything; looking needs the least.
    if (!route.open) assertMay(c.get("operator"), route.needs ?? (route.method === "GET" ? "read" : "all"));
    const response = await route.handle(c);
    if (route.method !== "GET") parts.logger.log("info", "admin_change", changeFields(c));
    return response;
  });
}

function changeFields(c: AdminContext): Record<string, unknown> {
  const { name: operator, unverifiedSudoUser } = c.get("operator");
  const sudo = unverifiedSudoUser === undefined ? {} : { sudo_user_unverified: unverifiedSudoUser };
  return { route: c.get("route"), door: c.env.door.kind, operator, ...sudo };
}

/** A path that answers GET answers HEAD too. */
function methodsByPath(routes: readonly AdminRoute[]): Map<string, string[]> {
  const methods = new Map<string, string[]>();
  for (const { path, method } of routes) {
    const known = methods.get(path) ?? [];
    methods.set(path, [...known, ...(method === "GET" ? ["GET", "HEAD"] : [method])]);
  }
  return methods;
}

function answerError(thrown: unknown, c: AdminContext, parts: AdminParts, refusals: RefusalLog): Response {
  const error = asVaultError(thrown);
  c.env.ending.failure = error.kind;
  if (ERROR_TABLE[error.kind].http < 500) {
    refusals.note(error.kind, c.env.door.kind);
    return problemResponse(error);
  }
  const requestId = Array.from(parts.random.bytes(8), (byte) => byte.toString(16).padStart(2, "0")).join("");
  parts.logger.log("error", "admin_request_failed", {
    request_id: requestId,
    route: c.get("route") ?? "none",
    kind: error.kind,
    message: error.message,
    ...causeOf(error),
  });
  return problemResponse(error, requestId);
}
