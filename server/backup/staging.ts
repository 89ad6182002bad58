/**
 * Puts a restored folder's content in place as a whole: after a crash at any moment it is all there, or none of it.
 *
 * Everything is unpacked below `.restoring` in the data folder. One rename to `.restored` decides; what is in there is
 * then moved up, by this process or by whichever takes the data folder next.
 *
 * @module
 */

import { VaultError } from "../../vault/mod.ts";
import { makePrivateFolder, syncFolder } from "../../vault/storage/private_files.ts";

const RESTORING = ".restoring";
const RESTORED = ".restored";

/** An empty folder below `dataDir` to unpack into. */
export async function beginStaging(dataDir: string): Promise<string> {
  const folder = `${dataDir}/${RESTORING}`;
  await removeTree(folder);
  await makePrivateFolder(folder);
  return folder;
}

/** Puts what was unpacked in place; what is in it must be on disk by now. */
export async function commitStaging(dataDir: string): Promise<void> {
  await Deno.rename(`${dataDir}/${RESTORING}`, `${dataDir}/${RESTORED}`);
  await syncFolder(dataDir);
  await finishStaging(dataDir);
}

/** Throws away what was unpacked and not committed. */
export async function abandonStaging(dataDir: string): Promise<void> {
  await removeTree(`${dataDir}/${RESTORING}`);
}

/** Finishes what a crash interrupted after the decision. Safe to repeat; nothing to do on other days. */
export async function finishStaging(dataDir: string): Promise<void> {
  const folder = `${dataDir}/${RESTORED}`;
  const names = await namesIn(folder);
  if (names === null) return;
  for (const name of names) await Deno.rename(`${folder}/${name}`, `${dataDir}/${name}`);
  // The files must be known in their place before the folder that proves the decision is gone.
  await syncFolder(dataDir);
  await removeTree(folder);
}

/**
 * Whoever restores a vault and is cut off must not find another one begun in its place, empty and under new keys. Beside a
 * vault that is there already, what a restore left is only keys in clear, and goes.
 *
 * @throws {VaultError} `config_invalid` where a restore was interrupted before it was decided, and no vault is there.
 */
export async function assertNoneUnfinished(dataDir: string): Promise<void> {
  const names = await namesIn(dataDir) ?? [];
  if (!names.includes(RESTORING)) return;
  if (names.includes("runevault.db")) return await abandonStaging(dataDir);
  throw new VaultError("config_invalid", `A restore into ${dataDir} was interrupted`, {
    hint: `run \`runevault restore\` again; to begin a new vault instead, remove ${dataDir}/${RESTORING}`,
  });
}

/** What is in a data folder besides the traces of an unfinished restore, and its lock. */
export async function contentOf(dataDir: string): Promise<string[]> {
  const names = await namesIn(dataDir) ?? [];
  return names.filter((name) => name !== RESTORING && name !== "runevault.lock").sort();
}

async function namesIn(folder: string): Promise<string[] | null> {
  try {
    return (await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => name);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}

/** Removes a folder with all that is in it; that there is none is as good. */
export async function removeTree(path: string): Promise<void> {
  try {
    await Deno.remove(path, { recursive: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
