/**
 * For commands that also work with the server stopped: the same vault and the same admin API, for as long as one
 * command takes, on the admin socket alone.
 *
 * @module
 */

import type { RawValues } from "./config_values.ts";
import { assertOwnFolder } from "./data_folder.ts";
import { Daemon, type ServeOutput } from "./daemon.ts";
import { assertImportFinished } from "./import_mark.ts";
import { readSources } from "./sources.ts";
import { type Undo, undoAll } from "./undo.ts";

/** Nobody but this command may reach the vault meanwhile. */
const SOCKET_ONLY: RawValues = {
  grpc_addr: "off",
  api_addr: "off",
  admin_addr: "off",
  metrics_addr: "off",
  log_level: "warn",
  log_format: "text",
};

/**
 * Opens the data folder, runs `work`, and lets go of it again.
 *
 * @param dataDir The data folder; its lock is taken, so a running server makes this fail.
 * @param work Gets the path of the admin socket.
 * @param options Further settings, such as a team secret for the first start; whether this is an import, which alone may
 *   open a folder that an import has marked.
 * @throws {VaultError} `config_invalid` when the folder is another process's or can't be used; what `work` throws.
 */
export async function withOfflineVault<T>(
  dataDir: string,
  output: ServeOutput,
  work: (adminSocket: string) => Promise<T>,
  { more = {}, isImport = false }: { readonly more?: RawValues; readonly isImport?: boolean } = {},
): Promise<T> {
  await assertOwnFolder(dataDir);
  if (!isImport) await assertImportFinished(dataDir);
  Deno.umask(0o077);
  const undo: Undo[] = [];
  try {
    const adminSocket = `${dataDir}/admin.sock`;
    const flags = { ...SOCKET_ONLY, ...more, data_dir: dataDir, admin_socket: adminSocket };
    await new Daemon(await readSources(flags), output, undo).start();
    return await work(adminSocket);
  } finally {
    await undoAll(undo);
  }
}
