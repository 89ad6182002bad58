/**
 * Token roles: what tokens made through them may have.
 *
 * @module
 */

import { VaultError } from "../errors.ts";
import type { VaultState } from "../state.ts";
import type { TokenParams, TokenRoleRecord } from "../storage/identity_records.ts";
import type { Writer } from "../writer.ts";
import { checkedCidrs } from "./cidr.ts";

/** What a write of a role may say; absent fields stay. */
export type TokenRoleInput = Partial<Omit<TokenRoleRecord, "name" | "params">> & {
  readonly params?: Partial<TokenParams>;
};

/** Parameters that say nothing. */
export const NO_PARAMS: TokenParams = {
  ttl: 0,
  maxTtl: 0,
  policies: [],
  boundCidrs: [],
  explicitMaxTtl: 0,
  noDefaultPolicy: false,
  numUses: 0,
  period: 0,
  type: "default",
};

/** Everything that is done to token roles. */
export class TokenRoles {
  readonly #state: VaultState;
  readonly #writer: Writer;

  constructor(state: VaultState, writer: Writer) {
    this.#state = state;
    this.#writer = writer;
  }

  /** A role by its name. */
  get(name: string): TokenRoleRecord | undefined {
    return this.#state.table("token_role").get(name);
  }

  /** The names of all roles. */
  list(): string[] {
    return [...this.#state.table("token_role").keys()].sort();
  }

  /**
   * Makes a role, or changes what is given of one.
   *
   * @param assertMayWrite Throws where the writer may not have written the role as it was, or as it comes out.
   * @throws {VaultError} `invalid_argument`.
   */
  put(
    name: string,
    { params, ...input }: TokenRoleInput,
    assertMayWrite: (role: TokenRoleRecord) => void = () => {},
  ): Promise<void> {
    return this.#writer.change(() => {
      const before: TokenRoleRecord = this.get(name) ?? {
        name,
        allowedPolicies: [],
        allowedPoliciesGlob: [],
        disallowedPolicies: [],
        disallowedPoliciesGlob: [],
        orphan: false,
        renewable: true,
        pathSuffix: "",
        allowedEntityAliases: [],
        params: NO_PARAMS,
      };
      const record = { ...before, ...input, params: checkedParams({ ...before.params, ...params }) };
      if (!/^[A-Za-z0-9_./-]{0,128}$/.test(record.pathSuffix)) {
        throw new VaultError("invalid_argument", "given role path suffix contains invalid characters");
      }
      for (const role of [before, record]) assertMayWrite(role);
      return { writes: [{ kind: "token_role", key: name, value: record }], result: () => {} };
    });
  }

  /** Deletes a role; absent: nothing. */
  delete(name: string): Promise<void> {
    return this.#writer.change(() => ({
      writes: this.get(name) === undefined ? [] : [{ kind: "token_role", key: name }],
      result: () => {},
    }));
  }
}

/**
 * Checks parameters that a role or a login user gives to tokens.
 *
 * @throws {VaultError} `invalid_argument`.
 */
export function checkedParams(params: TokenParams): TokenParams {
  if (params.maxTtl > 0 && params.ttl > params.maxTtl) {
    throw new VaultError("invalid_argument", "'token_ttl' cannot be greater than 'token_max_ttl'");
  }
  if (params.numUses < 0) throw new VaultError("invalid_argument", "'token_num_uses' cannot be negative");
  if (params.policies.includes("root")) {
    throw new VaultError("invalid_argument", "policies cannot contain root");
  }
  return { ...params, boundCidrs: checkedCidrs(params.boundCidrs) };
}
