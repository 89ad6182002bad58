/**
 * Random bytes that a test can have again: AES-256-CTR under a key made from a seed.
 *
 * Statistics of generated keys are tested on it, so that a bound that holds once holds always.
 *
 * @module
 */

import { createCipheriv, createHash } from "node:crypto";
import type { RandomSource } from "../../vault/ports.ts";

/** Bytes that look uniform and depend on the seed alone. */
export function seededRandom(seed: string): RandomSource {
  const cipher = createCipheriv("aes-256-ctr", createHash("sha256").update(seed).digest(), new Uint8Array(16));
  return { bytes: (length) => new Uint8Array(cipher.update(new Uint8Array(length))) };
}
