/**
 * An enVector index, as far as its answers go: it holds vectors encrypted under `EncKey.json`, multiplies them with a
 * plain query, and packs the scores with the packing keys of `EvalKey.json`. It never sees the secret key.
 *
 * Follows what is known of the real server (rank-R chunks, hybrid key switching); slow, and for tests only.
 *
 * @module
 */

import type { RandomSource } from "../../vault/ports.ts";
import { ENCRYPTION_KEY_OFFSETS, packingKeyOffsets } from "../../vault/scores/evaluation_key.ts";
import { errorSampler } from "../../vault/scores/gaussian.ts";
import { type DoublePoly, doubleRing } from "../../vault/scores/ntt.ts";
import { bigIntRing, inverseMod } from "../../vault/scores/ntt_bigint.ts";
import { DEGREE, P, POLY_BYTES, PSI_P, Q } from "../../vault/scores/params.ts";
import { RandomWords } from "../../vault/scores/random_words.ts";
import { scoreData } from "./score_ciphertexts.ts";

const VECTOR_SCALE = 2 ** 24;

interface Ciphertext {
  readonly a: DoublePoly;
  readonly b: DoublePoly;
}

/** Adds centred residues to a sum, which stays exact. */
function addModQ(sum: Float64Array, values: Float64Array): void {
  for (let i = 0; i < DEGREE; i++) sum[i] = (sum[i]! + values[i]!) % Number(Q);
}

/** Vectors encrypted chunk by chunk; all vectors of one batch share a polynomial for each chunk. */
export class EncryptedScoreIndex {
  readonly #ring = doubleRing();
  readonly #ringP = bigIntRing(P, PSI_P);
  readonly #zero = this.#ring.filled(0n);
  readonly #batches: Ciphertext[][] = [];

  /**
   * @param encryptionKey Raw bytes of EncKey.json.
   * @param rankKeys Content of EVIKeys<R>.bin.
   */
  constructor(
    readonly encryptionKey: Uint8Array,
    readonly rankKeys: Uint8Array,
    readonly rank: number,
    vectors: readonly Float64Array[],
    random: RandomSource,
  ) {
    const words = new RandomWords(random);
    const sampleError = errorSampler(words);
    const items = DEGREE / rank;
    for (let first = 0; first < vectors.length; first += items) {
      const batch = vectors.slice(first, first + items);
      const chunks = Math.ceil(vectors[0]!.length / rank);
      this.#batches.push(Array.from({ length: chunks }, (_, c) => this.#encryptChunk(batch, c, words, sampleError)));
    }
    this.vectorCount = vectors.length;
  }

  readonly vectorCount: number;

  /** Data of an entry with the inner products of all vectors and a query; at most one block. */
  score(query: Float64Array): Uint8Array<ArrayBuffer> {
    const chunks = Math.ceil(query.length / this.rank);
    const factors = Array.from({ length: chunks }, (_, c) => this.#ring.factor(this.#queryChunk(query, c)));
    const products = this.#batches.map((batch) =>
      batch.reduce<Ciphertext>((sum, chunk, c) => ({
        a: this.#ring.multiplyAdd(chunk.a, factors[c]!, sum.a),
        b: this.#ring.multiplyAdd(chunk.b, factors[c]!, sum.b),
      }), { a: this.#zero, b: this.#zero })
    );
    for (const { a, b } of products) {
      this.#ring.inverse(a);
      this.#ring.inverse(b);
    }
    return this.#pack(products);
  }

  /** v*K(0) + (e0, e1 + m): what a client makes of one chunk of a batch. */
  #encryptChunk(batch: Float64Array[], chunk: number, words: RandomWords, error: () => Int8Array): Ciphertext {
    const plain = new Float64Array(DEGREE);
    batch.forEach((vector, p) => {
      for (let i = 0; i < this.rank; i++) {
        plain[p * this.rank + i] = Math.round((vector[chunk * this.rank + i] ?? 0) * VECTOR_SCALE);
      }
    });
    const ephemeral = this.#ring.factor(this.#transformed(Int8Array.from(plain, () => [0, 0, 1, -1][words.below(4)]!)));
    const noise = this.#transformed(error());
    const message = this.#transformed(Float64Array.from(error(), (value, i) => value + plain[i]!));
    const [keyA, keyB] = [ENCRYPTION_KEY_OFFSETS.aQ, ENCRYPTION_KEY_OFFSETS.bQ].map((at) =>
      this.#ring.read(this.encryptionKey, at)!
    );
    return {
      a: this.#ring.multiplyAdd(keyA!, ephemeral, noise),
      b: this.#ring.multiplyAdd(keyB!, ephemeral, message),
    };
  }

  /** A chunk of the query, reversed, so that coefficient p*R + R-1 of a product is item p's share of the score. */
  #queryChunk(query: Float64Array, chunk: number): DoublePoly {
    const plain = new Float64Array(DEGREE);
    for (let i = 0; i < this.rank; i++) {
      plain[this.rank - 1 - i] = Math.round((query[chunk * this.rank + i] ?? 0) * VECTOR_SCALE);
    }
    return this.#transformed(plain);
  }

