/**
 * Backup and restore.
 *
 * Owns: the snapshot of a vault that serves, the archive that it becomes, its encryption by age, and the way back onto an
 * empty data folder, with every check on it.
 * Relies on: the store's copy and facts (`vault/storage/`), the lock on the data folder.
 * Leaves to others: what becomes of tokens after a restore (`vault/rollback/`), the admin API's route, the command line.
 *
 * @module
 */

export { assertRecipient, type BackupIdentity, type BackupKey, encryptBackup } from "./age.ts";
export type { Manifest } from "./manifest.ts";
export { assertStrong, type PassphraseSources, readPassphrase } from "./passphrase.ts";
export { checkBackup, restoreBackup } from "./restore.ts";
export type { Unpacked } from "./unpack.ts";
