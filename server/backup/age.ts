/**
 * Encryption of backups, by age (https://age-encryption.org/v1): to a passphrase, or to recipients. What this writes,
 * the `age` command opens, and the other way round.
 *
 * @module
 */

import { Decrypter, Encrypter } from "age-encryption";
import { VaultError } from "../../vault/mod.ts";

/** Who can open a backup. */
export type BackupKey = { readonly passphrase: string } | { readonly recipients: readonly string[] };

/** What opens one. */
export type BackupIdentity = { readonly passphrase: string } | { readonly identities: readonly string[] };

/** scrypt with N = 2^18 and r = 8 (RFC 7914): a second and 256 MiB for each guess. */
const SCRYPT_LOG_N = 18;

/**
 * Encrypts a stream; 64 KiB of it are in memory at a time.
 *
 * @throws {VaultError} `invalid_argument` for a recipient that is none.
 */
export async function encryptBackup(
  plain: ReadableStream<Uint8Array>,
  key: BackupKey,
): Promise<ReadableStream<Uint8Array>> {
  const encrypter = new Encrypter();
  if ("passphrase" in key) {
    encrypter.setPassphrase(key.passphrase);
    encrypter.setScryptWorkFactor(SCRYPT_LOG_N);
  } else {
    for (const recipient of key.recipients) addRecipient(encrypter, recipient);
  }
  return await encrypter.encrypt(plain);
}

/** Refuses a recipient that is none, before anything else is done. */
export function assertRecipient(recipient: string): void {
  addRecipient(new Encrypter(), recipient);
}

function addRecipient(encrypter: Encrypter, recipient: string): void {
  try {
    encrypter.addRecipient(recipient);
  } catch (cause) {
    throw new VaultError("invalid_argument", `${JSON.stringify(recipient.slice(0, 80))} is no age recipient`, {
      hint: "it begins with age1: `age-keygen -y KEYFILE` prints it",
      cause,
    });
  }
}

/**
 * Decrypts a stream. What comes out is authentic in pieces; that it is whole shows at its end alone.
 *
 * @throws {VaultError} `invalid_argument` when this is no age file, or another passphrase or identity opens it.
 */
export async function decryptBackup(
  sealed: ReadableStream<Uint8Array>,
  identity: BackupIdentity,
): Promise<ReadableStream<Uint8Array>> {
  const decrypter = new Decrypter();
  if ("passphrase" in identity) decrypter.addPassphrase(identity.passphrase);
  else for (const one of identity.identities) addIdentity(decrypter, one);
  try {
    return await decrypter.decrypt(sealed);
  } catch (cause) {
    const what = "passphrase" in identity ? "passphrase" : "identity";
    throw new VaultError("invalid_argument", `The backup doesn't open with this ${what}, or is no backup`, {
      hint: "a backup to a passphrase takes the passphrase, one to a recipient takes --identity with its key file",
      cause,
    });
  }
}

function addIdentity(decrypter: Decrypter, identity: string): void {
  try {
    decrypter.addIdentity(identity);
  } catch (cause) {
    throw new VaultError("invalid_argument", "The identity file holds something that is no age identity", {
      hint: "its lines begin with AGE-SECRET-KEY-1, or with #",
      cause,
    });
  }
}
