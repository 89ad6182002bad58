/**
 * Who makes a request of the identity API.
 *
 * @module
 */

import type { User, UserToken } from "../state.ts";
import type { ServiceTokenRecord } from "../storage/identity_records.ts";

/** An authenticated caller: the holder of a service token, or of a user's evt token. */
export interface ApiCaller {
  /** The service token; null for an evt token. */
  readonly token: ServiceTokenRecord | null;
  /** The evt token that was presented; null for a service token. */
  readonly evt: UserToken | null;
  /** The entity that the caller acts as; null for tokens without one, such as root. */
  readonly entity: User | null;
  /** The token's own policies; those of an evt token are its role's and `default`. */
  readonly policies: readonly string[];
  /** Accessor of the token; of an evt token its agent id. */
  readonly accessor: string;
  /** Hash of the token, by which its children, cubbyhole and leases are found. */
  readonly tokenHash: string;
  readonly displayName: string;
  /** Whether this is the last use of a token with a limited number. */
  readonly isLastUse: boolean;
}

/** Whether a caller holds the policy `root` by its token; no entity or group can give it. */
export function isRoot(caller: ApiCaller): boolean {
  return caller.policies.includes("root");
}
