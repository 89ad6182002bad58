/**
 * The data folder: private, and one process's at a time.
 *
 * @module
 */

import { VaultError } from "../vault/mod.ts";
import { assertPrivate, makePrivateFolder } from "../vault/storage/private_files.ts";
import { finishStaging } from "./backup/staging.ts";

/** A data folder that this process holds. */
export interface DataFolder {
  readonly path: string;
  /** Lets go of it. */
  release(): void;
}

/**
 * Makes the folder where there is none, checks its mode, and takes its lock, which the kernel drops when the process
 * dies however it dies. A restore that had been decided when it was interrupted is finished first.
 *
 * @throws {VaultError} `config_invalid` when others may read it or another process holds it.
 */
export async function takeDataFolder(path: string): Promise<DataFolder> {
  await orExplain(path, () => makePrivateFolder(path));
  await assertPrivate(path);
  const lockPath = `${path}/runevault.lock`;
  const file = await orExplain(path, () => Deno.open(lockPath, { read: true, write: true, create: true, mode: 0o600 }));
  if (!file.tryLockSync(true)) {
    file.close();
    throw new VaultError("config_invalid", `Another runevault uses the data folder ${path}`, {
      hint: "stop it first, or give this one another --data-dir",
    });
  }
  await finishStaging(path);
  return { path, release: () => file.close() };
}

async function orExplain<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : "unknown failure";
    throw new VaultError("config_invalid", `The data folder ${path} cannot be used: ${reason}`, {
      hint: "give a folder that this user may write, with --data-dir",
      cause,
    });
  }
}

/**
 * Refuses to work on another user's folder as root: what root made in it, its owner could not read.
 *
 * @throws {VaultError} `config_invalid` that says how to run it, or why there can't be such a folder.
 */
export async function assertOwnFolder(path: string): Promise<void> {
  const uid = await orExplain(path, () => ownerOf(path));
  if (uid === null || uid === Deno.uid() || Deno.uid() !== 0) return;
  throw new VaultError("config_invalid", `The data folder ${path} belongs to user ${uid}`, {
    hint: `run this as that user: sudo -u '#${uid}' runevault …`,
  });
}

async function ownerOf(path: string): Promise<number | null> {
  try {
    return (await Deno.stat(path)).uid;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}
