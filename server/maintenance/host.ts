/**
 * What a vault needs of its machine: a clock, room on the disk, files that are its own.
 *
 * @module
 */

import { statfs } from "node:fs/promises";
import { modeOf } from "../backup/manifest.ts";
import type { StoreFacts } from "../../vault/storage/store_facts.ts";
import { type Finding, ok, problem, warning } from "./finding.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** The vault notes the time each hour; a clock may be set a little back. */
const BEHIND_MS = 5 * 60_000;
const AWAY_MS = 30 * DAY_MS;
const MIB = 1024 * 1024;
const LITTLE_SPACE = 100 * MIB;

/** Compares the clock with the last moment that the vault believed. */
export function examineClock({ meta }: StoreFacts, now: number): Finding[] {
  const tick = Number(meta.get("clock_tick") ?? Number.NaN);
  const time = new Date(now).toISOString();
  if (Number.isNaN(tick)) return [ok("clock", `it is ${time}; the vault has noted no time yet`)];
  const last = new Date(tick).toISOString();
  if (now < tick - BEHIND_MS) {
    const remedy = "set the clock right (timedatectl set-ntp true): what has expired counts as live until then";
    return [problem("clock", `it is ${time}, and the vault has already seen ${last}`, remedy)];
  }
  if (now <= tick + AWAY_MS) return [ok("clock", `it is ${time}, after what the vault saw last, ${last}`)];
  const remedy = "if the clock is right: `runevault clock accept` once it runs; else set it right";
  return [warning("clock", `it is ${time}, and the vault saw ${last} last: more than 30 days ago`, remedy)];
}

/** Looks for room: for the write-ahead log, and for the copy that a backup makes of the store. */
export async function examineDisk(dataDir: string): Promise<Finding[]> {
  const { bavail, bsize } = await statfs(dataDir);
  const free = bavail * bsize;
  const { size } = await Deno.stat(`${dataDir}/runevault.db`);
  const text = `${Math.floor(free / MIB)} MiB are free for a store of ${Math.ceil(size / MIB)} MiB`;
  const remedy = "make room on the disk that holds the data folder";
  if (free < LITTLE_SPACE) return [problem("disk", text, remedy)];
  if (free < 3 * size) return [warning("disk", `${text}: a backup copies it`, remedy)];
  return [ok("disk", text)];
}

/** Looks at owners and modes: what is secret must be its owner's alone. */
export async function examineModes(dataDir: string): Promise<Finding[]> {
  const folder = await Deno.stat(dataDir);
  const found: Finding[] = [];
  if (((folder.mode ?? 0) & 0o077) !== 0) {
    found.push(problem("modes", `${dataDir} can be entered by others`, `chmod 700 ${dataDir}`));
  }
  for await (const path of filesBelow(dataDir, "")) {
    const { mode, uid } = await Deno.stat(`${dataDir}/${path}`);
    const loose = (mode ?? 0) & 0o777 & ~modeOf(path);
    if (loose !== 0) {
      const remedy = `chmod ${modeOf(path).toString(8)} ${dataDir}/${path}`;
      found.push(problem("modes", `${path} has mode ${((mode ?? 0) & 0o777).toString(8)}`, remedy));
    }
    if (uid !== folder.uid) {
      const remedy = `chown ${folder.uid}:${folder.gid} ${dataDir}/${path}`;
      found.push(problem("modes", `${path} belongs to user ${uid}, the folder to ${folder.uid}`, remedy));
    }
  }
  return found.length > 0 ? found : [ok("modes", "the folder and its files are their owner's alone")];
}

async function* filesBelow(root: string, folder: string): AsyncIterable<string> {
  for await (const { name, isFile, isDirectory } of Deno.readDir(`${root}/${folder}`)) {
    const path = folder === "" ? name : `${folder}/${name}`;
    if (isDirectory) yield* filesBelow(root, path);
    else if (isFile) yield path;
  }
}
