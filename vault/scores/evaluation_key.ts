/**
 * The raw evaluation key: two small files in one sequence of records, and the keys for one rank inside.
 *
 *     record: 'F' | u64 length of name | name | i64 size | content
 *     EVIKeys<R>.bin: 0x03 | a_Q a_P b_Q b_P of K(s^2) | R a_Q | R a_P | R b_Q | R b_P of K(f_0) .. K(f_R-1)
 *     metadata-eval.json: {"EvalMode":"RMP","ParameterPreset":"IP0","Ranks":[dimension]}
 *
 * A server uses them; this vault makes them, hands them out, and checks that they are whole.
 *
 * @module
 */

import { VaultError } from "../errors.ts";
import { DEGREE, MAX_DIMENSION, MIN_DIMENSION, P, POLY_BYTES, PRESET, Q } from "./params.ts";
import { rankOf } from "./rows.ts";
import { EVALUATION_KEY_TAG, RAW_HEADER_BYTES } from "./secret_key.ts";

const METADATA_NAME = "metadata-eval.json";
const RECORD_TAG = "F".charCodeAt(0);

/** Where the four polynomials of one key-switching key are. */
export interface SwitchingKeyOffsets {
  readonly aQ: number;
  readonly aP: number;
  readonly bQ: number;
  readonly bP: number;
}

function loneKeyOffsets(start: number): SwitchingKeyOffsets {
  return { aQ: start, aP: start + POLY_BYTES, bQ: start + 2 * POLY_BYTES, bP: start + 3 * POLY_BYTES };
}

/** The encryption key stands behind a raw header that names the preset. */
export const ENCRYPTION_KEY_OFFSETS: SwitchingKeyOffsets = loneKeyOffsets(RAW_HEADER_BYTES);

/** Bytes of a raw encryption key. */
export const ENCRYPTION_KEY_BYTES = RAW_HEADER_BYTES + 4 * POLY_BYTES;

/** The keys of one rank begin with a tag alone: their preset stands in the description beside them. */
export const RELINEARISATION_KEY_OFFSETS: SwitchingKeyOffsets = loneKeyOffsets(1);

const PACKING_KEYS_START = 1 + 4 * POLY_BYTES;

/** Where the i-th packing key of a given rank is. */
export function packingKeyOffsets(rank: number, index: number): SwitchingKeyOffsets {
  const at = (group: number) => PACKING_KEYS_START + (group * rank + index) * POLY_BYTES;
  return { aQ: at(0), aP: at(1), bQ: at(2), bP: at(3) };
}

/** Bytes of the keys of one rank: 4,325,377 for rank 32. */
export function rankKeysBytes(rank: number): number {
  return PACKING_KEYS_START + 4 * rank * POLY_BYTES;
}

/** The power of two that an evaluation key is made for: the dimension, rounded up. */
export function keyDimension(dimension: number): number {
  return 2 ** Math.ceil(Math.log2(dimension));
}

function record(name: string, content: Uint8Array): Uint8Array[] {
  const encoded = new TextEncoder().encode(name);
  const header = new DataView(new ArrayBuffer(9));
  header.setUint8(0, RECORD_TAG);
  header.setBigUint64(1, BigInt(encoded.length), true);
  const size = new DataView(new ArrayBuffer(8));
  size.setBigInt64(0, BigInt(content.length), true);
  return [new Uint8Array(header.buffer), encoded, new Uint8Array(size.buffer), content];
}

