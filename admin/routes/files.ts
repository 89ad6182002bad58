/**
 * `/files`: the two YAML files, and what to do when somebody edited one that the vault would not take.
 *
 * @module
 */

import { VaultError } from "../../vault/errors.ts";
import { quoteName } from "../../vault/names.ts";
import type { FileName } from "../../vault/mod.ts";
import type { AdminVault } from "../ports.ts";
import { type AdminContext, type AdminRoute, bodyOf } from "../route.ts";
import type { FileDifferencesBody } from "../wire.ts";

/** The routes of the YAML files. */
export function fileRoutes(vault: Pick<AdminVault, "files">): readonly AdminRoute[] {
  const { files } = vault;
  return [
    { method: "GET", path: "/files", handle: (c) => c.json({ files: files.status() }) },
    { method: "GET", path: "/files/:name/diff", handle: (c) => diff(c, files) },
    { method: "POST", path: "/files/:name/take", handle: (c) => take(c, files) },
    { method: "POST", path: "/files/:name/discard", handle: (c) => discard(c, files) },
  ];
}

async function diff(c: AdminContext, files: AdminVault["files"]): Promise<Response> {
  const name = fileIn(c);
  return c.json({ name, differences: await files.diff(name) } satisfies FileDifferencesBody);
}

async function take(c: AdminContext, files: AdminVault["files"]): Promise<Response> {
  const name = fileIn(c);
  await bodyOf(c, {});
  return c.json({ name, differences: await files.take(name) } satisfies FileDifferencesBody);
}

async function discard(c: AdminContext, files: AdminVault["files"]): Promise<Response> {
  await bodyOf(c, {});
  return c.json(await files.discard(fileIn(c)));
}

function fileIn(c: AdminContext): FileName {
  const name = c.req.param("name") ?? "";
  if (name === "roles" || name === "tokens") return name;
  throw new VaultError("not_found", `No file ${quoteName(name)}`, { hint: "the files are roles and tokens" });
}
