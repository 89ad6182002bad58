/**
 * Opening a trail: where it ended, what the file lacks, and going on from there.
 *
 * A killed process leaves the file whole but for changes whose lines are still in the store alone; a power cut may take the
 * file's last lines, of which the store has those that any change was committed after. Both are completed without a gap.
 * What was taken from the file in another way stays missing: the trail goes on where it was, and `verify` shows the hole.
 *
 * @module
 */

import { VaultError } from "../errors.ts";
import type { SealKey } from "../keys/seal_key.ts";
import type { Clock, Logger, RandomSource } from "../ports.ts";
import type { Store } from "../storage/store.ts";
import { AuditFile } from "./audit_file.ts";
import { Chain, type ChainPosition, hashOf } from "./chain.ts";
import { GENESIS_HASH, lineParts } from "./entry.ts";
import { cutTornLine, lastLineOf, requestIdAfter, requestIdsAfter } from "./file_tail.ts";
import { type FirstKeyEncrypter, KeyFile, writeFirstKey } from "./key_file.ts";
import type { LineSinkParts, Mirror } from "./sink_parts.ts";
import { AuditTrail } from "./trail.ts";
import { linesOf, trailFiles } from "./trail_files.ts";

/** What a trail is opened with. */
export interface OpenTrailOptions {
  readonly store: Store;
  readonly sealKey: SealKey;
  readonly clock: Clock;
  readonly random: RandomSource;
  readonly logger: Logger;
  /** The audit file. */
  readonly path: string;
  /** Where the next key is kept. */
  readonly keyPath: string;
  /** Where the first key is left for the operator. */
  readonly firstKeyPath: string;
  /** Makes the first key unreadable for all but the operator; absent: it is left as it is. */
  readonly encryptFirstKey?: FirstKeyEncrypter | undefined;
  /** Whether to begin a new series of keys where the next one is lost. */
  readonly mayBeginAnew?: boolean;
  readonly mirror?: Mirror | undefined;
  readonly rotation?: LineSinkParts["rotation"];
}

/** The end of a chain without its key. */
type End = Pick<ChainPosition, "sequence" | "hash">;

/**
 * Opens the trail, its file completed.
 *
 * @throws {VaultError} `config_invalid` where the file can't be written, or the next key is lost.
 */
export async function openTrail(options: OpenTrailOptions): Promise<AuditTrail> {
  const { store, path, logger } = options;
  const rows = await allRows(store);
  const torn = await cutTornLine(path).catch((cause) => {
    throw cantUse(path, cause);
  });
  const { file: keyFile, position: kept } = await openKeyFile(options);
  const file = openFile(path);
  const ended = await endOfFile(path);
  // After a rotation the present file is empty, and what was moved away isn't missing.
  const former = ended === null ? await newestFormer(path) : undefined;
  const before = ended ?? later(await endOfFormer(former), kept);
  const inFile = complete(file, before, rows.outbox.map(({ lines }) => lines));
  const head = await store.get("audit_head", "head");
  const known = later(kept, head ?? null);
  const parts = { ...options, chain: await chainAfter(options, keyFile, kept, later(inFile, known)), file, keyFile };
  const opens = rows.opens.map(({ id }) => id);
  const trail = new AuditTrail(parts, { outbox: rows.outbox.map(({ last }) => last), opens });
  if (torn > 0) logger.log("warn", "audit_line_torn", { path, bytes: torn });
  if (known !== null && (inFile?.sequence ?? 0) < known.sequence) {
    await noteGap(trail, options, ended === null ? null : inFile, known);
  }
  const recorded = await recordedSince(path, former, Math.min(...rows.opens.map(({ after }) => after)));
  for (const { id, entry } of rows.opens) if (!recorded.has(id)) await trail.noteInterrupted(entry);
  return trail;
}

interface Rows {
  readonly outbox: readonly { readonly last: number; readonly lines: string }[];
  readonly opens: readonly { readonly id: string; readonly entry: string; readonly after: number }[];
}

async function allRows(store: Store): Promise<Rows> {
  const outbox = [];
  for await (const page of store.read("audit_outbox")) {
    outbox.push(...page.map(({ key, value }) => ({ last: Number(key), lines: value.lines })));
  }
  const opens = [];
  for await (const page of store.read("audit_open")) {
    opens.push(...page.map(({ key, value }) => ({ id: key, ...value })));
  }
  return { outbox, opens };
}

