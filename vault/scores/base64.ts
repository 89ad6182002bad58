/**
 * Standard base64 (RFC 4648 §4), strictly: padded, canonical, nothing else in between.
 *
 * The platform's own decoder skips what it does not know, so two different texts could carry one ciphertext and a
 * damaged one could pass for a shorter one. There is exactly one canonical text for any bytes, so encoding again tells.
 *
 * @module
 */

import { Buffer } from "node:buffer";

/** Decodes canonical standard base64; null for any other text. */
export function decodeBase64(text: string): Uint8Array | null {
  const bytes = Buffer.from(text, "base64");
  if (bytes.toString("base64") !== text) return null;
  // A plain array: `slice` of a Buffer would share its memory.
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** Encodes bytes as {@link decodeBase64} accepts them. */
export function encodeBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64");
}
