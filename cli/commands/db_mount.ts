/**
 * What the commands of `runevault db` share: where the engine is mounted.
 *
 * @module
 */

import { apiCommand, apiPath } from "../api_session.ts";
import type { Root } from "../program.ts";

/** The group `db`, with its option `--mount`. */
export type DatabaseGroup = ReturnType<typeof databaseGroup>;

/** Makes the group; its commands are added by `db.ts`. */
export function databaseGroup(root: Root) {
  return apiCommand(root, "db", "Database accounts that end with their token (MySQL, MariaDB, PostgreSQL).")
    .option("--mount <PATH>", "where the engine is mounted", "database");
}

/** The path of a mount in a URL, without slashes at its ends. */
export function mountPath(mount: string): string {
  return mount.replace(/^\/+|\/+$/g, "").split("/").map((segment) => apiPath`${segment}`).join("/");
}
