/**
 * What the two YAML files say, once read: typed rows with the lines they came from.
 *
 * @module
 */

import type { RateLimit } from "../roles/rate_limit.ts";
import type { Scope } from "../roles/scope.ts";

/** The two files that are the vault's face to operators. */
export type FileName = "roles" | "tokens";

/** A row of `vault-roles.yml`. */
export interface RoleRow {
  readonly line: number;
  readonly name: string;
  readonly scope: readonly Scope[];
  readonly topK: number;
  readonly rateLimit: RateLimit;
  /** Policies on the identity API; absent: none. */
  readonly policies?: readonly string[];
  /** What becomes of envelopes whose author was cut off; absent: they open. */
  readonly cutoffEnvelopes?: "refuse";
}

/** A row of `vault-tokens.yml`; a token that stood there in plain text is only its hash by now. */
export interface TokenRow {
  readonly line: number;
  readonly user: string;
  readonly tokenHash: string;
  readonly role: string;
  readonly issuedAt: number | null;
  readonly expiresAt: number | null;
}

/** The rows of each file. */
export interface Rows {
  readonly roles: RoleRow;
  readonly tokens: TokenRow;
}

/** A file as read. */
export interface Document<F extends FileName = FileName> {
  readonly file: F;
  /** Where it was read, for messages. */
  readonly path: string;
  /** SHA-256 of the bytes that were parsed, hex. */
  readonly digest: string;
  /** The generation that the file says it is based on; null: a file that this program did not write. */
  readonly generation: number | null;
  readonly rows: readonly Rows[F][];
  /** What was taken as the old vault took it, for the log. */
  readonly warnings: readonly string[];
}
