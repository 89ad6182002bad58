/**
 * What no cut-off takes back: keys that left the vault, and scores that were told. Each with what to do about it.
 *
 * @module
 */

import type { UserRecord } from "../storage/records.ts";
import { FHE_KEY_KNOWN, revealsKey } from "../users/user_service.ts";

/** Something that a user still has. */
export interface HeldThing {
  readonly what: "data key" | "shared index key" | "score rows" | "database password";
  /** Where it is read, of a database password: `database/static-creds/reports`. */
  readonly path?: string;
  /** Since when; null where it came bit by bit. */
  readonly since: number | null;
  /** How many score rows; absent for keys. */
  readonly rows?: number;
  readonly remedy: string;
}

const DATA_KEY_REMEDY =
  "it opens what they sealed, for whoever has a copy: `runevault secret rotate`, then `runevault rewrap` on their envelopes";
const INDEX_KEY_REMEDY =
  "it encrypts vectors that the index takes, and reads none: `runevault keys rotate`, then move clients to the new key";
const FEW_ROWS_REMEDY = "too few to give the FHE key away; what they said can't be taken back";

/** A database password that a user has read, and that holds still. */
export interface ReadPassword {
  /** Of the mount, with its slash. */
  readonly mountPath: string;
  /** The static role. */
  readonly role: string;
  readonly since: number;
}

/** Everything that a user still has, in the order in which it matters least to most. */
export function heldBy(
  { agentKeyLeftAt, indexKeyLeftAt, scoreRows = 0 }: UserRecord,
  passwords: readonly ReadPassword[] = [],
): HeldThing[] {
  const held: HeldThing[] = passwords.map(heldPassword);
  if (agentKeyLeftAt !== undefined) held.push({ what: "data key", since: agentKeyLeftAt, remedy: DATA_KEY_REMEDY });
  if (indexKeyLeftAt !== undefined) {
    held.push({ what: "shared index key", since: indexKeyLeftAt, remedy: INDEX_KEY_REMEDY });
  }
  if (scoreRows > 0) {
    const remedy = revealsKey(scoreRows) ? FHE_KEY_KNOWN : FEW_ROWS_REMEDY;
    held.push({ what: "score rows", since: null, rows: scoreRows, remedy });
  }
  return held;
}

function heldPassword({ mountPath, role, since }: ReadPassword): HeldThing {
  const mount = mountPath === "database/" ? "" : ` --mount ${mountPath.slice(0, -1)}`;
  const remedy = `it lets whoever has it in at the database: \`runevault db${mount} static-role rotate ${role}\``;
  return { what: "database password", path: `${mountPath}static-creds/${role}`, since, remedy };
}
