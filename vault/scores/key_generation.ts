/**
 * Makes a key set: a secret, and the public keys that carry it.
 *
 * Every public key is a switching key K(f) for some polynomial f: uniform a, one small error e, and
 * b_Q = e - a_Q*s + P*f mod Q, b_P = e - a_P*s mod P. K(0) encrypts items, K(s^2) relinearises, and K(f_0) to
 * K(f_R-1) pack R score polynomials into one.
 *
 * @module
 */

import { VaultError } from "../errors.ts";
import type { RandomSource } from "../ports.ts";
import {
  encodeEvaluationKey,
  ENCRYPTION_KEY_BYTES,
  ENCRYPTION_KEY_OFFSETS,
  keyDimension,
  packingKeyOffsets,
  rankKeysBytes,
  RELINEARISATION_KEY_OFFSETS,
  type SwitchingKeyOffsets,
} from "./evaluation_key.ts";
import { errorSampler } from "./gaussian.ts";
import { assertKeyId, formatKeyEnvelope } from "./key_envelope.ts";
import type { KeySetFiles } from "./key_files.ts";
import { sampleSecret, sampleUniform } from "./key_sampling.ts";
import { type DoublePoly, doubleRing } from "./ntt.ts";
import { bigIntRing } from "./ntt_bigint.ts";
import { DEGREE, MAX_DIMENSION, MIN_DIMENSION, P, PSI_P } from "./params.ts";
import type { PolyRing } from "./poly_ring.ts";
import { RandomWords } from "./random_words.ts";
import { rankOf } from "./rows.ts";
import { secretFactor } from "./score_opener.ts";
import { encodeSecretKey, ENCRYPTION_KEY_TAG, EVALUATION_KEY_TAG, FheSecretKey, rawHeader } from "./secret_key.ts";

/** What a key set is made for. */
export interface KeySetRequest {
  /** Dimension of the index: 32 to 2048, or 4096. */
  readonly dimension: number;
  /** Names the key set; 1 to 64 of `A-Za-z0-9._@-`. */
  readonly keyId: string;
  /** Creation time, milliseconds since 1970. */
  readonly now: number;
}

/** Called after each of the `total` switching keys. */
export type KeyProgress = (done: number, total: number) => void;

/** A key set made here always has its evaluation key. */
export type NewKeySetFiles = Required<KeySetFiles>;

/**
 * Throws unless keys can be made for a dimension.
 *
 * From 2049 to 4095 the rank of the dimension and that of the power of two above it differ, so that a server and a
 * vault that go by one each would read rows in different orders: such keys are not made.
 */
export function assertKeyDimension(dimension: number): void {
  const covered = Number.isInteger(dimension) && dimension >= MIN_DIMENSION && dimension <= MAX_DIMENSION;
  if (!covered || rankOf(dimension) !== rankOf(keyDimension(dimension))) {
    throw new VaultError("invalid_argument", `Dimension ${dimension} is not supported`, {
      hint: `Use ${MIN_DIMENSION} to ${MAX_DIMENSION / 2}, or ${MAX_DIMENSION}`,
    });
  }
}

/** f_i: the i-th of the R interleaved parts of s, in the order in which packing consumes them. */
export function packingTarget(secret: Int8Array, rank: number, index: number): Int8Array<ArrayBuffer> {
  const target = new Int8Array(DEGREE);
  for (let at = 0; at < DEGREE; at += rank) target[at] = secret[at + rank - 1 - index]!;
  return target;
}

function negated(values: Int8Array): Int8Array {
  return values.map((value) => -value);
}

/** `e - a*s`, in NTT form. */
function maskedError<Poly, Factor>(
  ring: PolyRing<Poly, Factor>,
  minusSecret: Factor,
  bytes: Uint8Array,
  offsetA: number,
  error: ArrayLike<number>,
): Poly {
  const errorNtt = ring.fromIntegers(error);
  ring.forward(errorNtt);
  return ring.multiplyAdd(ring.read(bytes, offsetA)!, minusSecret, errorNtt);
}

