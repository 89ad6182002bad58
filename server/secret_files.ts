/**
 * The secrets that a start reads from files: the seal key, the team secret, the enVector key.
 *
 * @module
 */

import { type RandomSource, SEAL_KEY_BYTES, SealKey, VaultError } from "../vault/mod.ts";
import { assertPrivate, writeNewPrivateFile } from "../vault/storage/private_files.ts";

/** Such a secret is a line of text; a larger file is a mistake. */
const MAX_SECRET_BYTES = 4096;

/** What the rules on modes need to know. */
export interface SecretFileRules {
  /** `$CREDENTIALS_DIRECTORY`, whose files systemd guards. */
  readonly credentialsDir: string | undefined;
}

/**
 * Reads the seal key; a store that holds nothing yet may have it made (0600, durable before anything is sealed with it).
 *
 * @throws {VaultError} `config_invalid` when it is missing for a store in use, has the wrong length, or a loose mode.
 */
export async function loadSealKey(
  path: string,
  storeIsEmpty: boolean,
  random: RandomSource,
  rules: SecretFileRules,
): Promise<SealKey> {
  const present = await readIfThere(path, rules);
  if (present === undefined && !storeIsEmpty) {
    throw new VaultError("config_invalid", `The seal key ${path} is missing, and the store in this folder needs it`, {
      hint: "put back the seal.key that belongs to this data folder; a new one could open nothing in it",
    });
  }
  const bytes = present ?? random.bytes(SEAL_KEY_BYTES);
  if (present === undefined) await writeNewPrivateFile(path, bytes);
  if (bytes.length === SEAL_KEY_BYTES) return new SealKey(bytes, random);
  throw new VaultError("config_invalid", `The seal key ${path} has ${bytes.length} bytes instead of ${SEAL_KEY_BYTES}`);
}

/** Reads a team secret, white space at both ends stripped; `config_invalid` for one that is empty or not text. */
export async function loadTeamSecret(path: string, rules: SecretFileRules): Promise<Uint8Array> {
  return teamSecretBytes(await loadSecretText(path, "team secret", rules));
}

/** Reads the enVector key that clients are given; `config_invalid` for one that is empty or not text. */
export async function loadEnvectorKey(path: string, rules: SecretFileRules): Promise<string> {
  const key = (await loadSecretText(path, "enVector key", rules)).trim();
  if (key !== "") return key;
  throw new VaultError("config_invalid", `The enVector key file ${path} is empty`);
}

async function loadSecretText(path: string, what: string, rules: SecretFileRules): Promise<string> {
  const bytes = await readIfThere(path, rules);
  if (bytes === undefined) throw new VaultError("config_invalid", `There is no ${what} file ${path}`);
  if (bytes.length > MAX_SECRET_BYTES) {
    throw new VaultError("config_invalid", `The ${what} file ${path} has more than ${MAX_SECRET_BYTES} bytes`);
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new VaultError("config_invalid", `The ${what} file ${path} is not UTF-8 text`, { cause });
  }
}

/** The bytes that HKDF gets: UTF-8, white space at both ends stripped, from file and environment alike. */
export function teamSecretBytes(text: string): Uint8Array {
  const stripped = text.trim();
  if (stripped === "") throw new VaultError("config_invalid", "The team secret is empty");
  return new TextEncoder().encode(stripped);
}

async function readIfThere(path: string, rules: SecretFileRules): Promise<Uint8Array | undefined> {
  try {
    await assertPrivate(path, rules.credentialsDir);
    return await Deno.readFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    if (error instanceof VaultError) throw error;
    const reason = error instanceof Error ? error.message : "unknown failure";
    throw new VaultError("config_invalid", `${path} cannot be read: ${reason}`, { cause: error });
  }
}
