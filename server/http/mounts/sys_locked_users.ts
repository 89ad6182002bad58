/**
 * `sys/locked-users`: who is locked out, for how long, and letting them in again.
 *
 * @module
 */

import type { MountTable } from "../../../vault/mounts/mount_table.ts";
import type { LockedUser, Lockout } from "../../../vault/userpass/lockout.ts";
import { text } from "../fields.ts";
import { type ApiAnswer, type Route, route } from "../route.ts";

/** The routes. */
export function sysLockedUserRoutes(lockout: Lockout, mounts: MountTable): Route[] {
  const stored = ({ accessor, alias }: Readonly<Record<string, string>>) => ({
    accessor: mounts.resolve(accessor!)?.accessor ?? accessor!,
    alias: alias!.toLowerCase(),
  });
  return [
    route({
      path: "locked-users",
      summary: "Users who are locked out after wrong passwords.",
      fields: { mount_accessor: text("only those of this mount") },
      read: ({ values }) => listing(lockout.locked(), values.mount_accessor),
    }),
    route({
      path: "locked-users/:segment.accessor/unlock/*rest.alias",
      summary: "Lets a user try again at once.",
      stored,
      // Names of nobody are locked as well.
      userNamed: () => undefined,
      write: ({ params }) => {
        const { accessor, alias } = stored(params);
        lockout.unlock(accessor, alias);
        return null;
      },
    }),
  ];
}

function listing(all: readonly LockedUser[], accessor: string | undefined): ApiAnswer {
  const locked = accessor === undefined ? all : all.filter((one) => one.mountAccessor === accessor);
  const accessors = [...new Set(locked.map((one) => one.mountAccessor))];
  const mount_accessors = accessors.map((mount_accessor) => {
    const own = locked.filter((one) => one.mountAccessor === mount_accessor);
    return { mount_accessor, counts: own.length, alias_identifiers: own.map((one) => one.username) };
  });
  const root = { namespace_id: "root", namespace_path: "", counts: locked.length, mount_accessors };
  const details = locked.map(({ mountAccessor, username, failures, secondsLeft, isOneAddress }) => ({
    mount_accessor: mountAccessor,
    alias: username,
    reason: `${failures} wrong passwords${isOneAddress ? " from one known address" : ""}`,
    seconds_left: secondsLeft,
  }));
  return { data: { total: locked.length, by_namespace: locked.length === 0 ? [] : [root], locked_users: details } };
}
