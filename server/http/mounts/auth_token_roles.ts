/**
 * `auth/token/roles`: what tokens made by a role may have.
 *
 * @module
 */

import { VaultError } from "../../../vault/errors.ts";
import type { ApiCaller } from "../../../vault/service_tokens/caller.ts";
import type { TokenRoleInput, TokenRoles } from "../../../vault/service_tokens/token_roles.ts";
import type { TokenRoleRecord } from "../../../vault/storage/identity_records.ts";
import { bool, commaList, text, type Values } from "../fields.ts";
import { assertMayGive } from "../given_policies.ts";
import { type ApiRequest, type Route, route } from "../route.ts";
import { TOKEN_PARAMS, tokenParamsBody, tokenParamsOf } from "../token_params.ts";

const ROLE = {
  allowed_policies: commaList("policies that its tokens may have; none and no globs: the caller's"),
  allowed_policies_glob: commaList("the same, with `*`"),
  disallowed_policies: commaList("policies that its tokens may not have"),
  disallowed_policies_glob: commaList("the same, with `*`"),
  orphan: bool("whether its tokens outlive the caller's"),
  renewable: bool("whether its tokens can be renewed"),
  path_suffix: text("added to the path of its tokens"),
  allowed_entity_aliases: commaList("must be empty"),
  ...TOKEN_PARAMS,
};

/** The routes. */
export function tokenRoleRoutes(roles: TokenRoles): Route[] {
  return [
    route({
      path: "roles",
      summary: "All token roles.",
      list: () => {
        const keys = roles.list();
        return keys.length === 0 ? null : { data: { keys } };
      },
    }),
    route({
      path: "roles/:name",
      summary: "One token role.",
      fields: ROLE,
      exists: ({ name }) => roles.get(name!) !== undefined,
      read: ({ params }) => {
        const role = roles.get(params["name"]!);
        return role === undefined ? null : { data: bodyOf(role) };
      },
      write: async (request) => {
        await roles.put(request.params["name"]!, inputOf(request.values), (role) => assertMayLend(request, role));
        return null;
      },
      delete: async ({ params }) => {
        await roles.delete(params["name"]!);
        return null;
      },
    }),
  ];
}

/** S12: whoever writes a role can make tokens by it, so without `sudo` it gives what its writer has and could make anyway. */
function assertMayLend(request: Pick<ApiRequest, "hasSudo" | "caller">, role: TokenRoleRecord): void {
  assertMayGive(request, role.allowedPolicies);
  if (request.hasSudo) return;
  const lent = lentBeyondSudo(role, request.caller);
  if (lent !== undefined) throw new VaultError("permission_denied", `a role with ${lent} needs sudo on this path`);
}

/** The first parameter of a role by which tokens would outlive or outreach its writer's. */
function lentBeyondSudo({ allowedPoliciesGlob, orphan, params }: TokenRoleRecord, { token }: ApiCaller) {
  if (allowedPoliciesGlob.length > 0) return "allowed_policies_glob";
  if (params.period > 0) return "token_period";
  if (orphan) return "orphan";
  return params.boundCidrs.length > 0 && token?.boundCidrs.length ? "token_bound_cidrs" : undefined;
}

function inputOf(values: Values<typeof ROLE>): TokenRoleInput {
  if (values.allowed_entity_aliases?.length) {
    throw new VaultError("invalid_argument", "allowed_entity_aliases is not supported", {
      hint: "a token acts as its caller's entity, or as none",
    });
  }
  return {
    ...(values.allowed_policies === undefined ? {} : { allowedPolicies: lower(values.allowed_policies) }),
    ...(values.allowed_policies_glob === undefined ? {} : { allowedPoliciesGlob: lower(values.allowed_policies_glob) }),
    ...(values.disallowed_policies === undefined ? {} : { disallowedPolicies: lower(values.disallowed_policies) }),
    ...(values.disallowed_policies_glob === undefined
      ? {}
      : { disallowedPoliciesGlob: lower(values.disallowed_policies_glob) }),
    ...(values.orphan === undefined ? {} : { orphan: values.orphan }),
    ...(values.renewable === undefined ? {} : { renewable: values.renewable }),
    ...(values.path_suffix === undefined ? {} : { pathSuffix: values.path_suffix }),
    params: tokenParamsOf(values),
  };
}

function bodyOf(role: TokenRoleRecord): Record<string, unknown> {
  const { token_ttl: _ttl, token_max_ttl: _max, token_policies: _policies, ...params } = tokenParamsBody(role.params);
  return {
    name: role.name,
    allowed_policies: role.allowedPolicies,
    allowed_policies_glob: role.allowedPoliciesGlob,
    disallowed_policies: role.disallowedPolicies,
    disallowed_policies_glob: role.disallowedPoliciesGlob,
    allowed_entity_aliases: role.allowedEntityAliases,
    orphan: role.orphan,
    renewable: role.renewable,
    path_suffix: role.pathSuffix,
    period: role.params.period,
    explicit_max_ttl: role.params.explicitMaxTtl,
    ...params,
  };
}

function lower(names: readonly string[]): string[] {
  return names.map((name) => name.toLowerCase());
}
