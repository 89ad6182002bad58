/**
 * `sys/internal`: what the CLI asks before it acts, and the description of the whole API.
 *
 * @module
 */

import type { MountTable } from "../../../vault/mounts/mount_table.ts";
import type { ApiCaller } from "../../../vault/service_tokens/caller.ts";
import type { MountRecord } from "../../../vault/storage/identity_records.ts";
import { openApiOf } from "../openapi.ts";
import { HttpProblem, wrapped } from "../problem.ts";
import { type Backend, type Route, route } from "../route.ts";
import { mountBody } from "./sys_mounts.ts";

/** What these routes need. */
export interface InternalParts {
  readonly mounts: MountTable;
  readonly version: string;
  /** Every backend, this one's included. */
  backends(): readonly Backend[];
  /** Whether a caller's policies grant anything at or below a path. */
  hasAccessBelow(caller: ApiCaller, prefix: string): boolean;
  /** The caller of a token; null for one that is none. Open routes know no caller. */
  callerOf(token: string, remoteAddress: string): Promise<ApiCaller | null>;
}

/** The routes. */
export function sysInternalRoutes(parts: InternalParts): Route[] {
  return [
    route({
      path: "internal/ui/mounts",
      summary: "The mounts that the caller can touch, and those that are shown to anyone.",
      isOpen: true,
      read: async ({ headers, remoteAddress }) => {
        const token = headers.get("x-vault-token") ?? "";
        const caller = token === "" ? null : await parts.callerOf(token, remoteAddress);
        return { data: { secret: visible(parts, "secret", caller), auth: visible(parts, "auth", caller) } };
      },
    }),
    route({
      path: "internal/ui/mounts/*rest.path",
      summary: "The mount that a path lies in.",
      isOpen: true,
      read: async ({ headers, params, remoteAddress }) => {
        const token = headers.get("x-vault-token") ?? "";
        const caller = token === "" ? null : await parts.callerOf(token, remoteAddress);
        if (caller === null) throw new HttpProblem(403, ["permission denied"]);
        return { data: mountOfPath(parts, caller, params["path"]!) };
      },
    }),
    route({
      path: "internal/specs/openapi",
      summary: "This API as an OpenAPI 3 document.",
      read: () => ({ raw: openApiOf(parts.mounts, parts.backends(), parts.version) }),
    }),
  ];
}

function visible({ mounts, hasAccessBelow }: InternalParts, section: "secret" | "auth", caller: ApiCaller | null) {
  const shown = mounts.list(section).filter((mount) =>
    mount.listingVisibility === "unauth" || caller !== null && hasAccessBelow(caller, fullPath(mount))
  );
  return Object.fromEntries(shown.map((mount) => [mount.path, mountBody(mount)]));
}

/** One answer for a mount that isn't there and one that the caller may not touch. */
function mountOfPath({ mounts, hasAccessBelow }: InternalParts, caller: ApiCaller, path: string) {
  const asked = `${path.replace(/\/+$/, "")}/`;
  const all = [...mounts.list("secret"), ...mounts.list("auth")];
  const mount = all.find((one) => asked.startsWith(fullPath(one)));
  if (mount !== undefined && hasAccessBelow(caller, fullPath(mount))) {
    return { ...mountBody(mount), path: fullPath(mount) };
  }
  const message = "preflight capability check returned 403, please ensure client's policies grant access to path";
  throw new HttpProblem(403, [wrapped(`${message} ${JSON.stringify(asked)}`)]);
}

function fullPath(mount: MountRecord): string {
  return mount.section === "auth" ? `auth/${mount.path}` : mount.path;
}
