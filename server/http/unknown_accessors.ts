/**
 * Accessors that templates speak of and no auth method has.
 *
 * @module
 */

import { type MountTable, stableName } from "../../vault/mounts/mount_table.ts";
import { quoteName } from "../../vault/names.ts";

const ALIAS = /\{\{\s*identity\.entity\.aliases\.([^.{}\s]+)\./g;

/**
 * Warnings for the author of a policy or of a template, one an accessor. A path or a mere type in an accessor's place is the
 * commonest mistake, and nothing fails by it: a policy's path never applies, a claim stays empty.
 */
export function unknownAccessors(text: string, mounts: MountTable): string[] {
  const names = new Set([...text.matchAll(ALIAS)].map(([, name]) => name!));
  return [...names].filter((name) => mounts.resolve(name) === undefined).map((name) => {
    const meant = mounts.byPath("auth", `${name}/`);
    const fix = meant === undefined ? "accessors and stable names stand in sys/auth" : `use ${stableName(meant)}`;
    return `no auth method has the accessor ${quoteName(name)}, so what it stands for has no value (${fix})`;
  });
}
