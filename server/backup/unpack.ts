/**
 * From a backup's bytes to a folder whose content was checked: every part, the store, and that the seal key opens it.
 *
 * @module
 */

import { dirname } from "node:path";
import { SEAL_KEY_BYTES, SealKey, VaultError } from "../../vault/mod.ts";
import { assertSealOpens } from "../../vault/bootstrap.ts";
import { makePrivateFolder, syncFolder, writeAll } from "../../vault/storage/private_files.ts";
import { checkDatabase } from "../../vault/storage/sqlite_copy.ts";
import { countRecords, readStoreFacts, type StoreFacts } from "../../vault/storage/store_facts.ts";
import { systemRandom } from "../clock.ts";
import { type BackupIdentity, decryptBackup } from "./age.ts";
import { type PartSink, readArchive } from "./archive.ts";
import { type BackupPart, type Manifest, modeOf, notOurs } from "./manifest.ts";

/** What was found in a backup. */
export interface Unpacked {
  readonly manifest: Manifest;
  /** How many records there are of each kind. */
  readonly counts: ReadonlyMap<string, number>;
}

/**
 * Unpacks a backup into an empty folder and checks all of it.
 *
 * @throws {VaultError} `invalid_argument` for a file that is no whole backup or doesn't open, `precondition_failed` for
 *   one of a newer version, `storage_failed` when the folder can't be written. The folder then holds anything.
 */
export async function unpackBackup(
  sealed: ReadableStream<Uint8Array>,
  identity: BackupIdentity,
  folder: string,
): Promise<Unpacked> {
  const manifest = await readArchive(await decryptBackup(sealed, identity), {
    begin: () => {},
    open: (part) => openPart(folder, part),
  });
  await verify(folder, manifest);
  return { manifest, counts: countRecords(`${folder}/runevault.db`) };
}

async function openPart(folder: string, { path }: BackupPart): Promise<PartSink> {
  const file = `${folder}/${path}`;
  await makePrivateFolder(dirname(file));
  const opened = await Deno.open(file, { write: true, createNew: true, mode: modeOf(path) });
  return {
    write: (bytes) => orNoRoom(() => writeAll(opened, bytes)),
    close: async () => {
      try {
        await orNoRoom(() => opened.sync());
      } finally {
        opened.close();
      }
      // The umask may have taken away what a certificate is to have.
      await Deno.chmod(file, modeOf(path));
      await syncFolder(dirname(file));
    },
  };
}

async function orNoRoom(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new VaultError("storage_failed", `The data folder can't be written: ${why}`, { cause });
  }
}

async function verify(folder: string, manifest: Manifest): Promise<void> {
  const path = `${folder}/runevault.db`;
  const store = readStore(path);
  if (store.schema !== manifest.schema || store.sequence !== manifest.sequence) {
    throw notOurs("its store is not the one that its manifest describes");
  }
  const damage = await checkDatabase(path);
  if (damage !== null) throw notOurs(`its store is damaged: ${damage}`);
  await assertKeyOpens(folder, store);
  const named = new Set(manifest.parts.map((part) => part.path));
  const missing = store.keyIds.find((keyId) => !named.has(`keys/${keyId}/SecKey.json`));
  if (missing !== undefined) throw notOurs(`it lacks the FHE key set ${missing}`);
}

function readStore(path: string): StoreFacts {
  try {
    return readStoreFacts(path);
  } catch (error) {
    if (!(error instanceof VaultError)) throw error;
    const { message, hint } = error;
    throw new VaultError("precondition_failed", `The store in the backup can't be used: ${message}`, {
      ...(hint === undefined ? {} : { hint }),
      cause: error,
    });
  }
}

async function assertKeyOpens(folder: string, store: StoreFacts): Promise<void> {
  const bytes = await Deno.readFile(`${folder}/seal.key`);
  if (bytes.length !== SEAL_KEY_BYTES) throw notOurs("its seal key has another length");
  try {
    assertSealOpens({ state: store, sealKey: new SealKey(bytes, systemRandom) });
  } catch (error) {
    throw notOurs(error instanceof VaultError ? error.message : "its seal key opens nothing");
  }
}
