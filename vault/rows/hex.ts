/**
 * Hex digits read in place: at every look-up and for every row of a start, so that no string is made on the way.
 *
 * @module
 */

const ZERO = 48, NINE = 57, LOWER_A = 97, LOWER_F = 102, HYPHEN = 45;
const ID_CHARS = 36, ID_BYTES = 16;
/** Where the bytes of a UUID's text begin (RFC 9562 §4). */
const ID_STARTS = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34] as const;
const HYPHENS = [8, 13, 18, 23] as const;

/** The byte that two lower-case digits at a place write; negative: they are none. */
export function byteAt(text: string, place: number): number {
  return digit(text.charCodeAt(place)) << 4 | digit(text.charCodeAt(place + 1));
}

/** Reads a UUID in lower case; false: it is none, and `bytes` holds nothing of worth. */
export function readUuid(text: string, bytes: Uint8Array): boolean {
  if (text.length !== ID_CHARS) return false;
  for (const place of HYPHENS) if (text.charCodeAt(place) !== HYPHEN) return false;
  for (let i = 0; i < ID_BYTES; i++) {
    const byte = byteAt(text, ID_STARTS[i]!);
    if (byte < 0) return false;
    bytes[i] = byte;
  }
  return true;
}

/** Whether a column's bytes from `start` on are those of a UUID's text. Ids differ at their ends: it looks there first. */
export function isUuid(bytes: Uint8Array, start: number, text: string): boolean {
  for (let i = ID_BYTES - 1; i >= 0; i--) if (bytes[start + i] !== byteAt(text, ID_STARTS[i]!)) return false;
  return text.length === ID_CHARS && HYPHENS.every((place) => text.charCodeAt(place) === HYPHEN);
}

/** Whether a column's bytes from `start` on are those that `text` writes, and it writes `count`. */
export function isHex(bytes: Uint8Array, start: number, count: number, text: string): boolean {
  if (text.length !== count * 2) return false;
  for (let i = 0; i < count; i++) if (bytes[start + i] !== byteAt(text, i * 2)) return false;
  return true;
}

/** Four bytes as one number. */
export function mixed(first: number, second: number, third: number, fourth: number): number {
  return (first << 24 | second << 16 | third << 8 | fourth) >>> 0;
}

function digit(code: number): number {
  if (code >= ZERO && code <= NINE) return code - ZERO;
  return code >= LOWER_A && code <= LOWER_F ? code - LOWER_A + 10 : -1;
}
