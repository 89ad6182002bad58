/**
 * What the audit trail learns of a request of the admin API.
 *
 * @module
 */

import { ALLOWED, type EntryOutcome, outcomeOf } from "../vault/audit/encoding.ts";
import type { AuditFace } from "../vault/audit/entry.ts";
import { type AuditedRequest, withinRequest } from "../vault/audit/request.ts";
import { looksLikeToken } from "../vault/audit/token_like.ts";
import { asVaultError } from "../vault/errors.ts";
import type { AdminDoor } from "./guard.ts";
import type { AdminOperator } from "./operator.ts";
import type { AdminParts } from "./ports.ts";
import { problemResponse } from "./problem.ts";
import type { AdminContext, AdminEnv, RequestEnding } from "./route.ts";

/** Loopback is all that the TCP door listens on. */
const LOOPBACK = "127.0.0.1";

/** The face that a door is in the trail. */
export function faceOf(door: AdminDoor): AuditFace {
  return door.kind === "unix" ? "socket" : "admin";
}

/** Answers a request as `answer` does, once it is recorded. Never rejects. */
export async function recorded(
  parts: AdminParts,
  { request, door }: { readonly request: Request; readonly door: AdminDoor },
  answer: (audited: AuditedRequest, ending: RequestEnding) => Response | Promise<Response>,
): Promise<Response> {
  try {
    const remoteAddress = door.kind === "unix" ? undefined : LOOPBACK;
    const startedAt = parts.clock.monotonic();
    const traceparent = () => request.headers.get("traceparent");
    const beginning = { id: crypto.randomUUID(), face: faceOf(door), remoteAddress, startedAt, traceparent };
    const audited = parts.audit.begin(beginning);
    const ending: RequestEnding = {};
    const response = await withinRequest(audited, () => answer(audited, ending));
    if (ending.isPassedOn) return response;
    hideNamesOfNobody(audited, ending, parts);
    await parts.audit.finish(audited, outcome(ending, response.status));
    return response;
  } catch (error) {
    return problemResponse(asVaultError(error));
  }
}

/** Says which route it is, and what its path names. */
export function describeRoute(c: AdminContext, route: string, parts: AdminParts): void {
  const { audited } = c.env;
  audited.operation = route;
  const names = Object.entries(c.req.param()).map(([name, value]) => [name, shown(value, parts)] as const);
  const byQuery = c.req.query("name");
  if (byQuery !== undefined) names.push(["name", shown(byQuery, parts)]);
  if (names.length > 0) audited.resource = Object.fromEntries(names);
}

/** Says who came in. */
export function describeOperator(audited: AuditedRequest, { name, unverifiedSudoUser }: AdminOperator): void {
  audited.user = name;
  audited.unverifiedSudoUser = unverifiedSudoUser;
}

/** Says what the body names. */
export function describeFields(env: AdminEnv["Bindings"], fields: Readonly<Record<string, unknown>>): void {
  const named = Object.entries(fields).map(([name, value]) => {
    return [name, typeof value === "string" ? shown(value, env) : value];
  });
  env.audited.resource = { ...env.audited.resource, ...Object.fromEntries(named) };
}

/** A name that is longer is none; a line has a limit. */
const MAX_SHOWN_LENGTH = 512;

function shown(value: string, { hashValue }: Pick<AdminParts, "hashValue">): string {
  return looksLikeToken(value) ? hashValue(value) : value.slice(0, MAX_SHOWN_LENGTH);
}

/** Whoever types a password where a name belongs must not find it in the trail. */
function hideNamesOfNobody(audited: AuditedRequest, { failure }: RequestEnding, { hashValue }: AdminParts): void {
  if (failure !== "not_found" || audited.resource === undefined) return;
  const hidden = Object.entries(audited.resource).map(([name, value]) => [name, hashValue(String(value))]);
  audited.resource = Object.fromEntries(hidden);
}

function outcome({ failure }: RequestEnding, status: number): EntryOutcome {
  if (failure !== undefined) return outcomeOf(failure);
  return status < 400 ? ALLOWED : { decision: "refused", error: `http_${status}` };
}
