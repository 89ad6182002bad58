/**
 * `sys/capabilities`: what a token may do, and why.
 *
 * @module
 */

import { VaultError } from "../../../vault/errors.ts";
import type { Identity } from "../../../vault/identity/identity.ts";
import type { Access, Acl, Holder } from "../../../vault/policies/acl.ts";
import type { ServiceTokens } from "../../../vault/service_tokens/service_tokens.ts";
import { commaList, object, text, type Values } from "../fields.ts";
import { HttpProblem, wrapped } from "../problem.ts";
import { type ApiAnswer, type ApiRequest, type Route, route } from "../route.ts";
import type { Target } from "../router.ts";

/** What these routes need. */
export interface CapabilityParts {
  readonly acl: Acl;
  readonly tokens: ServiceTokens;
  readonly identity: Identity;
  /** What a user of the vault may do by their evt token, or else by their logins; undefined where there is no such user. */
  holderOfUser(name: string): Holder | undefined;
  /** Where a path leads. */
  find(path: string): Target;
}

const PATHS = { paths: commaList("the paths"), path: commaList("the path, or paths") };
const OPERATIONS = ["create", "read", "update", "patch", "delete", "list"] as const;
const EXPLAIN = {
  path: text("the path, without /v1/"),
  operation: text("create, read (default), update, patch, delete or list"),
  token: text("whose token; absent: the caller's own"),
  accessor: text("accessor of a token"),
  entity_id: text("an entity, as if it had logged in with the policy `default` alone"),
  user: text("a user: by their evt token, else by their logins"),
  parameters: object("parameters of the request"),
};

/** The routes. */
export function sysCapabilityRoutes(parts: CapabilityParts): Route[] {
  const { acl, tokens } = parts;
  return [
    route({
      path: "capabilities-self",
      summary: "What the caller may do to paths.",
      fields: PATHS,
      write: ({ caller, values }) => capabilities(acl, caller, values),
    }),
    route({
      path: "capabilities",
      summary: "What a token may do to paths.",
      fields: { ...PATHS, token: text("the token") },
      write: ({ values }) => capabilities(acl, holderOfToken(values.token, tokens), values),
    }),
    route({
      path: "capabilities-accessor",
      summary: "What the token with an accessor may do to paths.",
      fields: { ...PATHS, accessor: text("the accessor") },
      write: ({ values }) => capabilities(acl, holderOfAccessor(values.accessor, tokens), values),
    }),
    route({
      path: "internal/ui/resultant-acl",
      summary: "Every path that the caller may touch.",
      read: ({ caller }) => ({ data: acl.resultant(caller) }),
    }),
    route({
      path: "policies/explain",
      summary: "Why something is allowed or not: which policy and stanza decided, and which were dropped.",
      fields: EXPLAIN,
      write: (request) => explain(request, parts),
    }),
  ];
}

function capabilities(acl: Acl, holder: Holder, { paths, path }: Values<typeof PATHS>): ApiAnswer {
  const asked = paths ?? path ?? [];
  if (asked.length === 0) throw new VaultError("invalid_argument", "paths must be supplied");
  const found = asked.map((one) => [one, acl.capabilities(holder, one.replace(/^\/+/, ""))] as const);
  const single = found.length === 1 ? { capabilities: found[0]![1] } : {};
  return { data: { ...Object.fromEntries(found), ...single }, isDuplicated: true };
}

function holderOfToken(token: string | undefined, tokens: ServiceTokens): Holder {
  const record = token === undefined ? undefined : tokens.find(token);
  if (record !== undefined && tokens.isLive(record)) return tokens.callerOf(record);
  const evt = token === undefined ? undefined : tokens.findEvt(token);
  if (evt === undefined) throw new HttpProblem(400, [wrapped("invalid token")]);
  return evt;
}

function holderOfAccessor(accessor: string | undefined, tokens: ServiceTokens): Holder {
  const record = accessor === undefined ? undefined : tokens.index.byAccessor(accessor);
  if (record === undefined || !tokens.isLive(record)) throw new HttpProblem(400, [wrapped("invalid accessor")]);
  return tokens.callerOf(record);
}

/** Of oneself anybody may ask who may call this; of others it needs `sudo`. */
function explain(request: ApiRequest<typeof EXPLAIN>, parts: CapabilityParts): ApiAnswer {
  const { values, caller } = request;
  const holder = isOfCaller(request, parts) ? caller : holderOf(values, parts) ?? caller;
  const operation = OPERATIONS.find((one) => one === (values.operation ?? "read"));
  if (operation === undefined) {
    throw new VaultError("invalid_argument", `operation must be one of ${OPERATIONS.join(", ")}`);
  }
  if (!values.path) throw new VaultError("invalid_argument", "path must be supplied");
  const bare = values.path.replace(/^\/+/, "").replace(/^v1\//, "");
  const path = operation === "list" && !bare.endsWith("/") ? `${bare}/` : bare;
  const { match, canonicalPath } = parts.find(path);
  const access: Access = {
    path,
    canonicalPath,
    operation,
    parameters: new Map(Object.entries(values.parameters ?? {})),
    wrapTtlSeconds: null,
    needsSudo: match?.route.needsSudo ?? false,
  };
  const { allowed, reason, pattern, stanzas, capabilities, dropped, missingPolicies } = parts.acl.explain(
    holder,
    access,
  );
  return {
    data: {
      path: access.path,
      operation,
      allowed,
      reason,
      pattern,
      stanzas,
      capabilities,
      dropped,
      missing_policies: missingPolicies,
    },
  };
}

/**
 * Whether it is the caller's own rights that are asked for.
 *
 * @throws {VaultError} `permission_denied` for anybody else's without `sudo`, whether or not there is such a one.
 */
function isOfCaller(
  { values: { token, accessor, user, entity_id: entityId }, caller, hasSudo }: ApiRequest<typeof EXPLAIN>,
  { tokens }: CapabilityParts,
): boolean {
  if (token) {
    if ((tokens.find(token)?.hash ?? tokens.findEvt(token)?.tokenHash) === caller.tokenHash) return true;
  } else if (accessor) {
    if (caller.accessor === accessor) return true;
  } else if (!user && !entityId) return true;
  if (hasSudo) return false;
  throw new VaultError("permission_denied", "explaining somebody else's rights needs sudo on this path");
}

function holderOf(values: Values<typeof EXPLAIN>, parts: CapabilityParts): Holder | undefined {
  const { tokens, identity } = parts;
  if (values.token) return holderOfToken(values.token, tokens);
  if (values.accessor) return holderOfAccessor(values.accessor, tokens);
  if (values.user) {
    const holder = parts.holderOfUser(values.user);
    if (holder === undefined) throw new VaultError("invalid_argument", "there is no such user");
    return holder;
  }
  if (!values.entity_id) return undefined;
  const entity = identity.entities.byId(values.entity_id);
  if (entity === undefined) throw new VaultError("invalid_argument", "entity not found from id");
  return { policies: ["default"], entity };
}