function concatenate(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** Puts the keys of one rank and their description together. */
export function encodeEvaluationKey(dimension: number, rankKeys: Uint8Array): Uint8Array {
  const metadata = { EvalMode: "RMP", ParameterPreset: PRESET, Ranks: [keyDimension(dimension)] };
  const text = JSON.stringify(metadata, null, 4) + "\n";
  return concatenate([
    ...record(`EVIKeys${rankOf(keyDimension(dimension))}.bin`, rankKeys),
    ...record(METADATA_NAME, new TextEncoder().encode(text)),
  ]);
}

/** An evaluation key whose form was checked. */
export interface EvaluationKey {
  /** The power of two it is for. */
  readonly dimension: number;
  /** The rank that follows from the dimension. */
  readonly rank: number;
  /** The content of `EVIKeys<R>.bin`. */
  readonly rankKeys: Uint8Array;
}

function malformed(problem: string): VaultError {
  return new VaultError("invalid_argument", `EvalKey.json ${problem}`);
}

function readRecord(raw: Uint8Array, start: number): { name: string; content: Uint8Array; end: number } {
  const view = new DataView(raw.buffer, raw.byteOffset, raw.byteLength);
  const need = (end: number) => {
    if (end > raw.length) throw malformed("holds a truncated record");
  };
  need(start + 9);
  if (raw[start] !== RECORD_TAG) throw malformed("holds something else than file records");
  const nameEnd = start + 9 + Number(view.getBigUint64(start + 1, true));
  need(nameEnd + 8);
  const size = Number(view.getBigInt64(nameEnd, true));
  if (size < 0) throw malformed("holds a record of negative size");
  const contentStart = nameEnd + 8;
  need(contentStart + size);
  return {
    name: new TextDecoder().decode(raw.subarray(start + 9, nameEnd)),
    content: raw.subarray(contentStart, contentStart + size),
    end: contentStart + size,
  };
}

function readRecords(raw: Uint8Array): Map<string, Uint8Array> {
  const records = new Map<string, Uint8Array>();
  for (let at = 0; at < raw.length;) {
    const { name, content, end } = readRecord(raw, at);
    if (records.has(name) || records.size === 2) throw malformed("holds a record too many");
    records.set(name, content);
    at = end;
  }
  return records;
}

function parseDimension(text: string): number {
  let metadata: { EvalMode?: unknown; ParameterPreset?: unknown; Ranks?: unknown } | null;
  try {
    metadata = JSON.parse(text);
  } catch (cause) {
    throw new VaultError("invalid_argument", `EvalKey.json holds a description that is not JSON`, { cause });
  }
  const ranks = metadata?.Ranks;
  const dimension: unknown = Array.isArray(ranks) && ranks.length === 1 ? ranks[0] : null;
  const supported = typeof dimension === "number" && dimension >= MIN_DIMENSION && dimension <= MAX_DIMENSION &&
    Number.isInteger(Math.log2(dimension));
  if (!supported || metadata?.EvalMode !== "RMP" || metadata.ParameterPreset !== PRESET) {
    throw malformed(`is not for mode RMP, preset ${PRESET} and one power of two as dimension`);
  }
  return dimension;
}

/** Whether every stored residue in a run of polynomials is below its modulus. */
function allBelow(bytes: Uint8Array, offset: number, polynomials: number, modulus: bigint): boolean {
  const view = new DataView(bytes.buffer, bytes.byteOffset + offset, polynomials * POLY_BYTES);
  const high = Number(modulus >> 32n);
  const low = Number(modulus & 0xffffffffn);
  for (let at = 0; at < polynomials * DEGREE * 8; at += 8) {
    const word = view.getUint32(at + 4, true);
    if (word > high || (word === high && view.getUint32(at, true) >= low)) return false;
  }
  return true;
}

/** Whether all four parts of `count` grouped switching keys, the first at `first`, are reduced. */
export function areReduced(bytes: Uint8Array, first: SwitchingKeyOffsets, count: number): boolean {
  return allBelow(bytes, first.aQ, count, Q) && allBelow(bytes, first.aP, count, P) &&
    allBelow(bytes, first.bQ, count, Q) && allBelow(bytes, first.bP, count, P);
}

/**
 * Reads a raw evaluation key and checks its form: both records, sizes, header, every residue.
 *
 * @throws {VaultError} `invalid_argument` saying what is wrong.
 */
export function decodeEvaluationKey(raw: Uint8Array): EvaluationKey {
  const records = readRecords(raw);
  const metadata = records.get(METADATA_NAME);
  if (metadata === undefined) throw malformed(`holds no ${METADATA_NAME}`);
  const dimension = parseDimension(new TextDecoder().decode(metadata));
  const rank = rankOf(dimension);
  const rankKeys = records.get(`EVIKeys${rank}.bin`);
  if (rankKeys === undefined) throw malformed(`holds no EVIKeys${rank}.bin`);
  if (rankKeys.length !== rankKeysBytes(rank) || rankKeys[0] !== EVALUATION_KEY_TAG) {
    throw malformed(`holds keys that are not ${rankKeysBytes(rank)} bytes behind a tag of ${EVALUATION_KEY_TAG}`);
  }
  if (
    !areReduced(rankKeys, RELINEARISATION_KEY_OFFSETS, 1) || !areReduced(rankKeys, packingKeyOffsets(rank, 0), rank)
  ) {
    throw malformed("holds a residue that is not below its modulus");
  }
  return { dimension, rank, rankKeys };
}
