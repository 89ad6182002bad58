/**
 * `runevault upgrade --check`: whether this version of the program can take over a data folder, tried on a copy.
 *
 * @module
 */

import { SqliteStore, VaultError, VaultState } from "../../vault/mod.ts";
import { makePrivateFolder } from "../../vault/storage/private_files.ts";
import { pendingMigrations, SCHEMA_VERSION } from "../../vault/storage/migrations.ts";
import { copyDatabase } from "../../vault/storage/sqlite_copy.ts";
import { countRecords, readStoreFacts } from "../../vault/storage/store_facts.ts";
import { VERSION } from "../../version.ts";
import { SNAPSHOT_PREFIX } from "../backup/snapshot.ts";
import { removeTree } from "../backup/staging.ts";
import type { RawValues } from "../config_values.ts";
import { readSources } from "../sources.ts";
import { openStore } from "./store.ts";

/** What an upgrade would do. */
export interface UpgradeReport {
  /** This program's version. */
  readonly program: string;
  /** The version of the store's schema, and the one that this program writes. */
  readonly schema: number;
  readonly newest: number;
  /** The steps between them, in words. */
  readonly steps: readonly string[];
  readonly records: number;
}

/**
 * Tries it on a copy: every step, and every record read as a start reads it. The vault may be running, under an older
 * version too; nothing of it changes.
 *
 * @throws {VaultError} `config_invalid` for a newer store, for settings that this version doesn't know, for a seal key that
 *   isn't the store's; `storage_failed` where there is no room for the copy.
 */
export async function checkUpgrade(flags: RawValues): Promise<UpgradeReport> {
  Deno.umask(0o077);
  const { config, credentialsDir } = await readSources(flags);
  const path = `${config.dataDir}/runevault.db`;
  const facts = readStoreFacts(path);
  await openStore(config, facts, { credentialsDir });
  const folder = `${config.dataDir}/${SNAPSHOT_PREFIX}upgrade-${crypto.randomUUID()}`;
  await makePrivateFolder(folder);
  try {
    await copyDatabase(path, `${folder}/runevault.db`);
    return {
      program: VERSION,
      schema: facts.schema,
      newest: SCHEMA_VERSION,
      steps: pendingMigrations(facts.schema).map(({ what }) => what),
      records: await loadAll(`${folder}/runevault.db`),
    };
  } finally {
    await removeTree(folder);
  }
}

/** Opening it takes the steps. */
async function loadAll(path: string): Promise<number> {
  const failed = (reason: string) => {
    throw new VaultError("storage_failed", `The copy can't be opened: ${reason}`);
  };
  const store = new SqliteStore(path, failed);
  try {
    await VaultState.load(store);
  } finally {
    await store.close();
  }
  return [...countRecords(path).values()].reduce((sum, count) => sum + count, 0);
}
