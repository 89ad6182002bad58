/**
 * Which policies a caller may give to somebody.
 *
 * @module
 */

import { VaultError } from "../../vault/errors.ts";
import type { ApiRequest } from "./route.ts";

/**
 * S12: without `sudo` nobody gives what they don't have.
 *
 * @throws {VaultError} `permission_denied`.
 */
export function assertMayGive(
  { hasSudo, caller }: Pick<ApiRequest, "hasSudo" | "caller">,
  policies: readonly string[],
): void {
  if (hasSudo || policies.every((name) => name === "default" || caller.policies.includes(name))) return;
  throw new VaultError("permission_denied", "giving policies beyond your own needs sudo on this path");
}
