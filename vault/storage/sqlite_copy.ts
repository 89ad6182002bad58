/**
 * A consistent copy of a database that is in use, and the check of one: both read a whole file, so a thread does it.
 *
 * @module
 */

import { VaultError } from "../errors.ts";
import type { CopyAnswer, CopyRequest } from "./sqlite_copy_worker.ts";

/**
 * Copies a database as it is at one moment between two changes; changes go on meanwhile.
 *
 * @param to Must not exist.
 * @throws {VaultError} `storage_failed` when the copy can't be made or is damaged; what there is of it is the caller's to remove.
 */
export async function copyDatabase(path: string, to: string): Promise<void> {
  const failure = await inThread({ path, to });
  if (failure === null) return;
  throw new VaultError("storage_failed", `The store can't be copied: ${failure}`, {
    hint: "check the disk that holds the data folder, and the space on it; nothing was changed",
  });
}

/**
 * Reads a whole database and says what is wrong with it (`PRAGMA quick_check`, and the checksum of each record); null:
 * nothing. Changes nothing.
 */
export function checkDatabase(path: string): Promise<string | null> {
  return inThread({ path });
}

async function inThread(request: CopyRequest): Promise<string | null> {
  const worker = new Worker(new URL("./sqlite_copy_worker.ts", import.meta.url).href, { type: "module" });
  try {
    return await new Promise((resolve) => {
      worker.onmessage = ({ data }: MessageEvent<CopyAnswer>) => resolve(data.failure);
      worker.onerror = (event) => {
        event.preventDefault();
        resolve(event.message);
      };
      worker.postMessage(request);
    });
  } finally {
    worker.terminate();
  }
}
