/**
 * Where a backup's passphrase comes from: a file, a systemd credential, the environment, or whoever sits at the prompt.
 *
 * @module
 */

import { VaultError } from "../../vault/mod.ts";
import { assertPrivate } from "../../vault/storage/private_files.ts";

/** What may be asked. */
export interface PassphraseSources {
  /** `--passphrase-file`. */
  readonly file?: string | undefined;
  readonly env: (name: string) => string | undefined;
  /** Takes a variable out of the environment. */
  readonly forget: (name: string) => void;
  /** Reads one from the terminal, or from standard input. */
  readonly ask: (prompt: string) => Promise<string>;
}

/** Takes the passphrase; it is deleted from the environment once read. */
const VARIABLE = "RUNEVAULT_BACKUP_PASSPHRASE";
/** The name of the systemd credential. */
const CREDENTIAL = "backup-passphrase";
const MAX_BYTES = 4096;
/** age's own makes ten words; what is shorter than this can be guessed by whoever holds the backup. */
const MIN_CHARACTERS = 12;

/**
 * The passphrase: from `--passphrase-file`, else the credential `backup-passphrase`, else the environment, else asked
 * for. The variable leaves the environment whichever is taken.
 *
 * @throws {VaultError} `invalid_argument` for an empty one, `config_invalid` for a file that others may read.
 */
export async function readPassphrase(sources: PassphraseSources, prompt: string): Promise<string> {
  const fromEnvironment = sources.env(VARIABLE);
  sources.forget(VARIABLE);
  const folder = sources.env("CREDENTIALS_DIRECTORY");
  const found = await fromFile(sources.file, folder) ?? await fromCredential(folder) ?? fromEnvironment ??
    await sources.ask(prompt);
  if (found !== "") return found;
  throw new VaultError("invalid_argument", "The passphrase is empty", {
    hint: `type one, or give --passphrase-file, the credential ${CREDENTIAL} or ${VARIABLE}`,
  });
}

/** Refuses a passphrase for a new backup that could be guessed: the backup holds every key. */
export function assertStrong(passphrase: string): void {
  if ([...passphrase].length >= MIN_CHARACTERS) return;
  throw new VaultError("invalid_argument", `A passphrase needs ${MIN_CHARACTERS} characters at least`, {
    hint: "take five random words: the backup holds the seal key, and whoever has it may guess for years",
  });
}

async function fromFile(path: string | undefined, credentials: string | undefined): Promise<string | undefined> {
  if (path === undefined) return undefined;
  const text = await readIfThere(path, credentials);
  if (text !== undefined) return text;
  throw new VaultError("invalid_argument", `There is no passphrase file ${path}`);
}

async function fromCredential(folder: string | undefined): Promise<string | undefined> {
  return folder === undefined || folder === "" ? undefined : await readIfThere(`${folder}/${CREDENTIAL}`, folder);
}

/** The file's text without the line break at its end. */
async function readIfThere(path: string, credentials: string | undefined): Promise<string | undefined> {
  try {
    await assertPrivate(path, credentials);
    const { size } = await Deno.stat(path);
    if (size > MAX_BYTES) throw new VaultError("invalid_argument", `${path} has more than ${MAX_BYTES} bytes`);
    return (await Deno.readTextFile(path)).replace(/\r?\n$/, "");
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) return undefined;
    if (cause instanceof VaultError) throw cause;
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new VaultError("invalid_argument", `${path} can't be read: ${why}`, { cause });
  }
}
