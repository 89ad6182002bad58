/**
 * Roles of the database engine: which accounts are made, and for how long.
 *
 * @module
 */

import { VaultError } from "../errors.ts";
import { quoteName } from "../names.ts";
import type { VaultState } from "../state.ts";
import type { DatabaseRoleRecord } from "../storage/database_records.ts";
import type { Write } from "../storage/store.ts";
import type { Writer } from "../writer.ts";
import { statementsOf } from "./statements.ts";

/** What a write of a role may say; absent fields stay, lists replace. */
export interface RoleInput {
  readonly connection?: string;
  readonly creation?: readonly string[];
  readonly revocation?: readonly string[];
  readonly rollback?: readonly string[];
  readonly renewal?: readonly string[];
  readonly defaultTtl?: number;
  readonly maxTtl?: number;
  readonly credentialType?: string;
  readonly passwordPolicy?: string;
  readonly userBound?: boolean;
}

/** Everything that is done to dynamic roles. */
export class DatabaseRoles {
  readonly #state: VaultState;
  readonly #writer: Writer;

  constructor({ state, writer }: { state: VaultState; writer: Writer }) {
    this.#state = state;
    this.#writer = writer;
  }

  /** A role by its name. */
  get(mountAccessor: string, name: string): DatabaseRoleRecord | undefined {
    return this.#state.table("database_role").get(roleKey(mountAccessor, name));
  }

  /** The roles of a mount, by name. */
  list(mountAccessor: string): DatabaseRoleRecord[] {
    const all = [...this.#state.table("database_role").values()];
    return all.filter((one) => one.mountAccessor === mountAccessor).sort((a, b) => a.name < b.name ? -1 : 1);
  }

  /** Whether any mount has a role that a user of this name would be taken for (S15). */
  isNameOfSome(name: string): boolean {
    return foldedRoleNames(this.#state).has(name.toLowerCase());
  }

  /**
   * Refuses a name for a new user that a database role has: the user would be given what the role gives (S15).
   *
   * @throws {VaultError} `invalid_argument`.
   */
  assertNoneNamed(name: string): void {
    if (!this.isNameOfSome(name)) return;
    throw new VaultError("invalid_argument", `${quoteName(name)} is the name of a database role`, {
      hint: "take another name, or say force with all rights",
    });
  }

  /**
   * Makes a role, or changes one.
   *
   * @throws {VaultError} `invalid_argument`.
   */
  write(mountAccessor: string, name: string, input: RoleInput): Promise<DatabaseRoleRecord> {
    return this.#writer.change(() => {
      const role = this.#updated(mountAccessor, name, input);
      return {
        writes: [{ kind: "database_role", key: roleKey(mountAccessor, name), value: role }],
        result: () => role,
      };
    });
  }

  /** Deletes a role; absent: nothing. Leases keep all that they need. */
  delete(mountAccessor: string, name: string): Promise<void> {
    return this.#writer.change(() => ({
      writes: [{ kind: "database_role", key: roleKey(mountAccessor, name) }],
      result: () => {},
    }));
  }

  /** The writes that take away all roles of a mount. */
  planEndOfMount(mountAccessor: string): Write[] {
    return this.list(mountAccessor).map(({ name }) => ({ kind: "database_role", key: roleKey(mountAccessor, name) }));
  }

  /**
   * The role that serves users by their own names: the one that says so, or the only one where none says anything.
   *
   * @throws {VaultError} `invalid_argument` where several say so.
   */
  perUser(mountAccessor: string): DatabaseRoleRecord | undefined {
    const roles = this.list(mountAccessor);
    const bound = roles.filter((role) => role.userBound === true);
    if (bound.length > 1) {
      const names = bound.map(({ name }) => name).join(", ");
      throw new VaultError("invalid_argument", `several roles have user_bound=true: ${names}`);
    }
    if (bound.length === 1) return bound[0];
    return roles.length === 1 && roles[0]!.userBound === undefined ? roles[0] : undefined;
  }

  #updated(mountAccessor: string, name: string, input: RoleInput): DatabaseRoleRecord {
    const before = this.get(mountAccessor, name);
    if (this.#state.table("database_static_role").has(roleKey(mountAccessor, name))) {
      throw new VaultError("invalid_argument", "Role and Static Role names must be unique");
    }
    assertCredentialType(input.credentialType);
    const connection = input.connection ?? before?.connection;
    if (!connection) throw new VaultError("invalid_argument", "database name is required");
    const policy = input.passwordPolicy ?? before?.passwordPolicy;
    const userBound = input.userBound ?? before?.userBound;
    return {
      mountAccessor,
      name,
      connection,
      creation: statementsOr(input.creation, before?.creation),
      revocation: statementsOr(input.revocation, before?.revocation),
      rollback: statementsOr(input.rollback, before?.rollback),
      renewal: statementsOr(input.renewal, before?.renewal),
      defaultTtl: input.defaultTtl ?? before?.defaultTtl ?? 0,
      maxTtl: input.maxTtl ?? before?.maxTtl ?? 0,
      ...(policy === undefined ? {} : { passwordPolicy: policy }),
      ...(userBound === undefined ? {} : { userBound }),
    };
  }
}

/** The names of all database roles, in lower case: whoever is called like one would be given what it gives (S15). */
export function foldedRoleNames(state: VaultState): ReadonlySet<string> {
  return new Set([...state.table("database_role").values()].map(({ name }) => name.toLowerCase()));
}

/** The only kind of credential that accounts are made with. */
export function assertCredentialType(type: string | undefined): void {
  if (type === undefined || type === "" || type === "password") return;
  throw new VaultError("invalid_argument", `invalid credential_type ${quoteName(type)}`);
}

/** The key of a role's record, dynamic or static. */
export function roleKey(mountAccessor: string, name: string): string {
  return `${mountAccessor}/${name}`;
}

function statementsOr(given: readonly string[] | undefined, before: readonly string[] = []): readonly string[] {
  return given === undefined ? before : statementsOf(given);
}