  #transformed(values: ArrayLike<number>): DoublePoly {
    const poly = this.#ring.fromIntegers(values);
    this.#ring.forward(poly);
    return poly;
  }

  /**
   * Moves coefficient p*R + R-1 of the k-th product to p*R + k of one ciphertext.
   *
   * The wanted coefficients of a*s are sum over i of A_i * f_i, where A_i holds a's coefficients at places i mod R;
   * so the A_i of all products, each shifted by its k, are gathered and switched with K(f_i) once.
   */
  #pack(products: readonly Ciphertext[]): Uint8Array<ArrayBuffer> {
    const sums = [new Float64Array(DEGREE), new Float64Array(DEGREE)];
    for (let i = 0; i < this.rank; i++) {
      const gathered = this.#gather(products.map(({ a }) => a), i);
      this.#switchKey(gathered, i).forEach((part, which) => addModQ(sums[which]!, part));
    }
    const own = this.#gather(products.map(({ b }) => b), this.rank - 1);
    addModQ(sums[1]!, own);
    const [a, b] = sums.map((values) => {
      const bytes = new Uint8Array(POLY_BYTES);
      this.#ring.write(this.#transformed(values), bytes, 0);
      return bytes;
    });
    return scoreData({ rows: this.vectorCount, dimension: this.rank }, [a!, b!]);
  }

  /** Coefficients i, i+R, i+2R, ... of the k-th polynomial, moved to k, k+R, k+2R, ..., centred. */
  #gather(polynomials: readonly DoublePoly[], i: number): Float64Array {
    const gathered = new Float64Array(DEGREE);
    polynomials.forEach((poly, k) => {
      const centred = this.#ring.centred(poly);
      for (let at = 0; at < DEGREE; at += this.rank) gathered[at + k] = centred[at + i]!;
    });
    return gathered;
  }

  /** x times K(f_i), divided by P: a ciphertext of x * f_i, as two polynomials of centred coefficients. */
  #switchKey(x: Float64Array, i: number): [Float64Array, Float64Array] {
    const offsets = packingKeyOffsets(this.rank, i);
    const xQ = this.#ring.factor(this.#transformed(x));
    const xP = this.#ringP.fromIntegers(x);
    this.#ringP.forward(xP);
    const divided = (offsetQ: number, offsetP: number) => {
      const productQ = this.#ring.multiplyAdd(this.#ring.read(this.rankKeys, offsetQ)!, xQ, this.#zero);
      const productP = this.#ringP.multiplyAdd(this.#ringP.read(this.rankKeys, offsetP)!, xP, this.#ringP.filled(0n));
      this.#ring.inverse(productQ);
      this.#ringP.inverse(productP);
      return this.#divideByP(productQ, (at) => this.#ringP.residue(productP, at));
    };
    return [divided(offsets.aQ, offsets.aP), divided(offsets.bQ, offsets.bP)];
  }

  /** round(value / P) mod Q, where value is known modulo Q and modulo P. */
  #divideByP(moduloQ: DoublePoly, residueP: (at: number) => bigint): Float64Array {
    const inverseP = inverseMod(P % Q, Q);
    return moduloQ.map((residue, at) => {
      const rest = residueP(at);
      const centredRest = rest > P / 2n ? rest - P : rest;
      const quotient = ((BigInt(residue) - centredRest) % Q + Q) % Q * inverseP % Q;
      return Number(quotient > Q / 2n ? quotient - Q : quotient);
    });
  }
}
