/**
 * What the audit trail learns of a request of the identity API.
 *
 * @module
 */

import { ALLOWED, type EntryOutcome, outcomeOf } from "../../vault/audit/encoding.ts";
import type { AuditedRequest } from "../../vault/audit/request.ts";
import { looksLikeToken } from "../../vault/audit/token_like.ts";
import { VaultError, type VaultErrorKind } from "../../vault/errors.ts";
import type { ApiCaller } from "../../vault/service_tokens/caller.ts";
import type { MountRecord } from "../../vault/storage/identity_records.ts";
import type { Incoming } from "./incoming.ts";
import { BAD_TOKEN, HttpProblem } from "./problem.ts";
import type { ApiAnswer } from "./route.ts";
import type { Target } from "./router.ts";

/** Longer than any path that means something; the trail's lines have a limit. */
const MAX_PATH_LENGTH = 2048;

/** What names may be written down. */
export interface AuditNames {
  /** Whether a text is a token that is good at present. */
  isToken(text: string): boolean;
  /** What stands for a value that must not be read. */
  hash(value: string): string;
}

/** What is known of a request that could be read. */
interface Read {
  readonly incoming: Incoming;
  readonly target: Target;
}

/** Says what is asked for: verb and route, and the path as it came where nothing in it is a secret. */
export function describeTarget(
  audited: AuditedRequest,
  request: Request,
  read: Read | undefined,
  names: AuditNames,
): void {
  if (read === undefined) {
    audited.operation = `${request.method.slice(0, 16).toLowerCase()} unread`;
    return;
  }
  const { verb } = read.incoming;
  const path = read.incoming.path.slice(0, MAX_PATH_LENGTH);
  const { mount, match } = read.target;
  if (mount === undefined || match === undefined) {
    audited.operation = `${verb} none`;
    audited.resource = path.split("/").some((segment) => isSecret(segment, names)) ? {} : { path };
    return;
  }
  audited.operation = `${verb} ${mount.type}/${match.route.path}`;
  const template = `${path.startsWith("auth/") ? "auth/" : ""}${mount.path}${match.route.path}`;
  if (holdsSecret(match.params, names)) audited.resource = { path: template };
  else if (match.route.userNamed === undefined) audited.resource = { path };
  else describeNamedUser(audited, path, template, { mount, match, names });
}

function holdsSecret(params: Readonly<Record<string, string>>, names: AuditNames): boolean {
  for (const name in params) {
    if (params[name]!.split("/").some((segment) => isSecret(segment, names))) return true;
  }
  return false;
}

interface Named {
  readonly mount: MountRecord;
  readonly match: NonNullable<Target["match"]>;
  readonly names: AuditNames;
}

/** Whoever types a password where the name belongs must not find it in the trail. */
function describeNamedUser(audited: AuditedRequest, path: string, template: string, { mount, match, names }: Named) {
  const { route, params } = match;
  const named = route.userNamed!(params, mount);
  if (named === undefined) {
    const given = Object.values(params).join("/").toLowerCase();
    audited.resource = { path: template, user: names.hash(given) };
    return;
  }
  audited.resource = { path };
  if (!route.isOpen) return;
  audited.user = named.name;
  audited.entityId = named.entityId;
}

function isSecret(segment: string, names: AuditNames): boolean {
  return looksLikeToken(segment) || names.isToken(segment);
}

/** Says who asks. */
export function describeCaller(audited: AuditedRequest, caller: ApiCaller): void {
  const { entity, token, evt, accessor } = caller;
  audited.user = entity?.record.name ?? caller.displayName;
  audited.entityId = entity?.record.entityId;
  audited.accessor = accessor;
  audited.agentId = evt === null ? token?.evtAgentId : accessor;
  audited.sessionId = token?.meta?.["session_id"] ?? token?.sessionId ?? evt?.record.sessionId;
}

/** Says which operator came through the admin API. */
export function describeOperator(audited: AuditedRequest, passedOnBy: AuditedRequest | undefined): void {
  audited.user = passedOnBy?.user ?? audited.user;
  audited.unverifiedSudoUser = passedOnBy?.unverifiedSudoUser;
}

/** Says whom a login let in. */
export function describeMade(audited: AuditedRequest, answer: ApiAnswer): void {
  if (audited.accessor !== undefined || answer === null || !("auth" in answer) || answer.auth === undefined) return;
  const { entity_id, accessor } = answer.auth;
  audited.entityId = entity_id;
  audited.accessor = accessor;
}

const KIND_OF_STATUS: Readonly<Record<number, VaultErrorKind>> = {
  400: "invalid_argument",
  403: "permission_denied",
  404: "not_found",
  429: "rate_limited",
  503: "not_ready",
};

/** How a request ended. */
export function describeFailure(failure: unknown, status: number): EntryOutcome {
  if (failure instanceof VaultError) return outcomeOf(failure.kind);
  if (failure === BAD_TOKEN) return outcomeOf("token_invalid");
  if (failure instanceof HttpProblem || status >= 400) {
    const kind = KIND_OF_STATUS[status];
    if (kind !== undefined) return outcomeOf(kind);
    return { decision: status >= 500 ? "failed" : "refused", error: status >= 500 ? "internal" : `http_${status}` };
  }
  return ALLOWED;
}
