/**
 * Names of users that are names of database roles as well (S15): such a user would be given what the role gives.
 *
 * @module
 */

import { bool } from "../fields.ts";
import type { ApiRequest } from "../route.ts";

/** Refuses the name of a database role. */
export type AssertNoneNamed = (name: string) => void;

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
  assertNoneNamed: AssertNoneNamed,
): void {
  if (name && !(hasSudo && values.force === true)) assertNoneNamed(name);
}
