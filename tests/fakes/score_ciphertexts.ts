/**
 * Score ciphertexts as a client and a server together would make them, from scores that a test chooses.
 *
 * Only tests encrypt scores: in service they come out of an index that computes on encrypted vectors.
 *
 * @module
 */

import type { RandomSource } from "../../vault/ports.ts";
import { encodeBase64 } from "../../vault/scores/base64.ts";
import { errorSampler } from "../../vault/scores/gaussian.ts";
import { sampleUniform } from "../../vault/scores/key_sampling.ts";
import { doubleRing } from "../../vault/scores/ntt.ts";
import { bigIntRing } from "../../vault/scores/ntt_bigint.ts";
import { DEGREE, P, POLY_BYTES, PSI_P, Q, SCORE_UNIT } from "../../vault/scores/params.ts";
import type { PolyRing } from "../../vault/scores/poly_ring.ts";
import { RandomWords } from "../../vault/scores/random_words.ts";
import { coefficientOfRow, rankOf } from "../../vault/scores/rows.ts";
import { secretFactor } from "../../vault/scores/score_opener.ts";

/** Header fields of an entry's data, all of which a test may set wrongly. */
export interface ScoreHeader {
  readonly kind?: number;
  readonly totalCount?: number;
  readonly level?: number;
  readonly rows: number | bigint;
  readonly dimension?: number;
  readonly degree?: number | bigint;
}

/** Joins byte arrays. */
export function joinBytes(...parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const joined = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  parts.reduce((at, part) => (joined.set(part, at), at + part.length), 0);
  return joined;
}

/** The data of an entry: a header and polynomials, in the order in which they are given. */
export function scoreData(header: ScoreHeader, polynomials: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const view = new DataView(new ArrayBuffer(33));
  view.setUint8(0, header.kind ?? 0);
  view.setUint32(1, header.totalCount ?? 0, true);
  view.setInt32(5, header.level ?? 0, true);
  view.setBigUint64(9, BigInt(header.rows), true);
  view.setBigUint64(17, BigInt(header.dimension ?? 0), true);
  view.setBigUint64(25, BigInt(header.degree ?? DEGREE), true);
  return joinBytes(new Uint8Array(view.buffer), ...polynomials);
}

/** A protobuf varint. */
export function varint(value: number | bigint): Uint8Array<ArrayBuffer> {
  const bytes: number[] = [];
  let rest = BigInt(value);
  for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
  return new Uint8Array([...bytes, Number(rest)]);
}

/** A protobuf field of wire type 2. */
export function bytesField(field: number, content: Uint8Array): Uint8Array<ArrayBuffer> {
  return joinBytes(varint(8 * field + 2), varint(content.length), content);
}

/** A protobuf field of wire type 0. */
export function varintField(field: number, value: number | bigint): Uint8Array<ArrayBuffer> {
  return joinBytes(varint(8 * field), varint(value));
}

/** A CiphertextScore message; without shards it has no shard list. */
export function scoreMessage(
  data: readonly Uint8Array[],
  shards: readonly (number | bigint)[] = [],
): Uint8Array<ArrayBuffer> {
  const shardList = shards.length === 0 ? [] : [bytesField(2, joinBytes(...shards.map(varint)))];
  return joinBytes(...shardList, ...data.map((bytes) => bytesField(3, bytesField(2, bytes))));
}

/** The text that a client sends for a message. */
export function scoreBlob(data: readonly Uint8Array[], shards: readonly number[] = []): string {
  return encodeBase64(scoreMessage(data, shards));
}

/** Encrypts polynomials of integer coefficients under one secret key. */
export class ScoreEncryptor {
  readonly #words: RandomWords;
  readonly #sampleError: () => Int8Array;
  readonly #ringQ = doubleRing();
  readonly #ringP = bigIntRing(P, PSI_P);
  readonly #rows: Uint16Array;

  constructor(readonly coefficients: Int8Array, readonly dimension: number, random: RandomSource) {
    this.#words = new RandomWords(random);
    this.#sampleError = errorSampler(this.#words);
    this.#rows = coefficientOfRow(rankOf(dimension));
  }

  /** Data of an entry with these scores as rows 0, 1, ...; unused rows of the last block are 0. */
  encryptScores(scores: ArrayLike<number>, level: 0 | 1 = 0): Uint8Array<ArrayBuffer> {
    const blocks = Math.ceil(scores.length / DEGREE);
    const plain = Array.from({ length: blocks }, (_, block) => this.#plainBlock(scores, block));
    return this.encryptBlocks(plain, scores.length, level);
  }

  /** Data of an entry whose blocks have the given integer coefficients. */
  encryptBlocks(plain: readonly ArrayLike<number>[], rows: number, level: 0 | 1 = 0): Uint8Array<ArrayBuffer> {
    const noisy = plain.map((coefficients) => {
      const error = this.#sampleError();
      return Float64Array.from(error, (value, i) => value + coefficients[i]!);
    });
    const moduloQ = noisy.map((block) => this.#encrypt(this.#ringQ, block));
    const moduloP = level === 0 ? [] : noisy.map((block) => this.#encrypt(this.#ringP, block));
    const groups = [moduloQ, moduloP].flatMap((pairs) => [...pairs.map(([a]) => a!), ...pairs.map(([, b]) => b!)]);
    return scoreData({ level, rows }, groups);
  }

  #plainBlock(scores: ArrayLike<number>, block: number): Float64Array {
    const plain = new Float64Array(DEGREE);
    const first = block * DEGREE;
    for (let row = 0; row < DEGREE && first + row < scores.length; row++) {
      plain[this.#rows[row]!] = Math.round(scores[first + row]! / SCORE_UNIT);
    }
    return plain;
  }

  /** a uniform, b = m + e - a*s, both in stored NTT form. */
  #encrypt<Poly, Factor>(ring: PolyRing<Poly, Factor>, plain: ArrayLike<number>): [Uint8Array, Uint8Array] {
    const a = sampleUniform(ring.modulus, this.#words);
    const b = new Uint8Array(POLY_BYTES);
    const plainNtt = ring.fromIntegers(plain);
    ring.forward(plainNtt);
    const minusSecret = secretFactor(ring, this.coefficients.map((value) => -value));
    ring.write(ring.multiplyAdd(ring.read(a, 0)!, minusSecret, plainNtt), b, 0);
    return [a, b];
  }
}

/** Data of an entry with polynomials of uniform residues: what another key's ciphertext looks like. */
export function uniformScoreData(rows: number, random: RandomSource): Uint8Array<ArrayBuffer> {
  const words = new RandomWords(random);
  const polynomials = Array.from({ length: 2 * Math.ceil(rows / DEGREE) }, () => sampleUniform(Q, words));
  return scoreData({ rows }, polynomials);
}
