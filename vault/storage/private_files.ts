/**
 * Files that hold secrets: made once with mode 0600, durable before they count, and refused when others may read them.
 *
 * @module
 */

import { dirname } from "node:path";
import { VaultError } from "../errors.ts";

/** Makes a folder (mode 0700) where there is none. */
export async function makePrivateFolder(path: string): Promise<void> {
  await Deno.mkdir(path, { recursive: true, mode: 0o700 });
}

/**
 * Refuses a secret file or folder that others may read or write.
 *
 * @param exemptFolder `$CREDENTIALS_DIRECTORY`: systemd guards what is in it, and chooses the modes itself.
 * @throws {VaultError} `config_invalid` that says the `chmod`.
 */
export async function assertPrivate(path: string, exemptFolder?: string): Promise<void> {
  if (await liesIn(path, exemptFolder)) return;
  const { mode, isDirectory } = await Deno.stat(path);
  if (mode === null || (mode & 0o077) === 0) return;
  const wanted = isDirectory ? "700" : "600";
  throw new VaultError(
    "config_invalid",
    `${path} has mode ${(mode & 0o777).toString(8)}: others may read or change it`,
    {
      hint: `chmod ${wanted} ${path}`,
    },
  );
}

/** Whether a file really lies in a folder: a path or a link that leads out of it proves nothing. */
async function liesIn(path: string, folder: string | undefined): Promise<boolean> {
  if (folder === undefined || folder === "") return false;
  try {
    const [file, root] = await Promise.all([Deno.realPath(path), Deno.realPath(folder)]);
    return file.startsWith(`${root}/`);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** As {@link assertPrivate}; no file is as good as a private one. */
export async function assertPrivateIfThere(path: string, exemptFolder?: string): Promise<void> {
  try {
    await assertPrivate(path, exemptFolder);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

/** Writes a new secret file, fsyncs it and its folder. Fails where the file exists. */
export async function writeNewPrivateFile(path: string, content: Uint8Array): Promise<void> {
  const temporary = `${path}.${crypto.randomUUID()}.new`;
  try {
    await writeSynced(temporary, content);
    // A link fails where the name is taken; a rename would replace somebody's file.
    await Deno.link(temporary, path);
  } finally {
    await removeIfThere(temporary);
  }
  await syncFolder(dirname(path));
}

/** Removes a file; that there is none is as good. */
export async function removeIfThere(path: string): Promise<void> {
  try {
    await Deno.remove(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

async function writeSynced(path: string, content: Uint8Array): Promise<void> {
  using file = await Deno.open(path, { write: true, createNew: true, mode: 0o600 });
  await writeAll(file, content);
  await file.sync();
}

/** Writes every byte: one `write` may take only part of them. */
export async function writeAll(file: Deno.FsFile, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at));
}

/** Makes new and removed names in a folder durable. */
export async function syncFolder(path: string): Promise<void> {
  using folder = await Deno.open(path);
  await folder.sync();
}
