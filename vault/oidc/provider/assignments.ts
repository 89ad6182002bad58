/**
 * Assignments: which entities may sign in to a client.
 *
 * @module
 */

import { VaultError } from "../../errors.ts";
import type { IdentityView } from "../../identity/view.ts";
import type { OidcAssignmentRecord } from "../../storage/identity_records.ts";
import type { Surroundings } from "../../tokens/token_service.ts";
import { ProviderObjects } from "./objects.ts";

/** The assignment that is there without anybody making it: every entity. */
const ALLOW_ALL = "allow_all";

const EVERYBODY: OidcAssignmentRecord = { name: ALLOW_ALL, entityIds: ["*"], groupIds: ["*"] };

/** What a write of an assignment may say; absent fields stay. */
export interface AssignmentInput {
  readonly entityIds?: readonly string[];
  readonly groupIds?: readonly string[];
}

/** Everything that is done to assignments. */
export class Assignments {
  readonly #objects: ProviderObjects<"oidc_assignment">;
  readonly #clients: ProviderObjects<"oidc_client">;

  constructor(surroundings: Surroundings) {
    this.#objects = new ProviderObjects(surroundings, "oidc_assignment");
    this.#clients = new ProviderObjects(surroundings, "oidc_client");
  }

  /** An assignment by its name. */
  get(name: string): OidcAssignmentRecord | undefined {
    return name === ALLOW_ALL ? EVERYBODY : this.#objects.get(name);
  }

  /** The names of all assignments. */
  list(): string[] {
    return [ALLOW_ALL, ...this.#objects.list()].sort();
  }

  /**
   * Makes an assignment, or changes what is given of one.
   *
   * @throws {VaultError} `invalid_argument` for the built-in one.
   */
  async put(name: string, input: AssignmentInput): Promise<void> {
    if (name === ALLOW_ALL) throw builtIn("modification");
    await this.#objects.put(name, (before) => ({
      name,
      entityIds: [...new Set(input.entityIds ?? before?.entityIds ?? [])],
      groupIds: [...new Set(input.groupIds ?? before?.groupIds ?? [])],
    }));
  }

  /**
   * Deletes an assignment; absent: nothing.
   *
   * @throws {VaultError} `invalid_argument` for the built-in one, and for one that clients name.
   */
  async delete(name: string): Promise<void> {
    if (name === ALLOW_ALL) throw builtIn("deletion");
    await this.#objects.delete(name, () => {
      const users = this.#clients.all().filter((client) => client.assignments.includes(name));
      if (users.length === 0) return;
      const names = users.map((client) => client.name).sort().join(", ");
      throw new VaultError(
        "invalid_argument",
        `unable to delete assignment ${
          JSON.stringify(name)
        } because it is currently referenced by these clients: ${names}`,
      );
    });
  }

  /** Whether one of these assignments names an entity, or a group that it is in. */
  allow(names: readonly string[], view: IdentityView): boolean {
    return names.some((name) => {
      if (name === ALLOW_ALL) return true;
      const assignment = this.#objects.get(name);
      if (assignment === undefined) return false;
      const { entityIds, groupIds } = assignment;
      return entityIds.includes(view.id) || view.groups().some((group) => groupIds.includes(group.id));
    });
  }
}

function builtIn(what: string): VaultError {
  return new VaultError("invalid_argument", `${what} of assignment ${JSON.stringify(ALLOW_ALL)} not allowed`);
}
