/**
 * `identity/oidc`: keys, roles, tokens, and what verifiers fetch.
 *
 * @module
 */

import { VaultError } from "../../../vault/errors.ts";
import type { Identity } from "../../../vault/identity/identity.ts";
import type { MountTable } from "../../../vault/mounts/mount_table.ts";
import type { IdentityTokens } from "../../../vault/oidc/identity_tokens.ts";
import { ALGORITHMS } from "../../../vault/oidc/algorithms.ts";
import type { OidcIssuer } from "../../../vault/oidc/issuer.ts";
import type { OidcKeys } from "../../../vault/oidc/oidc_keys.ts";
import type { OidcRoles } from "../../../vault/oidc/oidc_roles.ts";
import type { OidcKeyRecord } from "../../../vault/storage/identity_records.ts";
import { commaList, duration, object, text, type Values } from "../fields.ts";
import { type ApiAnswer, type ApiRequest, type Route, route } from "../route.ts";
import { unknownAccessors } from "../unknown_accessors.ts";

/** What these routes need. */
export interface OidcParts {
  readonly keys: OidcKeys;
  readonly roles: OidcRoles;
  readonly identityTokens: IdentityTokens;
  readonly issuer: OidcIssuer;
  readonly identity: Identity;
  readonly mounts: MountTable;
}

const KEY = {
  rotation_period: duration("how long a pair signs; 24h"),
  verification_ttl: duration("how long a retired pair still verifies; 24h, at most ten rotation periods"),
  allowed_client_ids: commaList("client IDs of the roles that it serves; `*`: all; absent: every role that names it"),
  algorithm: text(`${ALGORITHMS.join(", ")}; RS256 where absent`),
};
const ROLE = {
  key: text("the key that signs"),
  template: text("custom claims: JSON with directives, or base64 of it"),
  ttl: duration("how long its tokens count; 24h"),
  client_id: text("the audience of its tokens; drawn where absent"),
  self_asserted: commaList("metadata keys that an entity may have set itself and that are rendered all the same"),
  request_claims: commaList("claims that the caller may set per token"),
};
const TOKEN = { claims: object("claims that the caller sets, where the role lists them") };
/** Verifiers in browsers fetch them from anywhere; there is nothing to protect. */
const PUBLIC = { "access-control-allow-origin": "*" };

/** The routes. */
export function oidcRoutes(parts: OidcParts): Route[] {
  return [
    ...configRoutes(parts),
    ...keyRoutes(parts),
    ...roleRoutes(parts),
    ...tokenRoutes(parts),
    ...publicRoutes(parts),
  ];
}

function configRoutes({ issuer }: OidcParts): Route[] {
  return [
    route({
      path: "oidc/config",
      summary: "What identity tokens name as their issuer.",
      fields: { issuer: text("scheme, host and port; empty: the vault's own address") },
      read: () => ({ data: { issuer: issuer.configured } }),
      write: async ({ values, warn }) => {
        const given = values.issuer ?? "";
        await issuer.configure(given);
        if (given === "") return null;
        warn(
          "If 'issuer' is set explicitly, all tokens must be validated against that address, including those issued before.",
        );
        return null;
      },
    }),
  ];
}

function keyRoutes({ keys }: OidcParts): Route[] {
  return [
    route({ path: "oidc/key", summary: "The names of all keys.", list: () => ({ data: { keys: keys.list() } }) }),
    route({
      path: "oidc/key/:name",
      summary: "One named key.",
      fields: KEY,
      exists: ({ name }) => keys.get(name!) !== undefined,
      read: async ({ params }) => {
        const key = await keys.needed(params["name"]!);
        return key === undefined ? null : { data: keyBody(key) };
      },
      write: ({ params, values, warn }) => putKey(keys, params["name"]!, values, warn),
      delete: async ({ params }) => {
        await keys.delete(params["name"]!);
        return null;
      },
    }),
    route({
      path: "oidc/key/:name/rotate",
      summary: "Has the next pair sign from now on.",
      fields: { verification_ttl: KEY.verification_ttl },
      write: async ({ params, values }) => {
        await keys.rotate(params["name"]!, values.verification_ttl);
        return null;
      },
    }),
  ];
}

async function putKey(
  keys: OidcKeys,
  name: string,
  values: Values<typeof KEY>,
  warn: (text: string) => void,
): Promise<ApiAnswer> {
  const { isNew } = await keys.put(name, {
    ...(values.rotation_period === undefined ? {} : { rotationPeriod: values.rotation_period }),
    ...(values.verification_ttl === undefined ? {} : { verificationTtl: values.verification_ttl }),
    ...(values.allowed_client_ids === undefined ? {} : { allowedClientIds: values.allowed_client_ids }),
    ...(values.algorithm === undefined ? {} : { algorithm: values.algorithm }),
  });
  if (isNew && values.allowed_client_ids === undefined) {
    warn('allowed_client_ids was not given: this key serves every role that names it; "[]" would serve none');
  }
  return null;
}

