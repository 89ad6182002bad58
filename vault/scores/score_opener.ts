/**
 * Decrypts score ciphertexts and keeps the best rows. Pure computation: the threads around it are
 * `score_workers.ts`'s, deciding who may ask is the caller's.
 *
 * @module
 */

import { VaultError } from "../errors.ts";
import { combineResidues, LEVEL_1_MODULUS } from "./crt.ts";
import { isNoise } from "./noise.ts";
import { type DoubleFactor, type DoubleRing, doubleRing } from "./ntt.ts";
import { type BigIntRing, bigIntRing, type BigPoly } from "./ntt_bigint.ts";
import { P, PSI_P, SCORE_UNIT } from "./params.ts";
import type { PolyRing } from "./poly_ring.ts";
import { coefficientOfRow, rankOf } from "./rows.ts";
import { blockOffsets, readScoreData, type ScoreData } from "./score_data.ts";
import { decodeScoreBlob } from "./score_message.ts";
import { type ScoreRow, TopRows } from "./top_rows.ts";

/** What it takes to read the scores of an index: the key's coefficients and the index's dimension. */
export interface OpeningKey {
  /** 4096 values of -1, 0 and 1. */
  readonly coefficients: Int8Array;
  readonly dimension: number;
}

/** A key made ready for use: what depends on it alone is computed once. */
interface PreparedKey {
  readonly coefficients: Int8Array;
  readonly coefficientOfRow: Uint16Array;
  readonly factorQ: DoubleFactor;
  /** Made at the first ciphertext of level 1, which servers are not known to send. */
  factorP?: BigPoly;
}

/** NTT form of a secret, ready for products. */
export function secretFactor<Poly, Factor>(ring: PolyRing<Poly, Factor>, coefficients: ArrayLike<number>): Factor {
  const secret = ring.fromIntegers(coefficients);
  ring.forward(secret);
  return ring.factor(secret);
}

/**
 * The plaintext polynomial b + a*s of one ciphertext, as coefficients.
 *
 * @param bytes Holds `a` and `b` in NTT form at the two offsets.
 * @returns null when a residue is not below the ring's modulus.
 */
export function decryptPolynomial<Poly, Factor>(
  ring: PolyRing<Poly, Factor>,
  secret: Factor,
  bytes: Uint8Array,
  offsetA: number,
  offsetB: number,
): Poly | null {
  const a = ring.read(bytes, offsetA);
  const b = ring.read(bytes, offsetB);
  if (a === null || b === null) return null;
  const plain = ring.multiplyAdd(a, secret, b);
  ring.inverse(plain);
  return plain;
}

/** One job: the rows so far, and the key that opened the first block and must open the rest. */
interface Opening {
  readonly top: TopRows;
  readonly stopped: () => boolean;
  key: PreparedKey | null;
}

/** Opens score ciphertexts with one of a few secret keys. Holds the keys for as long as it lives. */
export class ScoreOpener {
  readonly #ringQ: DoubleRing = doubleRing();
  readonly #keys: readonly PreparedKey[];
  #ringP: BigIntRing | null = null;

  /** @param keys The keys an index may be under, the likeliest first. */
  constructor(keys: readonly OpeningKey[]) {
    this.#keys = keys.map(({ coefficients, dimension }) => ({
      coefficients,
      coefficientOfRow: coefficientOfRow(rankOf(dimension)),
      factorQ: secretFactor(this.#ringQ, coefficients),
    }));
  }

  /**
   * Decrypts every block of a ciphertext and returns its best rows.
   *
   * @param blobBase64 Canonical standard base64 of the protobuf message.
   * @param topK How many rows at most; all rows of all shards compete.
   * @param stopped Asked before each block; once true, the work ends.
   * @returns Best first; equal scores in order of entry, then row. Scores are float32 values.
   * @throws {VaultError} `invalid_argument` when the ciphertext is malformed or decrypts to noise under every key,
   * `cancelled` when it was stopped.
   */
  open(blobBase64: string, topK: number, stopped: () => boolean = () => false): ScoreRow[] {
    const entries = decodeScoreBlob(blobBase64).map(({ shardIndex, data }, i) => ({
      shardIndex,
      what: `Entry ${i} of the score ciphertext`,
      data: readScoreData(data, `Entry ${i} of the score ciphertext`),
    }));
    const opening: Opening = { top: new TopRows(topK), stopped, key: null };
    for (const { shardIndex, what, data } of entries) this.#openEntry(opening, shardIndex, what, data);
    return opening.top.sorted();
  }

  #openEntry(opening: Opening, shardIndex: number, what: string, data: ScoreData): void {
    for (let block = 0; block < data.blocks; block++) {
      if (opening.stopped()) throw new VaultError("cancelled", "The request was cancelled");
      const { centred, key } = this.#decryptBlock(opening.key, what, data, block);
      opening.key = key;
      const first = block * centred.length;
      const rows = Math.min(centred.length, data.rows - first);
      for (let row = 0; row < rows; row++) {
        const score = Math.fround(centred[key.coefficientOfRow[row]!]! * SCORE_UNIT);
        opening.top.offer(shardIndex, first + row, score);
      }
    }
  }

  /** The block's coefficients under the given key, or under the first of all keys that yields more than noise. */
  #decryptBlock(known: PreparedKey | null, what: string, data: ScoreData, block: number) {
    for (const key of known === null ? this.#keys : [known]) {
      const centred = this.#centredBlock(key, data, block);
      if (centred === null) {
        throw new VaultError("invalid_argument", `${what} has a residue that is not below its modulus`);
      }
      if (!isNoise(centred, data.level === 0 ? Number(this.#ringQ.modulus) : LEVEL_1_MODULUS)) return { centred, key };
    }
    throw new VaultError("invalid_argument", `${what} does not decrypt under this vault's key`);
  }

  #centredBlock(key: PreparedKey, data: ScoreData, block: number): Float64Array | null {
    const { aQ, bQ, aP, bP } = blockOffsets(data, block);
    const plainQ = decryptPolynomial(this.#ringQ, key.factorQ, data.bytes, aQ, bQ);
    if (plainQ === null) return null;
    if (data.level === 0) return this.#ringQ.centred(plainQ);
    const ringP = this.#ringP ??= bigIntRing(P, PSI_P);
    const factorP = key.factorP ??= secretFactor(ringP, key.coefficients);
    const plainP = decryptPolynomial(ringP, factorP, data.bytes, aP, bP);
    if (plainP === null) return null;
    return combineResidues((i) => this.#ringQ.residue(plainQ, i), (i) => ringP.residue(plainP, i));
  }
}
