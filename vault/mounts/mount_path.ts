/**
 * The paths of mounts.
 *
 * @module
 */

import { VaultError } from "../errors.ts";
import type { MountSection } from "../storage/identity_records.ts";

const SEGMENT = /^[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?$/;
const MAX_LENGTH = 128;
const PROTECTED: Readonly<Record<MountSection, readonly string[]>> = {
  secret: ["sys", "auth", "identity", "cubbyhole", "audit"],
  auth: ["token"],
};

/** A mount's path with one slash at its end and none before it. */
export function normalMountPath(path: string): string {
  return `${path.replace(/^\/+|\/+$/g, "")}/`;
}

/**
 * Checks the path of a new mount, in its normal form.
 *
 * @throws {VaultError} `invalid_argument`.
 */
export function assertMountPath(section: MountSection, path: string): void {
  const segments = path.slice(0, -1).split("/");
  if (PROTECTED[section].includes(segments[0]!)) throw new VaultError("invalid_argument", `cannot mount "${path}"`);
  if (path.length <= MAX_LENGTH && segments.every((segment) => SEGMENT.test(segment))) return;
  throw new VaultError("invalid_argument", "This path can't be mounted at", {
    hint: `a path is letters, digits, '_', '-' and '.' between slashes, ${MAX_LENGTH} characters at most`,
  });
}
