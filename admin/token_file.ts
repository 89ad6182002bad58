/**
 * `<data>/admin.token`: what opens the admin API over TCP. Made at the first start, read at every other.
 *
 * @module
 */

import { VaultError } from "../vault/errors.ts";
import type { RandomSource } from "../vault/ports.ts";
import { adminTokenFrom, parseAdminToken } from "./admin_token.ts";

/** The name of the file in the data folder. */
export const ADMIN_TOKEN_FILE = "admin.token";

/**
 * Reads the admin token, or makes one where there is no file: 0600, and on disk before this returns.
 *
 * The caller holds the data folder's lock: two processes that make a token at once would leave one of them with a
 * token that is in no file.
 *
 * @throws {VaultError} `config_invalid` when others may read the file, or its text is no admin token.
 */
export async function ensureAdminToken(dataDir: string, random: RandomSource): Promise<string> {
  const path = `${dataDir}/${ADMIN_TOKEN_FILE}`;
  const known = await statFile(path);
  if (known === null) return await makeToken(dataDir, path, random);
  assertPrivate(path, known);
  const token = parseAdminToken(await Deno.readTextFile(path));
  if (token !== undefined) return token;
  throw new VaultError("config_invalid", `${path} holds no admin token`, {
    hint: "remove the file: the next start makes a new token",
  });
}

async function statFile(path: string): Promise<Deno.FileInfo | null> {
  try {
    return await Deno.stat(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}

/** Whoever reads the token is the operator, so a file that others can read stops the start. */
function assertPrivate(path: string, file: Deno.FileInfo): void {
  if (!file.isFile) throw new VaultError("config_invalid", `${path} is not a file`);
  const mode = (file.mode ?? 0) & 0o777;
  if ((mode & 0o077) === 0) return;
  throw new VaultError("config_invalid", `${path} can be read by others (mode ${mode.toString(8)})`, {
    hint: `run: chmod 600 ${path}`,
  });
}

/** Written beside and renamed: a crash leaves no half token under the name that is read. */
async function makeToken(dataDir: string, path: string, random: RandomSource): Promise<string> {
  const token = adminTokenFrom(random.bytes(32));
  const unfinished = `${path}.new`;
  await removeIfThere(unfinished);
  const file = await Deno.open(unfinished, { write: true, createNew: true, mode: 0o600 });
  try {
    await file.write(new TextEncoder().encode(`${token}\n`));
    await file.sync();
  } finally {
    file.close();
  }
  await Deno.rename(unfinished, path);
  await syncFolder(dataDir);
  return token;
}

async function removeIfThere(path: string): Promise<void> {
  try {
    await Deno.remove(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

/** Without this a power cut may take the new name away again. */
async function syncFolder(path: string): Promise<void> {
  const folder = await Deno.open(path);
  try {
    await folder.sync();
  } finally {
    folder.close();
  }
}
