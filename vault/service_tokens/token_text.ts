/**
 * The texts of service tokens and accessors, and what is kept of a token.
 *
 * @module
 */

import { createHmac } from "node:crypto";
import type { RandomSource } from "../ports.ts";

const BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/** Bytes from here on would make some letters likelier than others. */
const UNBIASED = 248;
/** 28 letters are 166 random bits. */
const TOKEN_LETTERS = 28;
const ACCESSOR_LETTERS = 24;

/** `hvs.` is what secret scanners look for. */
export const SERVICE_TOKEN_PREFIX = "hvs.";

/** Draws letters and digits, each as likely as any other. */
export function randomBase62(random: RandomSource, length: number): string {
  let text = "";
  while (text.length < length) {
    for (const byte of random.bytes(length + 8)) {
      if (byte < UNBIASED && text.length < length) text += BASE62[byte % BASE62.length];
    }
  }
  return text;
}

/** Draws a new service token. */
export function newServiceToken(random: RandomSource): string {
  return SERVICE_TOKEN_PREFIX + randomBase62(random, TOKEN_LETTERS);
}

/** Draws a new accessor: a name of a token by which it can be looked up and revoked, not used. */
export function newAccessor(random: RandomSource): string {
  return randomBase62(random, ACCESSOR_LETTERS);
}

/** Hashes tokens for the store. */
export class TokenHasher {
  readonly #key: Uint8Array;

  /** @param key Derived from the seal key, so that a stolen store tests no guess of a token that somebody chose. */
  constructor(key: Uint8Array) {
    this.#key = key;
  }

  /** HMAC-SHA256 of a token, hex: the key of its record, so that no comparison sees the token itself. */
  hash(token: string): string {
    return createHmac("sha256", this.#key).update(token, "utf8").digest("hex");
  }
}
