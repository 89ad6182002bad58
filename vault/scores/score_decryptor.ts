/**
 * What the rest of the program asks of score decryption.
 *
 * @module
 */

import type { FheSecretKey } from "./secret_key.ts";
import type { ScoreRow } from "./top_rows.ts";

/** A secret key with the dimension of the indexes under it, which decides the order of rows. */
export interface ScoreKey {
  /** The key, whose id nothing here looks at. */
  readonly secretKey: FheSecretKey;
  /** 32 to 4096: of the evaluation key, else as configured. */
  readonly dimension: number;
}

/** Opens score ciphertexts. */
export interface ScoreDecryptor {
  /**
   * Decrypts a score ciphertext and returns its best rows over all shards.
   *
   * Whoever may call this can learn the secret key: a ciphertext of their own choosing makes its coefficients appear
   * as scores, all 4096 of them in 28 calls of ten rows. Neither `topK` nor the noise test prevents it. The length of
   * the answer is the number of score rows that left, which the caller adds to the user's count.
   *
   * @param blobBase64 Canonical standard base64 of a `CiphertextScore` message.
   * @param topK Rows wanted, at least 1. That a role allows so many is the caller's to check.
   * @param signal Ends the work when the client has gone.
   * @returns At most `topK` rows, best first; equal scores in order of entry, then row.
   * @throws {VaultError} `invalid_argument` for a malformed ciphertext or one under another key,
   * `precondition_failed` without a key, `rate_limited` when too much is waiting, `cancelled`, `not_ready` once closed.
   */
  decryptScores(blobBase64: string, topK: number, signal?: AbortSignal): Promise<ScoreRow[]>;
}
