/**
 * A snapshot of everything that a vault is, taken while it serves: the store as it is at one moment, and the files that
 * belong to it.
 *
 * @module
 */

import { type Clock, VaultError } from "../../vault/mod.ts";
import { makePrivateFolder } from "../../vault/storage/private_files.ts";
import { copyDatabase } from "../../vault/storage/sqlite_copy.ts";
import { readStoreFacts, type StoreFacts } from "../../vault/storage/store_facts.ts";
import { VERSION } from "../../version.ts";
import { Collected, type PartSource } from "./collected.ts";
import { BACKUP_FORMAT, type Manifest, MAX_PARTS, OUTSIDE_CONFIG } from "./manifest.ts";
import { countFiles, type HeldPart, holdTrail, releaseAll } from "./trail_parts.ts";

/** Where a vault's files are. */
export interface SnapshotSources {
  readonly dataDir: string;
  readonly sealKeyFile: string;
  readonly rolesFile: string;
  readonly tokensFile: string;
  readonly auditFile: string | null;
  /** The configuration file, where there is one. */
  readonly configPath: string | null;
  readonly clock: Clock;
}

/** A snapshot. Dispose of it when it was read. */
export interface Snapshot extends AsyncDisposable {
  readonly manifest: Manifest;
  readonly parts: readonly PartSource[];
  /** Files that were left out, each with the reason. */
  readonly leftOut: readonly string[];
}

/** What a snapshot is to hold. */
export interface SnapshotChoice {
  /** The audit files that rotation has moved away, besides the present one. */
  readonly formerAudit: boolean;
}

/** Folders of snapshots; one that a crash left behind is removed at the next start. */
export const SNAPSHOT_PREFIX = ".backup-";

const KEY_FILES = ["SecKey.json", "EncKey.json", "EvalKey.json"];

/**
 * Takes a snapshot. The store goes first: what else there is may be newer, and each such file is either part of the
 * store's own state (key sets are written once) or made again from it (the YAML files).
 *
 * @param copy Copies a database that is in use.
 * @throws {VaultError} `storage_failed` when the disk has no room for the copy.
 */
export async function takeSnapshot(
  sources: SnapshotSources,
  choice: SnapshotChoice,
  copy: typeof copyDatabase = copyDatabase,
): Promise<Snapshot> {
  const folder = `${sources.dataDir}/${SNAPSHOT_PREFIX}${crypto.randomUUID()}`;
  const trail: HeldPart[] = [];
  const dispose = async () => {
    await releaseAll(trail);
    await Deno.remove(folder, { recursive: true });
  };
  await makePrivateFolder(folder);
  try {
    const store = `${folder}/runevault.db`;
    await copy(`${sources.dataDir}/runevault.db`, store);
    const facts = readStoreFacts(store);
    const collected = new Collected(folder);
    await collected.addLarge("runevault.db", store);
    await collectFiles(collected, sources, facts);
    if (sources.auditFile !== null) {
      trail.push(...await holdTrail(sources.auditFile, folder, choice.formerAudit));
      for (const { part, source } of trail) await collected.addLarge(part, source);
      if (!choice.formerAudit) {
        collected.leaveOut(await countFiles(sources.auditFile) - trail.length, "former audit files");
      }
    }
    assertCount(collected.parts);
    const manifest: Manifest = {
      format: BACKUP_FORMAT,
      program: VERSION,
      created_at: new Date(sources.clock.now()).toISOString(),
      schema: facts.schema,
      sequence: facts.sequence,
      parts: collected.parts.map(({ path, bytes, sha256 }) => ({ path, bytes, sha256 })),
    };
    return { manifest, parts: collected.parts, leftOut: collected.leftOut, [Symbol.asyncDispose]: dispose };
  } catch (error) {
    await dispose();
    throw error;
  }
}

async function collectFiles(collected: Collected, sources: SnapshotSources, store: StoreFacts): Promise<void> {
  const { dataDir } = sources;
  await collected.addSmall("seal.key", sources.sealKeyFile, "needed");
  await collected.addSmall("admin.token", `${dataDir}/admin.token`);
  await collected.addPairs(`${dataDir}/tls`);
  await collected.addFace("roles", sources.rolesFile, store);
  await collected.addFace("tokens", sources.tokensFile, store);
  if (sources.configPath !== null) {
    const isInside = sources.configPath === `${dataDir}/runevault.yml`;
    await collected.addSmall(isInside ? "runevault.yml" : OUTSIDE_CONFIG, sources.configPath);
  }
  for (const keyId of store.keyIds) {
    for (const name of KEY_FILES) await collected.addLarge(`keys/${keyId}/${name}`, `${dataDir}/keys/${keyId}/${name}`);
  }
}

/** A restore takes no more than this: better said now than then. */
function assertCount({ length }: readonly PartSource[]): void {
  if (length <= MAX_PARTS) return;
  throw new VaultError("storage_failed", `The backup would have ${length} files, and a restore takes ${MAX_PARTS}`, {
    hint: "--no-former-audit leaves out the audit files that rotation has moved away",
  });
}
