/**
 * Names of new users that are names of database roles as well (S15).
 *
 * @module
 */

import { asVaultError } from "../vault/errors.ts";
import type { AdminVault } from "./ports.ts";

/**
 * Refuses a new user's name that a database role has: the user would be given what the role gives.
 *
 * @param force The operator means it.
 * @throws {VaultError} `invalid_argument`.
 */
export function assertNoRoleName(
  { users, engine }: Pick<AdminVault, "users" | "engine">,
  name: string,
  force: boolean | undefined,
): void {
  if (force !== true && !isUser(users, name)) engine.database.roles.assertNoneNamed(name);
}

function isUser(users: AdminVault["users"], name: string): boolean {
  try {
    users.show(name);
    return true;
  } catch (error) {
    if (asVaultError(error).kind === "not_found") return false;
    throw error;
  }
}
