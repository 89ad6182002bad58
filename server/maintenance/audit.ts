/**
 * The audit trail: whether every line of every file follows from the one before it and the last one is there, and whether
 * those whose keys are at hand were written under them.
 *
 * @module
 */

import { dirname } from "node:path";
import { readHead } from "../../vault/audit/stored_head.ts";
import { trailFiles } from "../../vault/audit/trail_files.ts";
import { brokenText, type SeriesKey, type VerifyReport, verifyTrail } from "../../vault/audit/verify.ts";
import { VaultError } from "../../vault/mod.ts";
import { readSeriesKey } from "../offline_audit.ts";
import { type Finding, ok, problem, warning } from "./finding.ts";

/** A commit comes some milliseconds before its line. */
const SETTLE_MS = 300;
/** A file may be rotated away between the list of files and its turn. */
const ATTEMPTS = 3;

/** A first key of the trail, as the first start leaves it, or one with which a later series began. */
const FIRST_KEY = /^audit\.k0(\.[0-9]+)?(\.age)?$/;

/**
 * Reads all files of the trail.
 *
 * @param path Null where the operator switched the trail off.
 * @param taken First keys that were taken away; those that still lie in the data folder are used too.
 */
export async function examineTrail(
  path: string | null,
  databasePath: string,
  taken: readonly SeriesKey[],
): Promise<Finding[]> {
  if (path === null) return [warning("audit", "there is no audit trail", "give --audit-file a path")];
  const keys = await keysOf(dirname(databasePath), taken);
  const head = readHead(databasePath) ?? undefined;
  await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
  const report = await verified(path, { keys, head });
  if (report.broken !== null) {
    const remedy =
      "keep the files as they are, and look for who could write to them; docs/audit.md says what a gap can mean";
    return [problem("audit", brokenText(report.broken), remedy)];
  }
  return [
    ok(
      "audit",
      `${report.lines} lines up to number ${report.last ?? 0}, each follows from the one before; ${macs(report)}`,
    ),
  ];
}

function macs({ lines, checkedKeys }: VerifyReport): string {
  if (checkedKeys === 0) return "no MAC was checked (--audit-key FILE)";
  return checkedKeys === lines ? "each has its MAC" : `${checkedKeys} have their MAC, the others are of another key`;
}

async function verified(path: string, options: Parameters<typeof verifyTrail>[1]): Promise<VerifyReport> {
  for (let attempt = 1;; attempt++) {
    try {
      return await verifyTrail(await trailFiles(path), options);
    } catch (error) {
      const isGone = error instanceof VaultError && error.kind === "not_found";
      if (!isGone || attempt === ATTEMPTS) throw error;
    }
  }
}

async function keysOf(dataDir: string, taken: readonly SeriesKey[]): Promise<SeriesKey[]> {
  const here = (await firstKeysIn(dataDir)).filter((name) => !name.endsWith(".age"));
  return [...taken, ...await Promise.all(here.map((name) => readSeriesKey(`${dataDir}/${name}`)))];
}

async function firstKeysIn(dataDir: string): Promise<string[]> {
  return (await Array.fromAsync(Deno.readDir(dataDir))).map(({ name }) => name).filter((name) => FIRST_KEY.test(name));
}

/** The first key of the trail opens its whole past: it belongs elsewhere. */
export async function examineFirstKey(dataDir: string): Promise<Finding[]> {
  return (await firstKeysIn(dataDir)).map((name) =>
    warning(
      "audit",
      `${name} is still here`,
      `copy ${dataDir}/${name} to where this machine can't reach, then remove it`,
    )
  );
}
