/**
 * The `token_…` fields of roles and login users.
 *
 * @module
 */

import { VaultError } from "../../vault/errors.ts";
import { cleanPolicies } from "../../vault/identity/policies.ts";
import type { TokenParams } from "../../vault/storage/identity_records.ts";
import { bool, commaList, duration, int, text, type Values } from "./fields.ts";

/** The fields. */
export const TOKEN_PARAMS = {
  token_ttl: duration("how long its tokens live"),
  token_max_ttl: duration("how long they can be renewed"),
  token_policies: commaList("policies of its tokens"),
  token_bound_cidrs: commaList("addresses that its tokens may be used from"),
  token_explicit_max_ttl: duration("the most that its tokens may live"),
  token_no_default_policy: bool("whether they go without the policy `default`"),
  token_num_uses: int("how often each may be used; 0: as often as one likes"),
  token_period: duration("how long each renewal lasts; 0: they aren't periodic"),
  token_type: text("`default` or `service`"),
  token_strictly_bind_ip: bool("taken for compatibility"),
};

const TYPES = ["default", "service", "default-service"] as const;

/**
 * The parameters that were sent.
 *
 * @throws {VaultError} `invalid_argument` for a type of token that isn't made here.
 */
export function tokenParamsOf(values: Values<typeof TOKEN_PARAMS>): Partial<TokenParams> {
  const type = values.token_type === undefined ? undefined : typeOf(values.token_type);
  return {
    ...(values.token_ttl === undefined ? {} : { ttl: values.token_ttl }),
    ...(values.token_max_ttl === undefined ? {} : { maxTtl: values.token_max_ttl }),
    ...(values.token_policies === undefined ? {} : { policies: cleanPolicies(values.token_policies) }),
    ...(values.token_bound_cidrs === undefined ? {} : { boundCidrs: values.token_bound_cidrs }),
    ...(values.token_explicit_max_ttl === undefined ? {} : { explicitMaxTtl: values.token_explicit_max_ttl }),
    ...(values.token_no_default_policy === undefined ? {} : { noDefaultPolicy: values.token_no_default_policy }),
    ...(values.token_num_uses === undefined ? {} : { numUses: values.token_num_uses }),
    ...(values.token_period === undefined ? {} : { period: values.token_period }),
    ...(type === undefined ? {} : { type }),
  };
}

/** The parameters as clients read them. */
export function tokenParamsBody(params: TokenParams): Record<string, unknown> {
  return {
    token_ttl: params.ttl,
    token_max_ttl: params.maxTtl,
    token_policies: params.policies,
    token_bound_cidrs: params.boundCidrs,
    token_explicit_max_ttl: params.explicitMaxTtl,
    token_no_default_policy: params.noDefaultPolicy,
    token_num_uses: params.numUses,
    token_period: params.period,
    token_type: params.type,
  };
}

function typeOf(given: string): TokenParams["type"] {
  if (given === "") return "default";
  const type = TYPES.find((one) => one === given);
  if (type !== undefined) return type;
  throw new VaultError("invalid_argument", "invalid token_type: tokens are service tokens");
}
