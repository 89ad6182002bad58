/**
 * The message that carries the scores of one query: which shards answered, and each shard's ciphertext.
 *
 *     CiphertextScore { string id = 1; repeated uint64 shard_idx = 2; repeated Score ctxt_score = 3; }
 *     Score           { uint64 degree = 1; bytes data = 2; }
 *
 * `id` and `degree` are not used. The bytes of `data` are `score_data.ts`'s to read.
 *
 * @module
 */

import { VaultError } from "../errors.ts";
import { decodeBase64 } from "./base64.ts";
import { ProtobufReader, WIRE_BYTES, WIRE_VARINT } from "./protobuf_reader.ts";

/** Bytes one message may have: about a thousand full blocks, four million rows. */
const MAX_MESSAGE_BYTES = 65 * 1024 * 1024;

/** Characters of base64 that such a message takes: what a caller can check before it copies a text. */
export const MAX_BLOB_LENGTH = Math.ceil(MAX_MESSAGE_BYTES / 3) * 4;

/** Shards one message may hold. */
export const MAX_ENTRIES = 1024;

/** Shard numbers travel on as int32. */
const MAX_SHARD_INDEX = 2 ** 31 - 1;

/** The ciphertext of one shard. */
export interface ScoreEntry {
  readonly shardIndex: number;
  /** A view into the message. */
  readonly data: Uint8Array;
}

function malformed(problem: string): VaultError {
  return new VaultError("invalid_argument", `The score ciphertext ${problem}`);
}

function addShard(shards: number[], shard: number): void {
  if (shard > MAX_SHARD_INDEX) throw malformed(`has a shard index above ${MAX_SHARD_INDEX}`);
  if (shards.push(shard) > MAX_ENTRIES) throw malformed(`names more than ${MAX_ENTRIES} shards`);
}

function addPackedShards(shards: number[], packed: Uint8Array): void {
  const reader = new ProtobufReader(packed, "The packed list of shard indexes");
  while (!reader.ended) addShard(shards, reader.varint());
}

function decodeEntryData(bytes: Uint8Array, position: number): Uint8Array {
  const reader = new ProtobufReader(bytes, `Entry ${position} of the score ciphertext`);
  let data: Uint8Array | null = null;
  while (!reader.ended) {
    const tag = reader.tag();
    if (tag.field === 1) reader.expect(tag, WIRE_VARINT);
    if (tag.field === 2) {
      reader.expect(tag, WIRE_BYTES);
      data = reader.lengthDelimited();
    } else reader.skip(tag);
  }
  if (data === null || data.length === 0) throw malformed(`has no data in entry ${position}`);
  return data;
}

function decodeFields(message: Uint8Array): { shards: number[]; data: Uint8Array[] } {
  const reader = new ProtobufReader(message, "The score ciphertext");
  const shards: number[] = [];
  const data: Uint8Array[] = [];
  while (!reader.ended) {
    const tag = reader.tag();
    if (tag.field === 1) reader.expect(tag, WIRE_BYTES);
    if (tag.field === 2) {
      reader.expect(tag, WIRE_VARINT, WIRE_BYTES);
      if (tag.wireType === WIRE_BYTES) addPackedShards(shards, reader.lengthDelimited());
      else addShard(shards, reader.varint());
    } else if (tag.field === 3) {
      reader.expect(tag, WIRE_BYTES);
      data.push(decodeEntryData(reader.lengthDelimited(), data.length));
      if (data.length > MAX_ENTRIES) throw malformed(`has more than ${MAX_ENTRIES} entries`);
    } else reader.skip(tag);
  }
  return { shards, data };
}

/**
 * Decodes the protobuf message. Without shard indexes an entry's shard is its position.
 *
 * @throws {VaultError} `invalid_argument` when it is malformed, empty, or its two lists differ in length.
 */
export function decodeScoreMessage(message: Uint8Array): ScoreEntry[] {
  const { shards, data } = decodeFields(message);
  if (data.length === 0) throw malformed("has no entry");
  if (shards.length > 0 && shards.length !== data.length) {
    throw malformed(`has ${shards.length} shard indexes for ${data.length} entries`);
  }
  return data.map((bytes, i) => ({ shardIndex: shards[i] ?? i, data: bytes }));
}

/**
 * Decodes the text that a client sends: canonical standard base64 of the message.
 *
 * @throws {VaultError} `invalid_argument`, also when it is longer than {@link MAX_BLOB_LENGTH}.
 */
export function decodeScoreBlob(blobBase64: string): ScoreEntry[] {
  if (blobBase64.length === 0) throw malformed("is empty");
  if (blobBase64.length > MAX_BLOB_LENGTH) throw malformed(`is longer than ${MAX_MESSAGE_BYTES} bytes`);
  const message = decodeBase64(blobBase64);
  if (message === null) throw malformed("is not canonical standard base64");
  return decodeScoreMessage(message);
}
