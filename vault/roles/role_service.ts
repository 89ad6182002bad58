/**
 * Roles: what their holders may do and how often. The only role defaults of the program are here.
 *
 * @module
 */

import { VaultError } from "../errors.ts";
import { cleanPolicies } from "../identity/policies.ts";
import { assertName, quoteName } from "../names.ts";
import type { VaultState } from "../state.ts";
import type { RoleRecord } from "../storage/records.ts";
import type { Write } from "../storage/store.ts";
import type { Writer } from "../writer.ts";
import { parseRateLimit } from "./rate_limit.ts";
import { parseScopes } from "./scope.ts";

/** A role as it is stored is a role as it is shown. */
export type Role = RoleRecord;

/** The most results that any role may let a caller ask for. */
export const MAX_TOP_K = 10_000;

/** The two roles that always exist. They may be changed, not deleted. */
export const DEFAULT_ROLES: readonly Role[] = [
  {
    name: "admin",
    scope: ["get_public_key", "decrypt_scores", "decrypt_metadata", "manage_tokens"],
    topK: 50,
    rateLimit: { count: 150, seconds: 60 },
  },
  {
    name: "member",
    scope: ["get_public_key", "decrypt_scores", "decrypt_metadata"],
    topK: 10,
    rateLimit: { count: 30, seconds: 60 },
  },
];

/** Checks a `top_k`; throws `invalid_argument`. */
export function assertTopK(topK: number): number {
  if (Number.isInteger(topK) && topK >= 1 && topK <= MAX_TOP_K) return topK;
  throw new VaultError("invalid_argument", `Invalid top_k ${topK}`, { hint: `give a whole number, 1 to ${MAX_TOP_K}` });
}

/** The write that stores a role. */
export function putRole(role: Role): Write {
  return { kind: "role", key: role.name, value: role };
}

/** Everything an operator does with roles. A change binds every token of the role from the next call on. */
export class RoleService {
  readonly #state: VaultState;
  readonly #writer: Writer;

  constructor(state: VaultState, writer: Writer) {
    this.#state = state;
    this.#writer = writer;
  }

  /** All roles, by name. */
  list(): Role[] {
    return [...this.#state.roles.values()].sort((a, b) => a.name < b.name ? -1 : 1);
  }

  /** One role; `not_found`. */
  show(name: string): Role {
    const role = this.#state.roles.get(name);
    if (role !== undefined) return role;
    throw new VaultError("not_found", `No role ${quoteName(name)}`, { hint: "see `runevault role list`" });
  }

  /** Makes a role; `already_exists`, `invalid_argument`, `storage_failed`. */
  create(
    wanted: {
      name: string;
      scope: readonly string[];
      topK: number;
      rateLimit: string;
      policies?: readonly string[];
      cutoffEnvelopes?: string;
    },
  ): Promise<Role> {
    return this.#writer.change(() => {
      assertName("role", wanted.name);
      if (this.#state.roles.has(wanted.name)) {
        throw new VaultError("already_exists", `Role ${quoteName(wanted.name)} already exists`);
      }
      return this.#put({
        name: wanted.name,
        scope: parseScopes(wanted.scope),
        topK: assertTopK(wanted.topK),
        rateLimit: parseRateLimit(wanted.rateLimit),
        ...policiesOf(wanted.policies),
        ...cutoffEnvelopesOf(wanted.cutoffEnvelopes),
      });
    });
  }

  /** Changes what is given of a role; `not_found`, `invalid_argument`, `storage_failed`. */
  update(
    name: string,
    change: {
      scope?: readonly string[];
      topK?: number;
      rateLimit?: string;
      policies?: readonly string[];
      cutoffEnvelopes?: string;
    },
  ): Promise<Role> {
    return this.#writer.change(() => {
      const role = this.show(name);
      return this.#put({
        name,
        scope: change.scope === undefined ? role.scope : parseScopes(change.scope),
        topK: change.topK === undefined ? role.topK : assertTopK(change.topK),
        rateLimit: change.rateLimit === undefined ? role.rateLimit : parseRateLimit(change.rateLimit),
        ...policiesOf(change.policies ?? role.policies),
        ...cutoffEnvelopesOf(change.cutoffEnvelopes ?? role.cutoffEnvelopes),
      });
    });
  }

  /** Deletes a role; `precondition_failed` for a default role or one that a current token uses. */
  delete(name: string): Promise<void> {
    return this.#writer.change(() => {
      this.show(name);
      this.#assertDeletable(name);
      return { writes: [{ kind: "role", key: name }], result: () => {} };
    });
  }

  #put(role: Role): { writes: Write[]; result: () => Role } {
    return { writes: [putRole(role)], result: () => role };
  }

  #assertDeletable(name: string): void {
    if (DEFAULT_ROLES.some((role) => role.name === name)) {
      throw new VaultError("precondition_failed", `Role ${quoteName(name)} is a default role and can't be deleted`);
    }
    const users = this.#state.tokensByRole.get(name) ?? 0;
    if (users > 0) {
      throw new VaultError("precondition_failed", `Role ${quoteName(name)} is used by ${users} token(s)`, {
        hint: "revoke those tokens first: see `runevault token list`",
      });
    }
  }
}

/**
 * The policies of a role as they are kept: absent where there are none.
 *
 * @throws {VaultError} `invalid_argument` where `root` is among them.
 */
export function policiesOf(given: readonly string[] | undefined): Pick<Role, "policies"> {
  const policies = cleanPolicies(given ?? []);
  return policies.length === 0 ? {} : { policies };
}

/**
 * What becomes of envelopes whose author was cut off, as it is kept: absent where they open.
 *
 * @throws {VaultError} `invalid_argument` for anything but `open` and `refuse`.
 */
export function cutoffEnvelopesOf(given: string | undefined): Pick<Role, "cutoffEnvelopes"> {
  if (given === undefined || given === "open") return {};
  if (given === "refuse") return { cutoffEnvelopes: given };
  throw new VaultError("invalid_argument", `Invalid cutoff_envelopes ${quoteName(given)}`, {
    hint: "give open or refuse",
  });
}
