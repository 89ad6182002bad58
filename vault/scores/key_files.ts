/**
 * Key sets as an operator has them: the texts of `SecKey.json`, `EncKey.json` and `EvalKey.json`.
 *
 * Reads them strictly and checks that they belong together. Where the texts are kept, and under what seal, is not
 * known here.
 *
 * @module
 */

import { VaultError } from "../errors.ts";
import {
  areReduced,
  decodeEvaluationKey,
  ENCRYPTION_KEY_BYTES,
  ENCRYPTION_KEY_OFFSETS,
  type EvaluationKey,
  RELINEARISATION_KEY_OFFSETS,
  type SwitchingKeyOffsets,
} from "./evaluation_key.ts";
import { type KeyFacts, parseKeyEnvelope } from "./key_envelope.ts";
import { type DoubleFactor, type DoublePoly, doubleRing } from "./ntt.ts";
import { P } from "./params.ts";
import { secretFactor } from "./score_opener.ts";
import { decodeSecretKey, ENCRYPTION_KEY_TAG, type FheSecretKey, hasRawHeader } from "./secret_key.ts";

/** The texts of a key set. */
export interface KeySetFiles {
  /** Text of `SecKey.json`. */
  readonly secKeyJson: string;
  /** Text of `EncKey.json`. */
  readonly encKeyJson: string;
  /** Text of `EvalKey.json`. Absent where only decryption is wanted: the server that computes scores needs it, the vault does not. */
  readonly evalKeyJson?: string;
}

/** What can be shown about a key set. */
export interface KeySetFacts {
  /** The same in all files. */
  readonly keyId: string;
  /** The power of two that the evaluation key is for; null without one. */
  readonly dimension: number | null;
  /** Milliseconds since 1970, as `SecKey.json` says. */
  readonly createdAt: number;
  /** Five years later; nothing refuses an expired key. */
  readonly expiresAt: number;
  /** Base64 of the SHA-256 of the raw secret key. */
  readonly secretKeySha256: string;
  /** Base64 of the SHA-256 of the raw encryption key. */
  readonly encryptionKeySha256: string;
  /** Base64 of the SHA-256 of the raw evaluation key. */
  readonly evaluationKeySha256: string | null;
}

/** Errors of keys have standard deviation 3.2: one above this bound occurs in no key set ever made. */
const LARGEST_ERROR = 64;

function facts({ keyId, createdAt, expiresAt, sha256 }: KeyFacts): KeyFacts {
  return { keyId, createdAt, expiresAt, sha256 };
}

/**
 * Reads `SecKey.json`.
 *
 * @throws {VaultError} `invalid_argument` when it is not an undamaged, unsealed IP0 secret key; no part of the key,
 * nor of the text, is in the message.
 */
export function readSecretKeyFile(text: string): KeyFacts & { readonly secretKey: FheSecretKey } {
  const envelope = parseKeyEnvelope("seckey", text);
  return { ...facts(envelope), secretKey: decodeSecretKey(envelope.keyId, envelope.raw) };
}

/**
 * Reads `EncKey.json`.
 *
 * @returns Its facts and its raw bytes: header, a_Q, a_P, b_Q, b_P.
 * @throws {VaultError} `invalid_argument` when it is not an undamaged IP0 encryption key.
 */
export function readEncryptionKeyFile(text: string): KeyFacts & { readonly raw: Uint8Array } {
  const envelope = parseKeyEnvelope("enckey", text);
  const { raw } = envelope;
  if (raw.length !== ENCRYPTION_KEY_BYTES || !hasRawHeader(raw, ENCRYPTION_KEY_TAG)) {
    throw new VaultError("invalid_argument", `EncKey.json does not hold a key of ${ENCRYPTION_KEY_BYTES} bytes`);
  }
  if (!areReduced(raw, ENCRYPTION_KEY_OFFSETS, 1)) {
    throw new VaultError("invalid_argument", "EncKey.json holds a residue that is not below its modulus");
  }
  return { ...facts(envelope), raw };
}

/**
 * Reads `EvalKey.json`, some 40 ms of work for a dimension of 1024.
 *
 * @throws {VaultError} `invalid_argument` when it is not an undamaged IP0 evaluation key of mode RMP.
 */
export function readEvaluationKeyFile(text: string): KeyFacts & EvaluationKey {
  const envelope = parseKeyEnvelope("evalkey", text);
  return { ...facts(envelope), ...decodeEvaluationKey(envelope.raw) };
}

/** A secret with what it takes to check that public keys were made with it. */
class SecretCheck {
  readonly #ring = doubleRing();
  readonly #secret: DoubleFactor;
  readonly #minusP = this.#ring.factor(this.#ring.filled(-P));

  constructor(readonly coefficients: Int8Array) {
    this.#secret = secretFactor(this.#ring, coefficients);
  }

  /** The polynomial 0. */
  zero(): DoublePoly {
    return this.#ring.filled(0n);
  }

  /** s^2 in NTT form. */
  square(): DoublePoly {
    const secret = this.#ring.fromIntegers(this.coefficients);
    this.#ring.forward(secret);
    return this.#ring.multiplyAdd(secret, this.#secret, this.zero());
  }

  /**
   * Whether a switching key K(f) is one to this secret: b + a*s - P*f is small then. Looking modulo Q is enough: the
   * chance that a key to another secret passes is below 2^-100,000.
   */
  made(bytes: Uint8Array, offsets: SwitchingKeyOffsets, target: DoublePoly): boolean {
    const a = this.#ring.read(bytes, offsets.aQ);
    const b = this.#ring.read(bytes, offsets.bQ);
    if (a === null || b === null) return false;
    const error = this.#ring.multiplyAdd(target, this.#minusP, this.#ring.multiplyAdd(a, this.#secret, b));
    this.#ring.inverse(error);
    return this.#ring.centred(error).every((value) => Math.abs(value) <= LARGEST_ERROR);
  }
}

function assertOneSet(name: string, belongs: boolean): void {
  if (!belongs) {
    throw new VaultError("invalid_argument", `${name} and SecKey.json do not belong to one key set`);
  }
}

/**
 * Reads a whole key set and checks that its files belong together: one key id, and one secret behind all of them.
 *
 * Takes some 60 ms with an evaluation key: not for an event loop that serves requests.
 *
 * @throws {VaultError} `invalid_argument` naming the file that is wrong.
 */
export function inspectKeySet(files: KeySetFiles): KeySetFacts {
  const secret = readSecretKeyFile(files.secKeyJson);
  const encryption = readEncryptionKeyFile(files.encKeyJson);
  const evaluation = files.evalKeyJson === undefined ? null : readEvaluationKeyFile(files.evalKeyJson);
  const check = new SecretCheck(secret.secretKey.coefficients());
  const sameId = (other: KeyFacts) => other.keyId === secret.keyId;
  assertOneSet("EncKey.json", sameId(encryption) && check.made(encryption.raw, ENCRYPTION_KEY_OFFSETS, check.zero()));
  if (evaluation !== null) {
    const made = check.made(evaluation.rankKeys, RELINEARISATION_KEY_OFFSETS, check.square());
    assertOneSet("EvalKey.json", sameId(evaluation) && made);
  }
  return {
    keyId: secret.keyId,
    dimension: evaluation?.dimension ?? null,
    createdAt: secret.createdAt,
    expiresAt: secret.expiresAt,
    secretKeySha256: secret.sha256,
    encryptionKeySha256: encryption.sha256,
    evaluationKeySha256: evaluation?.sha256 ?? null,
  };
}
