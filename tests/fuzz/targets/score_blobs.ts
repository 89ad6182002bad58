/**
 * Score ciphertexts as clients send them: base64, the protobuf message in it, and each shard's header.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import fc from "fast-check";
import { DEGREE, POLY_BYTES } from "../../../vault/scores/params.ts";
import { blockOffsets, readScoreData } from "../../../vault/scores/score_data.ts";
import { decodeScoreBlob, MAX_ENTRIES } from "../../../vault/scores/score_message.ts";
import { bytesField, joinBytes, scoreData, scoreMessage, varintField } from "../../fakes/score_ciphertexts.ts";
import { anyText, bulkBytes, mutatedBytes, mutatedText } from "../mutations.ts";
import { must, parseOrRefuse } from "../refusals.ts";
import { type FuzzTarget, syncTarget } from "../target.ts";

const rows = fc.oneof(
  { weight: 20, arbitrary: fc.constantFrom(0n, 0n, 0n, 2n ** 64n - 1n, 2n ** 53n, 4097n, 2n ** 32n) },
  { weight: 1, arbitrary: fc.constantFrom(1n, 4096n, 300n) },
);
const shard = fc.record({
  rows,
  level: fc.constantFrom(0, 0, 1, 2, -1),
  kind: fc.constantFrom(0, 0, 0, 1),
  degree: fc.constantFrom(4096, 4096, 4096, 0, 8192),
  fits: fc.boolean(),
  extra: fc.uint8Array({ maxLength: 8 }),
}).map(({ rows, level, kind, degree, fits, extra }) => {
  const blocks = rows > 8192n ? 0 : Math.ceil(Number(rows) / DEGREE);
  const body = new Uint8Array(fits ? blocks * POLY_BYTES * (level === 0 ? 2 : 4) : 0);
  return scoreData({ rows, level, kind, degree }, fits ? [body] : [body, extra]);
});
const shardIndexes = fc.array(fc.oneof(fc.nat({ max: 9 }), fc.constantFrom(2 ** 31 - 1, 2 ** 31, 2n ** 64n - 1n)), {
  maxLength: 4,
});
const extraField = fc.oneof(
  fc.uint8Array({ maxLength: 9 }).map((bytes) => bytesField(1, bytes)),
  fc.nat().map((n) => varintField(9, n)),
  fc.nat({ max: 2000 }).map((n) => bytesField(2, new Uint8Array(n))),
  fc.constant(new Uint8Array()),
);
const message = fc.tuple(fc.array(shard, { maxLength: 4 }), shardIndexes, extraField).map(
  ([shards, indexes, extra]) => {
    return joinBytes(scoreMessage(shards, indexes), extra);
  },
);

const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString("base64");

/** Score ciphertexts. */
export const target: FuzzTarget = syncTarget(
  "score_blobs",
  "json",
  fc.oneof(
    { weight: 40, arbitrary: message.map(base64) },
    { weight: 120, arbitrary: mutatedBytes(message).map(base64) },
    { weight: 30, arbitrary: fc.uint8Array({ maxLength: 60 }).map(base64) },
    { weight: 20, arbitrary: mutatedText(message.map(base64), ["=", "-", "_", "+", "/", " ", "\n", "A", "\u0141"]) },
    { weight: 10, arbitrary: anyText() },
    {
      weight: 1,
      arbitrary: bulkBytes(200_000, [[0x1a, 0], [0x1a, 2, 0x12, 0], [0x10, 1], [0x48, 0], [0x80], [0x12, 1, 0]]).map(
        base64,
      ),
    },
  ),
  check,
);

function check(blob: string): void {
  const entries = parseOrRefuse(["invalid_argument"], () => decodeScoreBlob(blob));
  if (entries === undefined) return;
  must(Buffer.from(blob, "base64").toString("base64") === blob, "a text that is not canonical base64 was decoded");
  must(entries.length >= 1 && entries.length <= MAX_ENTRIES, `${entries.length} entries`);
  for (const { shardIndex, data } of entries) {
    must(Number.isInteger(shardIndex) && shardIndex >= 0 && shardIndex < 2 ** 31, `shard ${shardIndex}`);
    const read = parseOrRefuse(["invalid_argument"], () => readScoreData(data, "Entry"));
    if (read === undefined) continue;
    must(read.blocks === Math.ceil(read.rows / DEGREE) && Number.isSafeInteger(read.rows), `${read.rows} rows`);
    for (let block = 0; block < read.blocks; block++) {
      const { bQ, bP } = blockOffsets(read, block);
      must((read.level === 0 ? bQ : bP) + POLY_BYTES <= data.length, "a block lies outside of the data");
    }
  }
}
