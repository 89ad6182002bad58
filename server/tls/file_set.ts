/**
 * Writes several files of one folder together: after a crash at any moment, all of them are new or all are old.
 *
 * A single file is replaced atomically by a rename, a certificate and its key are two. So they are written and synced
 * in a folder `.staging`, which is then renamed to `.commit`: from that one rename on the set counts as written, and
 * whoever comes next carries the files out of `.commit` into their places. Before it, nothing happened.
 *
 * One process at a time may do this in a folder; the lock on the data folder sees to that.
 *
 * @module
 */

import { dirname, join } from "node:path";
import { VaultError } from "../../vault/errors.ts";
import { syncFolder, writeAll } from "../../vault/storage/private_files.ts";

/** A file to write: its name inside the folder, its text and its mode. */
export interface FileToWrite {
  readonly name: string;
  readonly text: string;
  readonly mode: number;
}

const STAGING = ".staging";
const COMMIT = ".commit";

/**
 * Makes the folder, for its owner alone, unless it is there.
 *
 * @throws {VaultError} `config_invalid` when it cannot be made.
 */
export async function makePrivateFolder(folder: string): Promise<void> {
  try {
    await Deno.mkdir(folder, { mode: 0o700 });
    await syncFolder(dirname(folder));
  } catch (cause) {
    if (!(cause instanceof Deno.errors.AlreadyExists)) throw unwritable(folder, cause);
  }
}

/**
 * Writes the set durably: it survives a power cut once this returned.
 *
 * @throws {VaultError} `config_invalid` when the folder cannot be written.
 */
export async function writeFileSet(folder: string, files: readonly FileToWrite[]): Promise<void> {
  try {
    await stage(join(folder, STAGING), files);
    await Deno.rename(join(folder, STAGING), join(folder, COMMIT));
    await syncFolder(folder);
    await carryOut(folder);
  } catch (cause) {
    throw unwritable(folder, cause);
  }
}

/**
 * Finishes, or throws away, what a crash interrupted. To be called before the files are read. Safe to repeat.
 *
 * @throws {VaultError} `config_invalid` when the folder cannot be written.
 */
export async function recoverFileSet(folder: string): Promise<void> {
  try {
    await removeFolder(join(folder, STAGING));
    await carryOut(folder);
  } catch (cause) {
    throw unwritable(folder, cause);
  }
}

async function stage(staging: string, files: readonly FileToWrite[]): Promise<void> {
  await Deno.mkdir(staging, { mode: 0o700 });
  for (const { name, text, mode } of files) {
    using file = await Deno.open(join(staging, name), { write: true, createNew: true, mode });
    await writeAll(file, new TextEncoder().encode(text));
    await file.sync();
  }
  await syncFolder(staging);
}

/** Moves what is in `.commit` to its place; nothing to do when there is no such folder. */
async function carryOut(folder: string): Promise<void> {
  const commit = join(folder, COMMIT);
  const names = await namesIn(commit);
  if (names === null) return;
  for (const name of names) await Deno.rename(join(commit, name), join(folder, name));
  // The files must be known in their new place before the folder that proves the commit is gone.
  await syncFolder(folder);
  await removeFolder(commit);
}

async function namesIn(folder: string): Promise<string[] | null> {
  try {
    return (await Array.fromAsync(Deno.readDir(folder))).map((entry) => entry.name);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}

async function removeFolder(folder: string): Promise<void> {
  try {
    await Deno.remove(folder, { recursive: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

function unwritable(folder: string, cause: unknown): VaultError {
  return new VaultError("config_invalid", `The folder "${folder}" cannot be written`, {
    hint: "Check that the user the vault runs as owns it, and that the disk has room",
    cause,
  });
}
