/**
 * Standard base64 (RFC 4648 §4), strictly: padded, canonical, nothing else in between.
 *
 * The platform's own decoders skip what they do not know, so two different texts could carry one ciphertext and a
 * damaged one could pass for a shorter one.
 *
 * @module
 */

import { Buffer } from "node:buffer";

const FORM = /^[A-Za-z0-9+/]*={0,2}$/;
const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/** Bits of the last digit that carry nothing, which RFC 4648 §3.5 wants zero: two for each `=`. */
function hasStrayBits(text: string): boolean {
  const padding = text.endsWith("==") ? 2 : text.endsWith("=") ? 1 : 0;
  const lastDigit = ALPHABET.indexOf(text.charAt(text.length - padding - 1));
  return padding > 0 && lastDigit % (1 << 2 * padding) !== 0;
}

/** Decodes canonical standard base64; null for any other text. */
export function decodeBase64(text: string): Uint8Array | null {
  if (text.length % 4 !== 0 || !FORM.test(text) || hasStrayBits(text)) return null;
  return Buffer.from(text, "base64");
}

/** Encodes bytes as {@link decodeBase64} accepts them. */
export function encodeBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64");
}
