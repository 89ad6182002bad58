/**
 * The audit trail, as far as it can be looked at without its first key: whether its lines follow from each other.
 *
 * @module
 */

import { hashOf } from "../../vault/audit/chain.ts";
import { lineParts } from "../../vault/audit/entry.ts";
import { linesOf, trailFiles } from "../../vault/audit/trail_files.ts";
import { readRecords } from "../../vault/storage/store_facts.ts";
import { type Finding, ok, problem, warning } from "./finding.ts";

/** What was read of the file. */
interface ReadTrail {
  readonly lines: number;
  readonly last: number;
  /** The number of the first line that doesn't follow from the one before; null: all do. */
  readonly brokenAt: number | null;
  /** Whether the line that the store remembers as the last is there as it was. */
  readonly hasHead: boolean;
}

/** A commit comes some milliseconds before its line. */
const SETTLE_MS = 300;

/**
 * Reads the whole file: each line carries the hash of the one before, and the store remembers the last.
 *
 * @param path Null where the operator switched the trail off.
 */
export async function examineTrail(path: string | null, databasePath: string): Promise<Finding[]> {
  if (path === null) return [warning("audit", "there is no audit trail", "give --audit-file a path")];
  const [head] = readRecords(databasePath, "audit_head");
  await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
  const trail = await readTrail(await newestWithLines(path), head ?? null);
  const remedy = "keep the file as it is, and look for who could write to it; docs/audit.md says what a gap can mean";
  if (trail.brokenAt !== null) {
    return [problem("audit", `line ${trail.brokenAt} of ${path} doesn't follow from the one before`, remedy)];
  }
  if (head !== undefined && !trail.hasHead) {
    return [problem("audit", `${path} ends before line ${head.sequence}, or has another one in its place`, remedy)];
  }
  return [ok("audit", `${trail.lines} lines up to number ${trail.last}, each follows from the one before`)];
}

/** After a rotation the present file is empty, and the one before it is what can be looked at. */
async function newestWithLines(path: string): Promise<string> {
  return (await trailFiles(path)).filter(({ first }) => first !== null).at(-1)?.path ?? path;
}

async function readTrail(path: string, head: { sequence: number; hash: string } | null): Promise<ReadTrail> {
  let [lines, last, hash, hasHead] = [0, 0, "", false];
  let brokenAt: number | null = null;
  for await (const { text: line } of linesOf(path)) {
    const { seq, prev } = lineParts(line);
    // Older lines may have been moved away with a file of their own.
    if (lines > 0 && (seq !== last + 1 || prev !== hash)) brokenAt ??= seq;
    // The line that the store remembers may be the last of the file before.
    hasHead ||= lines === 0 && seq - 1 === head?.sequence && prev === head.hash;
    [lines, last, hash] = [lines + 1, seq, hashOf(line)];
    hasHead ||= seq === head?.sequence && hash === head.hash;
  }
  return { lines, last, brokenAt, hasHead };
}

/** The first key of the trail opens its whole past: it belongs elsewhere. */
export async function examineFirstKey(dataDir: string): Promise<Finding[]> {
  const names = (await Array.fromAsync(Deno.readDir(dataDir))).map(({ name }) => name);
  return names.filter((name) => /^audit\.k0(\.|$)/.test(name)).map((name) =>
    warning(
      "audit",
      `${name} is still here`,
      `copy ${dataDir}/${name} to where this machine can't reach, then remove it`,
    )
  );
}
