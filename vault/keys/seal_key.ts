/**
 * The seal key: the root under which everything secret is encrypted at rest.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { createCipheriv, createDecipheriv, createHash, createHmac, hkdfSync } from "node:crypto";
import { VaultError } from "../errors.ts";
import type { RandomSource } from "../ports.ts";

/** Length of the seal key in bytes (AES-256). */
export const SEAL_KEY_BYTES = 32;

const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/**
 * Seals and opens values with AES-256-GCM (NIST SP 800-38D), nonces drawn at random.
 *
 * A value is bound to the identity of its row by the associated data: moved to another row it doesn't open.
 */
export class SealKey {
  readonly #key: Uint8Array;
  readonly #random: RandomSource;

  /** @param key 32 random bytes. */
  constructor(key: Uint8Array, random: RandomSource) {
    if (key.length !== SEAL_KEY_BYTES) throw new TypeError(`A seal key has ${SEAL_KEY_BYTES} bytes`);
    this.#key = key;
    this.#random = random;
  }

  /** Tells two seal keys apart; 16 hex digits of a hash of 256 random bits help no guesser. */
  get fingerprint(): string {
    return createHash("sha256").update("runevault/seal-key\n").update(this.#key).digest("hex").slice(0, 16);
  }

  /**
   * Tells two secrets apart without the means to test guesses: the HMAC is keyed, unlike a bare hash of a weak secret.
   */
  fingerprintOf(secret: Uint8Array): string {
    const key = createHash("sha256").update("runevault/fingerprint\n").update(this.#key).digest();
    return createHmac("sha256", key).update(secret).digest("hex").slice(0, 16);
  }

  /** A key for one purpose (HKDF-SHA256, RFC 5869): 32 bytes that tell nothing of the seal key or of other purposes. */
  deriveKey(purpose: string): Uint8Array {
    return new Uint8Array(hkdfSync("sha256", this.#key, "runevault/derived", purpose, SEAL_KEY_BYTES));
  }

  /** Encrypts `plaintext` for the row `identity`; base64 of nonce ‖ ciphertext ‖ tag. */
  seal(identity: string, plaintext: Uint8Array): string {
    const nonce = this.#random.bytes(NONCE_BYTES);
    const cipher = createCipheriv("aes-256-gcm", this.#key, nonce).setAAD(associatedData(identity));
    return Buffer.concat([nonce, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]).toString("base64");
  }

  /**
   * Decrypts what {@link seal} made for the same identity.
   *
   * @throws {VaultError} `storage_failed` when the value is damaged, moved, or sealed under another key.
   */
  open(identity: string, sealed: string): Uint8Array {
    const bytes = Buffer.from(sealed, "base64");
    if (bytes.length < NONCE_BYTES + TAG_BYTES) throw notOpened(identity);
    try {
      const decipher = createDecipheriv("aes-256-gcm", this.#key, bytes.subarray(0, NONCE_BYTES))
        .setAAD(associatedData(identity))
        .setAuthTag(bytes.subarray(-TAG_BYTES));
      const opened = decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES));
      const plaintext = Buffer.concat([opened, decipher.final()]);
      // Whoever wipes what they got must not leave a copy behind.
      opened.fill(0);
      return plaintext;
    } catch (cause) {
      throw notOpened(identity, cause);
    }
  }

  toJSON(): string {
    return "[redacted]";
  }

  toString(): string {
    return "[redacted]";
  }
}

function associatedData(identity: string): Uint8Array {
  return Buffer.from(`runevault/sealed\n${identity}`, "utf8");
}

function notOpened(identity: string, cause?: unknown): VaultError {
  return new VaultError("storage_failed", `The sealed value ${identity} does not open under the seal key`, { cause });
}
