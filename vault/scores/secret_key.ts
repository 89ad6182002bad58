/**
 * The FHE secret key: 4096 coefficients, each -1, 0 or 1, of which 2730 are not 0.
 *
 * Owns the key's form in memory and its 1029 raw bytes. Key files around the raw bytes are `key_files.ts`'s.
 *
 * @module
 */

import { VaultError } from "../errors.ts";
import { DEGREE, PRESET, SECRET_WEIGHT } from "./params.ts";

/** First byte of the three raw key forms. */
const SECRET_KEY_TAG = 0x01;
/** First byte of a raw encryption key. */
export const ENCRYPTION_KEY_TAG = 0x02;
/** First byte of the raw keys inside of an evaluation key. */
export const EVALUATION_KEY_TAG = 0x03;

/** A tag and the preset's name, padded to four bytes. */
export const RAW_HEADER_BYTES = 5;

/** Header, then four coefficients a byte. */
export const SECRET_KEY_BYTES = RAW_HEADER_BYTES + DEGREE / 4;

/** The two bits of a coefficient; 2 is never written and would be a second way to say -1. */
const COEFFICIENT_OF_CODE = [0, 1, undefined, -1] as const;

const REDACTED = "[redacted]";

/** The header of raw key bytes. */
export function rawHeader(tag: number): Uint8Array {
  return new Uint8Array([tag, ...new TextEncoder().encode(PRESET), 0]);
}

/** Whether raw key bytes begin with the header of their kind. */
export function hasRawHeader(raw: Uint8Array, tag: number): boolean {
  return rawHeader(tag).every((byte, i) => raw[i] === byte);
}

/** A secret key that does not print itself. */
export class FheSecretKey {
  readonly #coefficients: Int8Array<ArrayBuffer>;

  /** @param coefficients 4096 values of -1, 0 and 1 with exactly 2730 non-zero ones; copied. */
  constructor(readonly keyId: string, coefficients: ArrayLike<number>) {
    this.#coefficients = Int8Array.from(coefficients);
    const ternary = this.#coefficients.every((c) => c === -1 || c === 0 || c === 1);
    const weight = this.#coefficients.reduce((sum, c) => sum + Math.abs(c), 0);
    if (this.#coefficients.length !== DEGREE || !ternary || weight !== SECRET_WEIGHT) {
      throw new VaultError("invalid_argument", "The secret key does not have the form of one");
    }
  }

  /** A copy of the coefficients: whoever holds it can decrypt everything. */
  coefficients(): Int8Array<ArrayBuffer> {
    return this.#coefficients.slice();
  }

  /** Never the key. */
  toJSON(): string {
    return REDACTED;
  }

  /** Never the key. */
  toString(): string {
    return REDACTED;
  }

  /** Never the key. */
  [Symbol.for("Deno.customInspect")](): string {
    return REDACTED;
  }

  /** Never the key. */
  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return REDACTED;
  }
}

/** The raw bytes of a secret key: two bits a coefficient, the first of four in the highest bits. */
export function encodeSecretKey(key: FheSecretKey): Uint8Array {
  const raw = new Uint8Array(SECRET_KEY_BYTES);
  raw.set(rawHeader(SECRET_KEY_TAG));
  key.coefficients().forEach((coefficient, i) => {
    raw[RAW_HEADER_BYTES + (i >> 2)]! |= (coefficient & 3) << (6 - 2 * (i & 3));
  });
  return raw;
}

/**
 * Reads raw secret key bytes.
 *
 * @throws {VaultError} `invalid_argument` for another length, header, code or number of non-zero coefficients.
 */
export function decodeSecretKey(keyId: string, raw: Uint8Array): FheSecretKey {
  if (raw.length !== SECRET_KEY_BYTES || !hasRawHeader(raw, SECRET_KEY_TAG)) {
    throw new VaultError("invalid_argument", `The secret key is not ${SECRET_KEY_BYTES} bytes of preset ${PRESET}`);
  }
  const coefficients = Array.from({ length: DEGREE }, (_, i) => {
    const code = (raw[RAW_HEADER_BYTES + (i >> 2)]! >> (6 - 2 * (i & 3))) & 3;
    return COEFFICIENT_OF_CODE[code] ?? NaN;
  });
  if (coefficients.includes(NaN)) {
    throw new VaultError("invalid_argument", "The secret key has a coefficient that is none of -1, 0 and 1");
  }
  return new FheSecretKey(keyId, coefficients);
}
