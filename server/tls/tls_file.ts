/**
 * Reads certificate and key files: bounded, and keys only when nobody else may read them.
 *
 * @module
 */

import { sep } from "node:path";
import { VaultError } from "../../vault/errors.ts";

/** When a key file's mode is good enough. */
export interface KeyModeRule {
  /** The folder of systemd's credentials; systemd itself guards what lies in there. */
  readonly credentialsDir?: string | undefined;
  /**
   * The user this process runs as. Given, and not root, it may read a key that belongs to root and is readable by one
   * group (0640): the way a certificate tool lends its key to a service. Absent: 0600 only.
   */
  readonly ownUid?: number | undefined;
}

/** Larger than any chain; a file that is not one must not fill the memory. */
const MAX_FILE_BYTES = 1024 * 1024;
const CHUNK_BYTES = 16 * 1024;
const OTHERS = 0o077;
const OTHERS_BUT_GROUP_READ = 0o037;

/**
 * Reads a file that holds no secret.
 *
 * @throws {VaultError} `config_invalid` naming the file when it cannot be read or is larger than 1 MiB.
 */
export async function readPublicFile(path: string): Promise<string> {
  using file = await openRegular(path);
  return await readBounded(file, path);
}

/**
 * Reads a private key's file.
 *
 * The mode is taken from the open file, so that what is checked is what is read.
 *
 * @throws {VaultError} `config_invalid` as {@link readPublicFile}, and with the `chmod` when others may read the file.
 */
export async function readKeyFile(path: string, rule: KeyModeRule): Promise<string> {
  using file = await openRegular(path);
  if (!(await isCredential(path, rule))) assertPrivate(path, await file.stat(), rule);
  return await readBounded(file, path);
}

/**
 * Demands that a folder belongs to its owner alone: who can write in it can swap the key.
 *
 * @throws {VaultError} `config_invalid` with the `chmod`, and when it is no folder.
 */
export async function assertPrivateFolder(path: string): Promise<void> {
  const { mode, isDirectory } = await statOf(path);
  if (!isDirectory) throw new VaultError("config_invalid", `"${path}" is not a folder`);
  if (mode === null || (mode & OTHERS) === 0) return;
  throw new VaultError("config_invalid", `Others than its owner may enter "${path}" (mode ${octal(mode)})`, {
    hint: `chmod 700 ${shellQuoted(path)}`,
  });
}

function assertPrivate(path: string, info: Deno.FileInfo, rule: KeyModeRule): void {
  if (info.mode === null) return;
  const lentByRoot = info.uid === 0 && rule.ownUid !== undefined && rule.ownUid !== 0;
  if ((info.mode & (lentByRoot ? OTHERS_BUT_GROUP_READ : OTHERS)) === 0) return;
  throw new VaultError("config_invalid", `Others may read the private key "${path}" (mode ${octal(info.mode)})`, {
    hint: `chmod 600 ${shellQuoted(path)}`,
  });
}

/** True for a file that really lies in the credentials' folder: a link out of it proves nothing. */
async function isCredential(path: string, rule: KeyModeRule): Promise<boolean> {
  if (rule.credentialsDir === undefined || rule.credentialsDir === "") return false;
  try {
    const [file, folder] = await Promise.all([Deno.realPath(path), Deno.realPath(rule.credentialsDir)]);
    return file.startsWith(folder + sep);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw unreadable(path, error);
  }
}

async function openRegular(path: string): Promise<Deno.FsFile> {
  // Asked before opening: the open of a named pipe would wait for a writer for ever.
  const { isFile } = await statOf(path);
  if (!isFile) throw new VaultError("config_invalid", `"${path}" is not a file`);
  try {
    return await Deno.open(path, { read: true });
  } catch (error) {
    throw unreadable(path, error);
  }
}

async function statOf(path: string): Promise<Deno.FileInfo> {
  try {
    return await Deno.stat(path);
  } catch (error) {
    throw unreadable(path, error);
  }
}

function unreadable(path: string, cause: unknown): VaultError {
  if (cause instanceof Deno.errors.NotFound) return new VaultError("config_invalid", `There is no "${path}"`);
  return new VaultError("config_invalid", `"${path}" cannot be read`, {
    hint: "Check that the user the vault runs as may read it",
    cause,
  });
}

async function readBounded(file: Deno.FsFile, path: string): Promise<string> {
  const chunk = new Uint8Array(CHUNK_BYTES);
  const decoder = new TextDecoder();
  let text = "";
  for (let length = 0; length <= MAX_FILE_BYTES;) {
    const got = await file.read(chunk);
    if (got === null) return text + decoder.decode();
    text += decoder.decode(chunk.subarray(0, got), { stream: true });
    length += got;
  }
  throw new VaultError("config_invalid", `The file "${path}" is larger than ${MAX_FILE_BYTES} bytes`);
}

function octal(mode: number): string {
  return (mode & 0o777).toString(8).padStart(4, "0");
}

/** Quoted for a shell only where it must be. */
function shellQuoted(path: string): string {
  return /^[A-Za-z0-9_./@+-]+$/.test(path) ? path : `'${path.replaceAll("'", `'\\''`)}'`;
}
