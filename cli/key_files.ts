/**
 * Rune-Vault's key folder on disk: `SecKey.json`, `EncKey.json`, `EvalKey.json`.
 *
 * @module
 */

import type { ExportedKeysBody } from "../admin/wire.ts";
import { VaultError } from "../vault/errors.ts";
import { escapeControls } from "./format.ts";
import type { Io } from "./io.ts";

/** The file with the secret key. */
export const SEC = "SecKey.json";
const ENC = "EncKey.json";
const EVAL = "EvalKey.json";

/** What `POST /keys/import` takes. */
export interface KeyFilesBody {
  readonly sec_key: string;
  readonly enc_key: string;
  readonly eval_key?: string;
}

/**
 * Reads a key folder, given itself or the folder above it; warns about loose modes and a missing evaluation key.
 *
 * @throws {VaultError} `invalid_argument` for a folder without the two files that it must have.
 */
export async function findKeyFiles(io: Io, dir: string): Promise<KeyFilesBody> {
  const folder = await keyFolder(dir);
  await warnOfLooseMode(io, `${folder}/${SEC}`);
  const sec_key = await readRequired(`${folder}/${SEC}`);
  const enc_key = await readRequired(`${folder}/${ENC}`);
  const eval_key = await readIfThere(`${folder}/${EVAL}`);
  if (eval_key !== undefined) return { sec_key, enc_key, eval_key };
  await io.err(`runevault: warning: there is no ${EVAL}, so bundles will leave it out\n`);
  return { sec_key, enc_key };
}

/**
 * Writes the plain files of a key set into a folder (0700), each with mode 0600 and never over another.
 *
 * @returns Their paths.
 */
export async function writeKeyFiles(dir: string, files: ExportedKeysBody): Promise<string[]> {
  await makeFolder(dir);
  const written: string[] = [];
  for (const [name, text] of [[SEC, files.sec_key], [ENC, files.enc_key], [EVAL, files.eval_key]] as const) {
    if (text === null) continue;
    await writeNew(`${dir}/${name}`, text);
    written.push(`${dir}/${name}`);
  }
  return written;
}

async function makeFolder(dir: string): Promise<void> {
  try {
    await Deno.mkdir(dir, { recursive: true, mode: 0o700 });
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new VaultError("invalid_argument", `The folder ${dir} can't be made: ${why}`, { cause });
  }
}

async function keyFolder(dir: string): Promise<string> {
  if (await exists(`${dir}/${SEC}`)) return dir;
  const below: string[] = [];
  for await (const entry of readFolder(dir)) {
    if (entry.isDirectory && await exists(`${dir}/${entry.name}/${SEC}`)) below.push(entry.name);
  }
  if (below.length === 1) return `${dir}/${below[0]}`;
  if (below.length === 0) throw new VaultError("invalid_argument", `There is no ${SEC} in ${dir} or right below it`);
  throw new VaultError("invalid_argument", `${dir} holds several key sets: ${below.sort().join(", ")}`, {
    hint: "name the folder of one",
  });
}

async function* readFolder(dir: string): AsyncIterable<Deno.DirEntry> {
  try {
    yield* Deno.readDir(dir);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new VaultError("invalid_argument", `The folder ${dir} can't be read: ${why}`, { cause });
  }
}

async function warnOfLooseMode(io: Io, path: string): Promise<void> {
  const { mode } = await Deno.stat(path);
  if (mode === null || (mode & 0o077) === 0) return;
  await io.err(`runevault: warning: ${escapeControls(path)} can be read by others: chmod 600, and think of who did\n`);
}

async function exists(path: string): Promise<boolean> {
  try {
    await Deno.lstat(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) return false;
    const why = error instanceof Error ? error.message : String(error);
    throw new VaultError("invalid_argument", `${path} can't be read: ${why}`, { cause: error });
  }
}

async function readRequired(path: string): Promise<string> {
  const text = await readIfThere(path);
  if (text !== undefined) return text;
  throw new VaultError("invalid_argument", `${path} is missing`, { hint: `${SEC} and ${ENC} are both needed` });
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    const why = error instanceof Error ? error.message : String(error);
    throw new VaultError("invalid_argument", `${path} can't be read: ${why}`, { cause: error });
  }
}

async function writeNew(path: string, text: string): Promise<void> {
  try {
    await Deno.writeTextFile(path, text, { createNew: true, mode: 0o600 });
  } catch (cause) {
    const why = cause instanceof Deno.errors.AlreadyExists ? "it exists" : cause instanceof Error ? cause.message : "";
    throw new VaultError("invalid_argument", `${path} can't be written: ${why}`, {
      hint: "give an empty folder",
      cause,
    });
  }
}
