/**
 * `sys/policies/acl` and `sys/policy`: policies by name.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { VaultError } from "../../../vault/errors.ts";
import type { MountTable } from "../../../vault/mounts/mount_table.ts";
import type { PolicyService } from "../../../vault/policies/policy_service.ts";
import { text } from "../fields.ts";
import { type ApiAnswer, type Route, route } from "../route.ts";
import { unknownAccessors } from "../unknown_accessors.ts";

const POLICY = text("the policy: HCL or JSON, or base64 of it");

/** What these routes need. */
export interface PolicyParts {
  readonly policies: PolicyService;
  readonly mounts: MountTable;
}

/** The routes. */
export function sysPolicyRoutes(parts: PolicyParts): Route[] {
  const { policies } = parts;
  const remove = async ({ params }: { readonly params: Readonly<Record<string, string>> }): Promise<ApiAnswer> => {
    await policies.delete(storedName(params));
    return null;
  };
  return [
    route({
      path: "policies/acl",
      summary: "The names of all policies.",
      list: () => ({ data: { keys: policies.list() } }),
    }),
    route({
      path: "policies/acl/*rest.name",
      summary: "One policy.",
      fields: { policy: POLICY },
      stored: (params) => ({ name: storedName(params) }),
      read: ({ params }) => {
        const record = policies.get(storedName(params));
        return record === undefined ? null : { data: { name: record.name, policy: record.text } };
      },
      write: ({ params, values, warn }) => put(parts, params, values.policy, warn),
      delete: remove,
    }),
    route({
      path: "policy",
      summary: "The names of all policies.",
      read: () => names(policies),
      list: () => names(policies),
    }),
    route({
      path: "policy/*rest.name",
      summary: "One policy, by the old path.",
      fields: { policy: POLICY, rules: text("the old name of policy") },
      stored: (params) => ({ name: storedName(params) }),
      read: ({ params }) => {
        const record = policies.get(storedName(params));
        if (record === undefined) return null;
        return { data: { name: record.name, rules: record.text }, isDuplicated: true };
      },
      write: ({ params, values, warn }) => {
        if (values.policy === undefined && values.rules !== undefined) {
          warn("'rules' is deprecated, please use 'policy' instead");
        }
        return put(parts, params, values.policy ?? values.rules, warn);
      },
      delete: remove,
    }),
  ];
}

/** Names of policies have no case, and no space around them. */
function storedName(params: Readonly<Record<string, string>>): string {
  return params["name"]!.trim().toLowerCase();
}

function names(policies: PolicyService): ApiAnswer {
  const keys = policies.list();
  return { data: { keys, policies: keys }, isDuplicated: true };
}

async function put(
  { policies, mounts }: PolicyParts,
  params: Readonly<Record<string, string>>,
  policy: string | undefined,
  warn: (text: string) => void,
): Promise<ApiAnswer> {
  if (policy === undefined || policy === "") {
    throw new VaultError("invalid_argument", "'policy' parameter not supplied or empty");
  }
  const name = storedName(params);
  const text = decoded(policy);
  const warnings = [...await policies.put(name, text), ...unknownAccessors(text, mounts)];
  if (name !== params["name"]) warn(`policy name was converted to ${name}`);
  warnings.forEach(warn);
  return null;
}

/** A text that is nothing but base64 is taken as such; HCL and JSON never are, for they have braces. */
function decoded(policy: string): string {
  const bare = policy.trim();
  if (bare.length < 8 || bare.length % 4 !== 0 || !/^[A-Za-z0-9+/]+={0,2}$/.test(bare)) return policy;
  return Buffer.from(bare, "base64").toString("utf8");
}
