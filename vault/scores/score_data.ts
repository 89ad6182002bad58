/**
 * The ciphertext of one shard: a header of 33 bytes, then blocks of polynomials in NTT form.
 *
 *     0 u8 kind | 1 u32 total | 5 i32 level | 9 u64 rows n | 17 u64 dim | 25 u64 degree | 33 polynomials
 *
 * With B = ceil(n / 4096): all B `a` parts modulo Q, all B `b` parts modulo Q, and at level 1 the same modulo P.
 * `total` and `dim` are not used. The length must be exactly what the header says: a reader that fills up a short one
 * with zeros answers with scores that nobody computed.
 *
 * @module
 */

import { VaultError } from "../errors.ts";
import { DEGREE, POLY_BYTES } from "./params.ts";

const HEADER_BYTES = 33;
const SCORE_KIND = 0;

/** Places of the polynomials of one block, as offsets into the data. */
export interface BlockOffsets {
  readonly aQ: number;
  readonly bQ: number;
  /** Meaningful at level 1 only. */
  readonly aP: number;
  readonly bP: number;
}

/** A header that was checked against the length of what follows it. */
export interface ScoreData {
  readonly bytes: Uint8Array;
  readonly level: 0 | 1;
  readonly rows: number;
  readonly blocks: number;
}

function malformed(what: string, problem: string): VaultError {
  return new VaultError("invalid_argument", `${what} ${problem}`);
}

/** A u64 that is exact when it matters: lengths are compared with far smaller ones. */
function readU64(view: DataView, offset: number): number {
  return view.getUint32(offset + 4, true) * 2 ** 32 + view.getUint32(offset, true);
}

/**
 * Reads and checks the header. Nothing is allocated, whatever n says.
 *
 * @param bytes The data of one entry.
 * @param what How messages call the entry.
 * @throws {VaultError} `invalid_argument` for another kind, level or degree, or a length that does not fit n.
 */
export function readScoreData(bytes: Uint8Array, what: string): ScoreData {
  if (bytes.length < HEADER_BYTES) throw malformed(what, `has ${bytes.length} bytes of data, fewer than a header`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const kind = view.getUint8(0);
  if (kind !== SCORE_KIND) throw malformed(what, `has result kind ${kind}, expected ${SCORE_KIND}`);
  const level = view.getInt32(5, true);
  if (level !== 0 && level !== 1) throw malformed(what, `has level ${level}, expected 0 or 1`);
  const degree = readU64(view, 25);
  if (degree !== DEGREE) throw malformed(what, `has degree ${degree}, expected ${DEGREE}`);
  const rows = readU64(view, 9);
  const blocks = Math.ceil(rows / DEGREE);
  const expected = HEADER_BYTES + blocks * POLY_BYTES * (level === 0 ? 2 : 4);
  if (bytes.length !== expected) {
    throw malformed(what, `has ${bytes.length} bytes of data, expected ${expected} for ${rows} rows at level ${level}`);
  }
  return { bytes, level, rows, blocks };
}

/** Where the polynomials of one block are. */
export function blockOffsets(data: ScoreData, block: number): BlockOffsets {
  const at = (group: number) => HEADER_BYTES + (group * data.blocks + block) * POLY_BYTES;
  return { aQ: at(0), bQ: at(1), aP: at(2), bP: at(3) };
}
