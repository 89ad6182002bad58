/**
 * What a role may let its holders do, and which scopes each method asks for.
 *
 * @module
 */

import { VaultError } from "../errors.ts";
import { quoteName } from "../names.ts";

/** Every scope there is. */
export const SCOPES = [
  /** Means `get_bundle`, `get_dek` and `get_index_key` wherever it stands. */
  "get_public_key",
  /** Fetch the key bundle, without any key that seals or opens. */
  "get_bundle",
  /** Receive one's own data keys in the bundle. */
  "get_dek",
  /** Receive the shared index key in the bundle. */
  "get_index_key",
  /** Have score ciphertexts decrypted. Trusts its holder with the FHE key: see docs/fhe.md. */
  "decrypt_scores",
  /** Open any member's envelopes. */
  "decrypt_metadata",
  /** Open one's own envelopes only. */
  "decrypt_own_metadata",
  /** Kept for old files; grants nothing over the network. */
  "manage_tokens",
] as const;

/** The name of a scope. */
export type Scope = (typeof SCOPES)[number];

const KNOWN: ReadonlySet<string> = new Set(SCOPES);
const PUBLIC_KEY_MEANS: ReadonlySet<Scope> = new Set(["get_bundle", "get_dek", "get_index_key"]);

/** Whether a role with these scopes holds `wanted`, with `get_public_key` standing for the three it means. */
export function holdsScope(scopes: readonly Scope[], wanted: Scope): boolean {
  return scopes.includes(wanted) || (PUBLIC_KEY_MEANS.has(wanted) && scopes.includes("get_public_key"));
}

/**
 * Checks a list of scope names; doubled ones are folded.
 *
 * @throws {VaultError} `invalid_argument` that names the unknown scope.
 */
export function parseScopes(names: readonly string[]): Scope[] {
  const unknown = names.find((name) => !KNOWN.has(name));
  if (unknown !== undefined) {
    throw new VaultError("invalid_argument", `Unknown scope ${quoteName(unknown)}`, {
      hint: `scopes are ${SCOPES.join(", ")}`,
    });
  }
  return [...new Set(names as readonly Scope[])];
}
