/**
 * `sys/remount`: moves a mount. It is done when it is answered; clients ask for its status all the same.
 *
 * @module
 */

import { VaultError } from "../../../vault/errors.ts";
import type { MountTable } from "../../../vault/mounts/mount_table.ts";
import type { MountSection } from "../../../vault/storage/identity_records.ts";
import { text } from "../fields.ts";
import { type Route, route } from "../route.ts";

/** Moves whose status can be asked for; older ones are forgotten. */
const MAX_REMEMBERED = 100;

/** The routes. */
export function sysRemountRoutes(mounts: MountTable): Route[] {
  const done = new Map<string, { readonly source: string; readonly target: string }>();
  return [
    route({
      path: "remount",
      summary: "Moves a mount to another path.",
      needsSudo: true,
      fields: { from: text("the mount's path, such as `auth/old/`"), to: text("its new path") },
      write: async ({ id, values, warn }) => {
        const [source, target] = [sectionOf(values.from), sectionOf(values.to)];
        if (source.section !== target.section) {
          throw new VaultError("invalid_argument", "cannot remount between auth methods and secrets engines");
        }
        await mounts.move(source.section, source.path, target.path);
        remember(done, id, { source: values.from!, target: values.to! });
        warn("policies that name the old path were not changed");
        return { data: { migration_id: id } };
      },
    }),
    route({
      path: "remount/status/:segment.id",
      summary: "Whether a move is done.",
      read: ({ params }) => {
        const found = done.get(params["id"]!);
        if (found === undefined) return null;
        const info = { source_mount: found.source, target_mount: found.target, status: "success" };
        return { data: { migration_id: params["id"], migration_info: info } };
      },
    }),
  ];
}

function sectionOf(path: string | undefined): { section: MountSection; path: string } {
  const bare = (path ?? "").replace(/^\/+/, "");
  if (bare === "") throw new VaultError("invalid_argument", "both from and to must be given");
  return bare.startsWith("auth/") ? { section: "auth", path: bare.slice(5) } : { section: "secret", path: bare };
}

function remember<T>(all: Map<string, T>, id: string, one: T): void {
  all.set(id, one);
  if (all.size > MAX_REMEMBERED) all.delete(all.keys().next().value!);
}