function keyBody(key: OidcKeyRecord): Record<string, unknown> {
  return {
    rotation_period: key.rotationPeriod,
    verification_ttl: key.verificationTtl,
    algorithm: key.algorithm,
    allowed_client_ids: key.allowedClientIds ?? ["*"],
  };
}

function roleRoutes({ roles, identityTokens, identity, mounts }: OidcParts): Route[] {
  return [
    route({
      path: "oidc/role",
      summary: "The names of all roles.",
      list: () => {
        const names = roles.list();
        return names.length === 0 ? null : { data: { keys: names } };
      },
    }),
    route({
      path: "oidc/role/:name",
      summary: "One role of identity tokens.",
      fieldProblemPrefix: "",
      fields: ROLE,
      exists: ({ name }) => roles.get(name!) !== undefined,
      read: ({ params }) => {
        const role = roles.get(params["name"]!);
        if (role === undefined) return null;
        const { key, template, ttl, clientId: client_id, selfAsserted, requestClaims } = role;
        return { data: { key, template, ttl, client_id, self_asserted: selfAsserted, request_claims: requestClaims } };
      },
      write: (request) => putRole(roles, mounts, request),
      delete: async ({ params }) => {
        await roles.delete(params["name"]!);
        return null;
      },
    }),
    route({
      path: "oidc/role/:name/preview",
      summary: "What a token of the role would say of an entity; nothing is signed.",
      fields: { entity_id: text("the entity"), entity_name: text("the entity, by its name") },
      // It tells what is kept of anybody.
      needsSudo: true,
      write: async ({ params, values }) => {
        const user = values.entity_id
          ? identity.entities.byId(values.entity_id)
          : identity.entities.byName(values.entity_name ?? "");
        if (user === undefined) {
          throw new VaultError("invalid_argument", "no such entity: give entity_id or entity_name");
        }
        return { data: { claims: await identityTokens.preview(user, params["name"]!) } };
      },
    }),
  ];
}

async function putRole(
  roles: OidcRoles,
  mounts: MountTable,
  { params, values, warn }: ApiRequest<typeof ROLE>,
): Promise<ApiAnswer> {
  const warnings = await roles.put(params["name"]!, {
    ...(values.key === undefined ? {} : { key: values.key }),
    ...(values.template === undefined ? {} : { template: values.template }),
    ...(values.ttl === undefined ? {} : { ttl: values.ttl }),
    ...(values.client_id === undefined ? {} : { clientId: values.client_id }),
    ...(values.self_asserted === undefined ? {} : { selfAsserted: values.self_asserted }),
    ...(values.request_claims === undefined ? {} : { requestClaims: values.request_claims }),
  });
  const template = roles.get(params["name"]!)?.template ?? "";
  [...warnings, ...unknownAccessors(template, mounts)].forEach(warn);
  return null;
}

function tokenRoutes({ identityTokens }: OidcParts): Route[] {
  const issue = async ({ caller, params, values }: ApiRequest<typeof TOKEN>): Promise<ApiAnswer> => {
    const { token, clientId, ttl } = await identityTokens.issue(caller, params["name"]!, values.claims ?? {});
    return { data: { token, client_id: clientId, ttl } };
  };
  return [
    route({
      path: "oidc/token/:name",
      summary: "A signed identity token of the caller's own entity.",
      fields: TOKEN,
      read: issue,
      write: issue,
    }),
    route({
      path: "oidc/introspect",
      summary: "Whether an identity token says the truth now.",
      fields: { token: text("the token"), client_id: text("the audience that it must have") },
      write: ({ values }) => ({ raw: identityTokens.introspect(values.token ?? "", values.client_id || undefined) }),
    }),
  ];
}

function publicRoutes({ issuer }: OidcParts): Route[] {
  return [
    route({
      path: "oidc/.well-known/openid-configuration",
      summary: "Where verifiers find what they need (OpenID Connect Discovery §4).",
      isOpen: true,
      read: () => ({
        raw: {
          issuer: issuer.issuer,
          jwks_uri: `${issuer.issuer}/.well-known/keys`,
          authorization_endpoint: `${issuer.issuer}/provider/default/authorize`,
          token_endpoint: `${issuer.issuer}/provider/default/token`,
          response_types_supported: ["id_token"],
          subject_types_supported: ["public"],
          id_token_signing_alg_values_supported: ALGORITHMS,
        },
        headers: { "cache-control": "max-age=3600", ...PUBLIC },
      }),
    }),
    route({
      path: "oidc/.well-known/keys",
      summary: "The public keys that verify tokens (RFC 7517 §5).",
      isOpen: true,
      read: () => {
        const { keys, maxAge } = issuer.published();
        const cache = maxAge === 0 ? "no-store" : `max-age=${maxAge}`;
        return { raw: { keys }, headers: { "cache-control": cache, ...PUBLIC } };
      },
    }),
  ];
}
