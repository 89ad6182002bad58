/**
 * A file that is there whole or not at all.
 *
 * @module
 */

import { VaultError } from "../vault/errors.ts";

/** Takes text for the file. */
export type WriteText = (text: string) => Promise<void>;

/**
 * Writes a file by `work`: under another name beside it, on disk before it takes its name. When `work` fails, nothing
 * of the name has changed. The file is readable by its owner alone.
 *
 * @throws {VaultError} `invalid_argument` when the file can't be made; what `work` throws.
 */
export async function writeWhole(path: string, work: (write: WriteText) => Promise<void>): Promise<void> {
  const unfinished = `${path}.${crypto.randomUUID().slice(0, 8)}.part`;
  const file = await create(path, unfinished);
  const encoder = new TextEncoder();
  let isOpen = true;
  try {
    await work(async (text) => await writeAll(file, encoder.encode(text)));
    await file.sync();
    file.close();
    isOpen = false;
    await Deno.rename(unfinished, path);
  } catch (error) {
    if (isOpen) file.close();
    await Deno.remove(unfinished);
    throw error;
  }
}

async function create(path: string, unfinished: string): Promise<Deno.FsFile> {
  try {
    return await Deno.open(unfinished, { write: true, createNew: true, mode: 0o600 });
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new VaultError("invalid_argument", `${path} can't be written: ${why}`, { cause });
  }
}

async function writeAll(file: Deno.FsFile, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at));
}
