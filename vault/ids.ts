/**
 * Identifiers drawn by the vault.
 *
 * @module
 */

import type { Clock, RandomSource } from "./ports.ts";

/**
 * A new entity id: a UUID version 7 (RFC 9562 §5.7), so that the store's key order is the order of creation.
 * It tells when the entity was made and nothing else.
 */
export function newEntityId(clock: Clock, random: RandomSource): string {
  const bytes = random.bytes(16);
  const view = new DataView(bytes.buffer, bytes.byteOffset, 16);
  const now = clock.now();
  view.setUint32(0, Math.floor(now / 0x10000));
  view.setUint16(4, now % 0x10000);
  view.setUint8(6, 0x70 | (view.getUint8(6) & 0x0f));
  view.setUint8(8, 0x80 | (view.getUint8(8) & 0x3f));
  return formatUuid(bytes);
}

/** A random UUID, version 4 (RFC 9562 §5.4). */
export function newUuid(random: RandomSource): string {
  const bytes = random.bytes(16);
  bytes[6] = 0x40 | (bytes[6]! & 0x0f);
  bytes[8] = 0x80 | (bytes[8]! & 0x3f);
  return formatUuid(bytes);
}

function formatUuid(bytes: Uint8Array): string {
  const hex = bytes.toHex();
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
