/**
 * Lists of policy names that entities and groups carry.
 *
 * @module
 */

import { VaultError } from "../errors.ts";

/**
 * Trimmed, lower-cased, each once, in order.
 *
 * @throws {VaultError} `invalid_argument` where `root` is among them: only a token can be root.
 */
export function cleanPolicies(given: readonly string[]): string[] {
  const clean = [...new Set(given.map((name) => name.trim().toLowerCase()).filter((name) => name !== ""))].sort();
  if (clean.includes("root")) throw new VaultError("invalid_argument", "policies cannot contain root");
  return clean;
}
