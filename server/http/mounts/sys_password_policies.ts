/**
 * `sys/policies/password`: what generated passwords are made of.
 *
 * @module
 */

import type { PasswordPolicies } from "../../../vault/database/password_policies.ts";
import { VaultError } from "../../../vault/errors.ts";
import { text } from "../fields.ts";
import { type Route, route } from "../route.ts";

/** The routes. */
export function sysPasswordPolicyRoutes(policies: PasswordPolicies): Route[] {
  return [
    route({
      path: "policies/password",
      summary: "The names of all password policies.",
      list: () => policies.list().length === 0 ? null : { data: { keys: policies.list() } },
    }),
    route({
      path: "policies/password/:name",
      summary: "One password policy.",
      fields: { policy: text("`length`, and rules that name sets of characters") },
      read: ({ params }) => {
        const policy = policies.get(params["name"]!);
        return policy === undefined ? null : { data: { policy } };
      },
      write: async ({ params, values }) => {
        if (!values.policy) throw new VaultError("invalid_argument", "missing policy");
        await policies.put(params["name"]!, values.policy);
        return null;
      },
      delete: async ({ params }) => {
        await policies.delete(params["name"]!);
        return null;
      },
    }),
    route({
      path: "policies/password/:name/generate",
      summary: "A password by a policy.",
      read: ({ params }) => {
        const password = policies.generate(params["name"]!);
        if (password === undefined) throw new VaultError("not_found", "policy does not exist");
        return { data: { password } };
      },
    }),
  ];
}
