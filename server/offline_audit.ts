/**
 * `audit verify`, in the process of the command: reading gigabytes of files is nothing that the server should do.
 *
 * @module
 */

import { parseSeriesKey } from "../vault/audit/series_key.ts";
import { readHead } from "../vault/audit/stored_head.ts";
import { inOrder, trailFiles } from "../vault/audit/trail_files.ts";
import { brokenText, type SeriesKey, type TrailHead, type VerifyReport, verifyTrail } from "../vault/audit/verify.ts";
import { VaultError } from "../vault/errors.ts";
import { readSources } from "./sources.ts";

/** What to check, and with what. */
export interface VerifyWish {
  readonly dataDir: string;
  /** Files; none: those of the data folder's trail. */
  readonly files: readonly string[];
  readonly keyFiles: readonly string[];
  /** What the running server says; undefined: the head is read from the store of the stopped one. */
  readonly running: { readonly head: TrailHead; readonly path: string } | undefined;
}

/** A report, with its first broken line in words. */
export interface VerifyOutcome extends VerifyReport {
  readonly broken_text: string | null;
  /** Where the first key still lies, which should be on another machine; null: it is gone. */
  readonly first_key_at: string | null;
}

/**
 * Checks a trail.
 *
 * @throws {VaultError} `not_found` for a file that can't be read, `invalid_argument` for a key file that is none.
 */
export async function verifyAudit({ dataDir, files, keyFiles, running }: VerifyWish): Promise<VerifyOutcome> {
  const keys = await Promise.all(keyFiles.map(readSeriesKey));
  const path = running?.path ?? await auditPath(dataDir, files.length > 0);
  const found = files.length > 0 ? await inOrder(files) : await filesOf(path);
  // Of files from elsewhere, or former ones alone, nobody here knows the end.
  const isOurs = files.length === 0 || await holds(files, path);
  const head = isOurs ? running?.head ?? storedHead(dataDir) : undefined;
  const report = await verifyTrail(found, { keys, head });
  const firstKey = `${dataDir}/audit.k0`;
  return {
    ...report,
    broken_text: report.broken === null ? null : brokenText(report.broken),
    first_key_at: await isThere(firstKey) ? firstKey : null,
  };
}

async function auditPath(dataDir: string, hasFiles: boolean): Promise<string> {
  const { config } = await readSources({ data_dir: dataDir });
  if (config.auditFile !== null || hasFiles) return config.auditFile ?? "";
  throw new VaultError("precondition_failed", "The audit trail is switched off", { hint: "name the files to verify" });
}

async function isThere(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}

async function holds(files: readonly string[], path: string): Promise<boolean> {
  const real = (one: string) => Deno.realPath(one).catch(() => one);
  const present = await real(path);
  return (await Promise.all(files.map(real))).includes(present);
}

async function filesOf(path: string) {
  try {
    return await trailFiles(path);
  } catch (cause) {
    throw new VaultError("not_found", `There is no audit trail at ${path}`, { cause });
  }
}

/**
 * Reads a first key of the trail.
 *
 * @throws {VaultError} `not_found` for a file that can't be read, `invalid_argument` for one that is no key.
 */
export async function readSeriesKey(path: string): Promise<SeriesKey> {
  try {
    return parseSeriesKey(await Deno.readTextFile(path));
  } catch (error) {
    if (error instanceof VaultError) throw error;
    throw new VaultError("not_found", `The key file ${path} can't be read`, { cause: error });
  }
}

/** The head that the store of a stopped server knows; undefined where there is no store. */
function storedHead(dataDir: string): TrailHead | undefined {
  try {
    return readHead(`${dataDir}/runevault.db`) ?? undefined;
  } catch {
    // Verifying files far from their vault is possible; the report says that the head isn't known.
    return undefined;
  }
}
