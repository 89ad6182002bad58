/**
 * A new file that is there whole or not at all, and never in the place of another.
 *
 * @module
 */

import { dirname } from "node:path";
import { VaultError } from "../vault/errors.ts";

/** Takes bytes for the file. */
export type WriteBytes = (bytes: Uint8Array) => Promise<void>;

/**
 * Writes a file by `work`, readable by its owner alone: under another name beside it, on disk before it takes its name.
 *
 * @throws {VaultError} `already_exists` for a name that is taken, before `work` begins; `invalid_argument` when it can't
 *   be made or written; what `work` throws. Nothing is left behind then.
 */
export async function writeNewFile<T>(path: string, work: (write: WriteBytes) => Promise<T>): Promise<T> {
  await assertFree(path);
  const unfinished = `${path}.${crypto.randomUUID().slice(0, 8)}.part`;
  const file = await orExplain(path, () => Deno.open(unfinished, { write: true, createNew: true, mode: 0o600 }));
  try {
    const result = await work((bytes) => orExplain(path, () => writeAll(file, bytes)));
    await orExplain(path, () => file.sync());
    // A link fails where the name is taken by now; a rename would replace somebody's file.
    await orExplain(path, () => Deno.link(unfinished, path));
    await orExplain(path, () => syncFolder(dirname(path)));
    return result;
  } finally {
    file.close();
    await Deno.remove(unfinished);
  }
}

async function assertFree(path: string): Promise<void> {
  try {
    await Deno.lstat(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return;
    throw unwritable(path, error);
  }
  throw taken(path);
}

async function orExplain<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw error instanceof Deno.errors.AlreadyExists ? taken(path) : unwritable(path, error);
  }
}

function taken(path: string): VaultError {
  return new VaultError("already_exists", `${path} exists`, { hint: "a file is never overwritten: give another name" });
}

function unwritable(path: string, cause: unknown): VaultError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new VaultError("invalid_argument", `${path} can't be written: ${why}`, { cause });
}

async function writeAll(file: Deno.FsFile, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at));
}

async function syncFolder(path: string): Promise<void> {
  using folder = await Deno.open(path);
  await folder.sync();
}
