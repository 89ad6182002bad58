/**
 * Why a start failed, for whoever started it.
 *
 * @module
 */

import { VaultError, type VaultErrorKind } from "../vault/mod.ts";

/** Of the system's errors, those that no second start mends: a path, a right or a file system is not as it must be. */
const OPERATORS_OWN = /^(ENOENT|EACCES|EPERM|ENOTDIR|EISDIR|EROFS|ELOOP|ENAMETOOLONG)$/;

/** What says of a file that it isn't there, or not of its form; at a start it is part of what was configured. */
const OF_FILES: readonly VaultErrorKind[] = ["not_found", "invalid_argument"];

/**
 * What is thrown on, so that the exit code says whether another start can help: `config_invalid` for what only the
 * operator mends. The unit starts the vault again after everything else.
 */
export function startRefusal(thrown: unknown): unknown {
  if (thrown instanceof VaultError) {
    const { kind, message, hint, data } = thrown;
    if (!OF_FILES.includes(kind)) return thrown;
    return new VaultError("config_invalid", message, { hint: hint ?? RIGHTS, data, cause: thrown });
  }
  if (!(thrown instanceof Error && OPERATORS_OWN.test(String((thrown as { code?: unknown }).code)))) return thrown;
  return new VaultError("config_invalid", `The vault can't start: ${thrown.message}`, { hint: RIGHTS, cause: thrown });
}

const RIGHTS = "the folder must be there, and the user that the server runs as must be able to use the file";
