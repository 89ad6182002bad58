/**
 * `runevault restore`: an empty data folder becomes what a backup holds, or stays as it was.
 *
 * @module
 */

import { dirname } from "node:path";
import { lineParts } from "../../vault/audit/entry.ts";
import { cutTornLine, lastLineOf } from "../../vault/audit/file_tail.ts";
import { linesOf, trailFiles } from "../../vault/audit/trail_files.ts";
import { VaultError } from "../../vault/mod.ts";
import { markRestored } from "../../vault/storage/restored_mark.ts";
import { takeDataFolder } from "../data_folder.ts";
import type { BackupIdentity } from "./age.ts";
import { takeCheckFolder } from "./check_folder.ts";
import { notOurs } from "./manifest.ts";
import { TRAIL_PART } from "./trail_parts.ts";
import { abandonStaging, beginStaging, commitStaging, contentOf, removeTree } from "./staging.ts";
import { unpackBackup, type Unpacked } from "./unpack.ts";

/** What is to be restored, and where. */
export interface RestoreOptions {
  /** The backup. */
  readonly file: string;
  readonly dataDir: string;
  /** Asked for once the file and the folder were found to be usable. */
  readonly identity: () => Promise<BackupIdentity>;
}

/**
 * Restores a backup onto an empty data folder.
 *
 * @throws {VaultError} `precondition_failed` for a folder that isn't empty, `config_invalid` for one that can't be used
 *   or that a server holds, and as {@link unpackBackup}. The folder is then as it was.
 */
export async function restoreBackup(options: RestoreOptions): Promise<Unpacked> {
  Deno.umask(0o077);
  const { dataDir } = options;
  const isNew = await isAbsent(dataDir);
  using sealed = await openBackup(options.file);
  let restored = false;
  const folder = await takeDataFolder(dataDir);
  try {
    await assertEmpty(dataDir);
    const unpacked = await unpackInto(dataDir, sealed.readable, await options.identity());
    restored = true;
    return unpacked;
  } finally {
    folder.release();
    if (!restored && isNew) await removeTree(dataDir);
  }
}

/** Does all of it but the last step: the backup is unpacked beside itself, checked, and thrown away again. */
export async function checkBackup({ file, identity }: Omit<RestoreOptions, "dataDir">): Promise<Unpacked> {
  Deno.umask(0o077);
  using sealed = await openBackup(file);
  const taken = await identity();
  await using folder = await takeCheckFolder(dirname(file));
  return await unpackBackup(sealed.readable, taken, folder.path);
}

async function unpackInto(
  dataDir: string,
  sealed: ReadableStream<Uint8Array>,
  identity: BackupIdentity,
): Promise<Unpacked> {
  const staging = await beginStaging(dataDir);
  try {
    const unpacked = await unpackBackup(sealed, identity, staging);
    const trailEnd = await trailEndOf(`${staging}/${TRAIL_PART}`);
    markRestored(`${staging}/runevault.db`, { madeAt: unpacked.manifest.created_at, trailEnd });
    await giveToOwner(staging, dataDir);
    await commitStaging(dataDir);
    return unpacked;
  } finally {
    await abandonStaging(dataDir);
  }
}

/**
 * The number of the trail's last line; 0: there is none. A file that was copied while it grew may end in the middle of a
 * line, and one that was just rotated has none: then the last one stands in a former file.
 */
async function trailEndOf(path: string): Promise<number> {
  await cutTornLine(path);
  const last = (await trailFiles(path)).filter(({ first }) => first !== null).at(-1)?.path;
  if (last === undefined) return 0;
  const line = last.endsWith(".gz") ? await lastPackedLine(last) : await lastLineOf(last);
  try {
    return lineParts(line ?? "").seq;
  } catch {
    throw notOurs("its audit file is none");
  }
}

async function lastPackedLine(path: string): Promise<string | null> {
  let last: string | null = null;
  for await (const { text } of linesOf(path)) last = text;
  return last;
}

/** Root may restore for the vault's own user, to whom the folder belongs. */
async function giveToOwner(staging: string, dataDir: string): Promise<void> {
  const { uid, gid } = await Deno.stat(dataDir);
  if (Deno.uid() !== 0 || uid === 0 || uid === null) return;
  await giveTree(staging, uid, gid);
  await Deno.chown(`${dataDir}/runevault.lock`, uid, gid);
}

async function giveTree(path: string, uid: number, gid: number | null): Promise<void> {
  await Deno.chown(path, uid, gid);
  for await (const { name, isDirectory } of Deno.readDir(path)) {
    if (isDirectory) await giveTree(`${path}/${name}`, uid, gid);
    else await Deno.chown(`${path}/${name}`, uid, gid);
  }
}

async function assertEmpty(dataDir: string): Promise<void> {
  const found = await contentOf(dataDir);
  if (found.length === 0) return;
  throw new VaultError("precondition_failed", `The data folder ${dataDir} is not empty: it holds ${found[0]}`, {
    hint: "a backup is restored onto an empty folder alone: move this one away, or give another --data-dir",
  });
}

async function openBackup(path: string): Promise<Deno.FsFile> {
  try {
    return await Deno.open(path);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new VaultError("invalid_argument", `The backup ${path} can't be read: ${why}`, { cause });
  }
}

async function isAbsent(path: string): Promise<boolean> {
  try {
    await Deno.lstat(path);
    return false;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return true;
    throw error;
  }
}