async function openKeyFile({ keyPath, sealKey, mayBeginAnew, logger }: OpenTrailOptions) {
  try {
    return await KeyFile.open(keyPath, sealKey);
  } catch (error) {
    if (!mayBeginAnew) throw error;
    logger.log("warn", "audit_key_lost", { path: keyPath });
    await Deno.remove(keyPath);
    return await KeyFile.open(keyPath, sealKey);
  }
}

function openFile(path: string): AuditFile {
  try {
    return new AuditFile(path);
  } catch (cause) {
    throw cantUse(path, cause);
  }
}

function cantUse(path: string, cause: unknown): VaultError {
  const reason = cause instanceof Error ? cause.message : "unknown failure";
  return new VaultError("config_invalid", `The audit file ${path} can't be used: ${reason}`, {
    hint: "give --audit-file a file that the server's user may read and write",
    cause,
  });
}

async function endOfFile(path: string): Promise<End | null> {
  const line = await lastLineOf(path);
  return line === null ? null : { sequence: lineParts(line).seq, hash: hashOf(line) };
}

/** The requests after number `after` that have a line. */
async function recordedSince(path: string, former: string | undefined, after: number): Promise<ReadonlySet<string>> {
  const ids = new Set(await requestIdsAfter(path, after));
  if (former === undefined || !Number.isFinite(after)) return ids;
  for await (const { text } of linesOf(former)) {
    const id = requestIdAfter(text, after);
    if (id !== undefined) ids.add(id);
  }
  return ids;
}

async function newestFormer(path: string): Promise<string | undefined> {
  return (await trailFiles(path)).filter((file) => file.path !== path && file.first !== null).at(-1)?.path;
}

async function endOfFormer(former: string | undefined): Promise<End | null> {
  if (former === undefined) return null;
  if (!former.endsWith(".gz")) return await endOfFile(former);
  let last: string | undefined;
  for await (const { text } of linesOf(former)) last = text;
  return last === undefined ? null : { sequence: lineParts(last).seq, hash: hashOf(last) };
}

/** Adds to the file what the store has and the file has not; where the file ends then. */
function complete(file: AuditFile, end: End | null, boxes: readonly string[]): End | null {
  let last = end;
  for (const line of boxes.flatMap((lines) => lines.split("\n"))) {
    if (line === "") continue;
    const { seq } = lineParts(line);
    if (last !== null && seq <= last.sequence) continue;
    file.append(new TextEncoder().encode(`${line}\n`));
    last = { sequence: seq, hash: hashOf(line) };
  }
  return last;
}

function later(a: End | null, b: End | null): End | null {
  if (a === null || b === null) return a ?? b;
  return b.sequence > a.sequence ? b : a;
}

/** The chain, to go on after the last line. What is known of its key besides is wiped. */
async function chainAfter(
  options: OpenTrailOptions,
  keyFile: KeyFile,
  kept: ChainPosition | null,
  end: End | null,
): Promise<Chain> {
  const from = kept ?? await beginSeries(options, keyFile, end);
  try {
    return new Chain(from, end ?? from);
  } finally {
    from.key.fill(0);
  }
}

/** A new series of keys, whose first is left for the operator. */
async function beginSeries(options: OpenTrailOptions, keyFile: KeyFile, end: End | null): Promise<ChainPosition> {
  if (end !== null && !options.mayBeginAnew) {
    throw new VaultError("config_invalid", `${options.keyPath} is gone: the audit trail's next key was in it`, {
      hint: "put the file back, or give --audit-new-key: verify then shows where the keys begin anew",
    });
  }
  const key = options.random.bytes(32);
  const position = { sequence: end?.sequence ?? 0, hash: end?.hash ?? GENESIS_HASH, key };
  const path = end === null ? options.firstKeyPath : `${options.firstKeyPath}.${position.sequence + 1}`;
  const written = await writeFirstKey(path, position.sequence + 1, key, options.encryptFirstKey);
  await keyFile.write(position);
  options.logger.log("info", "audit_first_key_made", {
    path: written,
    hint: "take it away from this machine, then remove it",
  });
  return position;
}

async function noteGap(trail: AuditTrail, { logger, path }: OpenTrailOptions, end: End | null, known: End) {
  const gap = { file_ends_at: end?.sequence ?? 0, trail_ends_at: known.sequence };
  // A file that was moved away whole, as rotation does, is no gap.
  if (end === null) return;
  logger.log("error", "audit_lines_missing", { path, ...gap, hint: "run `runevault audit verify`" });
  await trail.note("audit_lines_missing", gap);
}
