/**
 * Names of users that are names of database roles as well (S15): such a user would be given what the role gives.
 *
 * @module
 */

import { VaultError } from "../../../vault/errors.ts";
import { quoteName } from "../../../vault/names.ts";
import { bool } from "../fields.ts";
import type { ApiRequest } from "../route.ts";

/** Whether any database role has this name. */
export type IsRoleName = (name: string) => boolean;

/** The field by which an administrator means it. */
export const FORCE = bool("with `sudo`: takes the name though a database role has it");

/**
 * Refuses a new name that a database role has.
 *
 * @throws {VaultError} `invalid_argument`, unless the caller has `sudo` and says `force`.
 */
export function assertNoRoleName(
  name: string | undefined,
  { hasSudo, values }: Pick<ApiRequest, "hasSudo"> & { readonly values: { readonly force?: boolean } },
  isRoleName: IsRoleName,
): void {
  if (!name || !isRoleName(name) || hasSudo && values.force === true) return;
  throw new VaultError("invalid_argument", `${quoteName(name)} is the name of a database role`, {
    hint: "take another name, or send force=true with sudo on this path",
  });
}
