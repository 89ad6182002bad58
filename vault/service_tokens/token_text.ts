/**
 * The texts of service tokens and accessors, and what is kept of a token.
 *
 * @module
 */

import { createHash, type Hash } from "node:crypto";
import type { RandomSource } from "../ports.ts";
import { hashToken } from "../tokens/user_token.ts";

const BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/** Bytes from here on would make some letters likelier than others. */
const UNBIASED = 248;
/** 28 letters are 166 random bits. */
const TOKEN_LETTERS = 28;
const ACCESSOR_LETTERS = 24;

/** Of SHA-256. */
const BLOCK_BYTES = 64;

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

/** Tokens whose hash is remembered. */
const MAX_REMEMBERED = 8192;

/** Hashes tokens for the store. */
export class TokenHasher {
  /** By the SHA-256 of the token, which one call to the runtime gives; an HMAC takes six. The token isn't kept. */
  readonly #remembered = new Map<string, string>();
  /** SHA-256 after the key's two pads (RFC 2104 §4): from there a hash takes a third of the time of a new HMAC. */
  readonly #inner: Hash;
  readonly #outer: Hash;

  /** @param key 32 bytes derived from the seal key, so that a stolen store tests no guess of a token that somebody chose. */
  constructor(key: Uint8Array) {
    this.#inner = createHash("sha256").update(padded(key, 0x36));
    this.#outer = createHash("sha256").update(padded(key, 0x5c));
  }

  /**
   * HMAC-SHA256 of a token, hex: the key of its record, so that no comparison sees the token itself.
   *
   * @param digest Its SHA-256, where that is known already.
   */
  hash(token: string, digest: string = hashToken(token)): string {
    const known = this.#remembered.get(digest);
    if (known !== undefined) return known;
    const made = this.#hmac(token);
    if (this.#remembered.size >= MAX_REMEMBERED) this.#remembered.delete(this.#remembered.keys().next().value!);
    this.#remembered.set(digest, made);
    return made;
  }

  #hmac(token: string): string {
    const inner = this.#inner.copy().update(token, "utf8").digest();
    return this.#outer.copy().update(inner).digest("hex");
  }
}

/** A key of at most a block, filled up with zeros, each byte combined with the pad. */
function padded(key: Uint8Array, pad: number): Uint8Array {
  return Uint8Array.from({ length: BLOCK_BYTES }, (_, i) => (key[i] ?? 0) ^ pad);
}
