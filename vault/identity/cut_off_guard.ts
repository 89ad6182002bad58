/**
 * What must not be done to an entity while it is cut off: whatever would give its logins to somebody who isn't.
 *
 * @module
 */

import { VaultError } from "../errors.ts";
import type { UserRecord } from "../storage/records.ts";

/**
 * Refuses to delete or merge away an entity that is cut off, and to take an alias from it: by the next login its name would
 * stand for an entity that nobody cut off.
 *
 * @throws {VaultError} `invalid_argument`.
 */
export function assertKeepsLogins({ cutOff, name }: UserRecord): void {
  if (cutOff === undefined) return;
  throw new VaultError(
    "invalid_argument",
    `entity ${JSON.stringify(name)} was cut off: its logins would be open again`,
    {
      hint: `delete the logins themselves (auth/userpass/users/…), or run \`runevault user restore ${name}\` first`,
    },
  );
}