/** Writes switching keys to one secret. */
class SwitchingKeyWriter {
  readonly #ringQ = doubleRing();
  readonly #ringP = bigIntRing(P, PSI_P);
  readonly #minusSecretQ;
  readonly #minusSecretP;
  readonly #timesP = this.#ringQ.factor(this.#ringQ.filled(P));
  readonly #sampleError: () => Int8Array;

  constructor(readonly secret: Int8Array, readonly words: RandomWords) {
    this.#minusSecretQ = secretFactor(this.#ringQ, negated(secret));
    this.#minusSecretP = secretFactor(this.#ringP, negated(secret));
    this.#sampleError = errorSampler(words);
  }

  /** The NTT form of a polynomial with small coefficients. */
  transformed(coefficients: ArrayLike<number>): DoublePoly {
    const poly = this.#ringQ.fromIntegers(coefficients);
    this.#ringQ.forward(poly);
    return poly;
  }

  /** The NTT form of s^2. */
  secretSquared(): DoublePoly {
    const secret = this.transformed(this.secret);
    return this.#ringQ.multiplyAdd(secret, this.#ringQ.factor(secret), this.#ringQ.filled(0n));
  }

  /** Writes K(f) for an f in NTT form. */
  write(target: DoublePoly, bytes: Uint8Array, offsets: SwitchingKeyOffsets): void {
    bytes.set(sampleUniform(this.#ringQ.modulus, this.words), offsets.aQ);
    bytes.set(sampleUniform(this.#ringP.modulus, this.words), offsets.aP);
    const error = this.#sampleError();
    const masked = maskedError(this.#ringQ, this.#minusSecretQ, bytes, offsets.aQ, error);
    this.#ringQ.write(this.#ringQ.multiplyAdd(target, this.#timesP, masked), bytes, offsets.bQ);
    this.#ringP.write(maskedError(this.#ringP, this.#minusSecretP, bytes, offsets.aP, error), bytes, offsets.bP);
  }
}

function makeEncryptionKey(writer: SwitchingKeyWriter): Uint8Array {
  const raw = new Uint8Array(ENCRYPTION_KEY_BYTES);
  raw.set(rawHeader(ENCRYPTION_KEY_TAG));
  writer.write(writer.transformed(new Int8Array(DEGREE)), raw, ENCRYPTION_KEY_OFFSETS);
  return raw;
}

function makeRankKeys(writer: SwitchingKeyWriter, rank: number, step: () => void): Uint8Array {
  const raw = new Uint8Array(rankKeysBytes(rank));
  raw[0] = EVALUATION_KEY_TAG;
  writer.write(writer.secretSquared(), raw, RELINEARISATION_KEY_OFFSETS);
  step();
  for (let i = 0; i < rank; i++) {
    const target = writer.transformed(packingTarget(writer.secret, rank, i));
    writer.write(target, raw, packingKeyOffsets(rank, i));
    step();
  }
  return raw;
}

/**
 * Makes a fresh key set and returns its three files' texts.
 *
 * Takes about a third of a second for rank 32: not for an event loop that serves requests.
 *
 * @param random A cryptographically secure source; about 2.5 MB are drawn for rank 32.
 * @throws {VaultError} `invalid_argument` for a dimension or key id that is not allowed.
 */
export function generateKeySet(
  request: KeySetRequest,
  random: RandomSource,
  onProgress: KeyProgress = () => {},
): NewKeySetFiles {
  assertKeyDimension(request.dimension);
  assertKeyId(request.keyId);
  const { dimension, keyId, now } = request;
  const rank = rankOf(dimension);
  let done = 0;
  const step = () => onProgress(++done, rank + 2);
  const words = new RandomWords(random);
  const secretKey = new FheSecretKey(keyId, sampleSecret(words));
  const writer = new SwitchingKeyWriter(secretKey.coefficients(), words);
  const encryptionKey = makeEncryptionKey(writer);
  step();
  const evaluationKey = encodeEvaluationKey(dimension, makeRankKeys(writer, rank, step));
  return {
    secKeyJson: formatKeyEnvelope("seckey", keyId, encodeSecretKey(secretKey), now),
    encKeyJson: formatKeyEnvelope("enckey", keyId, encryptionKey, now),
    evalKeyJson: formatKeyEnvelope("evalkey", keyId, evaluationKey, now),
  };
}
