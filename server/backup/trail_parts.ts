/**
 * The files of the audit trail as parts of a backup. Rotation renames, packs and removes them meanwhile, so each is held by
 * a name of its own, or open, from the moment at which the list of them was complete.
 *
 * @module
 */

import { basename } from "node:path";
import { VaultError } from "../../vault/mod.ts";
import { formerName, isOwnFormer, trailFiles } from "../../vault/audit/trail_files.ts";

/** What the present file is called in a backup, and in the folder that is restored from it. */
export const TRAIL_PART = "audit.log";

/** A file that stays as it is. */
export interface HeldPart {
  /** Its name in the backup. */
  readonly part: string;
  /** A path, or the opened file where it lies on another disk or is somebody else's. */
  readonly source: string | Deno.FsFile;
}

/** A list that changes more often than this while it is read isn't rotation. */
const LOOKS = 5;

/**
 * Holds the files of a trail; none where there is none.
 *
 * @param folder Where their names are put; a private folder.
 * @param withFormer Whether those that rotation moved away belong to it.
 * @throws {VaultError} `storage_failed` where the list of them never stands still.
 */
export async function holdTrail(path: string, folder: string, withFormer: boolean): Promise<readonly HeldPart[]> {
  for (let look = 1; look <= LOOKS; look++) {
    const listed = await pathsOf(path, withFormer);
    const held: HeldPart[] = [];
    let isSame = false;
    try {
      await holdAll(listed, { current: basename(path), folder, held });
      isSame = held.length === listed.length && `${await pathsOf(path, withFormer)}` === `${listed}`;
      if (isSame) return held;
    } finally {
      if (!isSame) await releaseAll(held);
    }
  }
  throw new VaultError("storage_failed", `The audit files beside ${path} are moved faster than they can be read`);
}

/** Lets go of what was held. */
export async function releaseAll(held: readonly HeldPart[]): Promise<void> {
  for (const { source } of held) {
    if (typeof source === "string") await Deno.remove(source);
    else source.close();
  }
}

/** How many files a trail has. */
export async function countFiles(path: string): Promise<number> {
  return (await pathsOf(path, true)).length;
}

/**
 * Oldest first. Without former ones it is the present one alone; where that has just been begun, the one before it too, in
 * which the trail's last line is.
 */
async function pathsOf(path: string, withFormer: boolean): Promise<string[]> {
  try {
    const files = await trailFiles(path);
    const newest = files.findLast(({ first }) => first !== null);
    return files.filter((file) => withFormer || file.path === path || file === newest).map((file) => file.path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

/** As many of them as are still there, added to `held` one by one: what is held when one can't be is to be let go of. */
async function holdAll(
  paths: readonly string[],
  { current, folder, held }: { readonly current: string; readonly folder: string; readonly held: HeldPart[] },
): Promise<void> {
  for (const path of paths) {
    const part = partOf(basename(path), current);
    try {
      held.push({ part, source: await holdOne(path, `${folder}/${part}`) });
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
}

/** Where the path is a symbolic link, what it leads to: a name for the link itself would lead elsewhere. */
async function holdOne(path: string, name: string): Promise<string | Deno.FsFile> {
  try {
    await Deno.link(await Deno.realPath(path), name);
    return name;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) throw error;
    return await Deno.open(path);
  }
}

/** The name that a file has beside `audit.log`, whatever the trail is called where it lies. */
function partOf(name: string, current: string): string {
  if (name === current) return TRAIL_PART;
  const packed = name.endsWith(".gz") ? ".gz" : "";
  const bare = name.slice(0, name.length - packed.length);
  if (!isOwnFormer(bare, current)) return `${TRAIL_PART}${bare.slice(current.length)}${packed}`;
  return `${
    formerName(TRAIL_PART, Number(/[0-9]{16}/.exec(bare.slice(current.replace(/\.log$/, "").length))))
  }${packed}`;
}
