/**
 * The mounts that every vault has, and the types that can be mounted.
 *
 * @module
 */

import type { MountSection } from "../storage/identity_records.ts";

/** A mount that is there from the first start and can't be taken away. */
export interface Builtin {
  readonly section: MountSection;
  readonly path: string;
  readonly type: string;
  readonly description: string;
}

/** In the order in which a new vault makes them. */
export const BUILTINS: readonly Builtin[] = [
  { section: "secret", path: "cubbyhole/", type: "cubbyhole", description: "per-token private secret storage" },
  { section: "secret", path: "identity/", type: "identity", description: "identity store" },
  { section: "secret", path: "sys/", type: "system", description: "system endpoints used for control and policy" },
  { section: "auth", path: "token/", type: "token", description: "token based credentials" },
  { section: "auth", path: "token/evt/", type: "evt", description: "user tokens, issued by the operator" },
];

/** The key of a mount's record. */
export function mountKey(section: MountSection, path: string): string {
  return `${section}/${path}`;
}

/** Whether a mount is one of {@link BUILTINS}. */
export function isBuiltin(section: MountSection, path: string): boolean {
  return BUILTINS.some((builtin) => builtin.section === section && builtin.path === path);
}
