/**
 * Backups that hold nothing.
 *
 * @module
 */

import type { BackupSource } from "../../admin/ports.ts";
import type { BackupBody } from "../../admin/wire.ts";
import { VaultError } from "../../vault/errors.ts";
import { FAKE_NOW } from "./admin_vault.ts";

/** What it says of itself. */
export const FAKE_BACKUP: BackupBody = {
  id: "b1",
  bytes: 7,
  created_at: new Date(FAKE_NOW).toISOString(),
  schema: 1,
  sequence: 9,
  parts: 2,
  left_out: [],
};

/** A backup of a few bytes. */
export const fakeBackups: BackupSource = {
  take: () => Promise.resolve(FAKE_BACKUP),
  fetch: (id) => {
    if (id === FAKE_BACKUP.id) return new Blob(["archive"]).stream();
    throw new VaultError("not_found", "There is no such backup to fetch");
  },
};
