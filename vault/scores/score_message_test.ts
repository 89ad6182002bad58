import { deepEqual, equal, throws } from "node:assert/strict";
import { bytesField, joinBytes, scoreMessage, varint, varintField } from "../../tests/fakes/score_ciphertexts.ts";
import { refused, vectorBytes, vectorText } from "./_test_support.ts";
import { encodeBase64 } from "./base64.ts";
import { MAX_FIELDS } from "./protobuf_reader.ts";
import { decodeScoreBlob, decodeScoreMessage, MAX_BLOB_LENGTH, MAX_ENTRIES } from "./score_message.ts";

const bad = (message: RegExp) => refused("invalid_argument", message);
const data = new Uint8Array([1, 2, 3]);
const entry = bytesField(3, bytesField(2, data));

Deno.test("decodeScoreMessage() reads the recorded forms of the shard list", () => {
  for (
    const [name, shardIndex] of [["ip300.pb", 0], ["wire_unpacked_shard5.pb", 5], ["wire_no_shard.pb", 0]] as const
  ) {
    const entries = decodeScoreMessage(vectorBytes(name));
    deepEqual(entries.map((entry) => [entry.shardIndex, entry.data.length]), [[shardIndex, 65569]], name);
  }
  equal(decodeScoreBlob(vectorText("ip300.b64"))[0]!.data.length, 65569);
});

Deno.test("decodeScoreMessage() takes packed, unpacked and mixed shard lists, and positions without one", () => {
  const shardsOf = (...parts: Uint8Array[]) =>
    decodeScoreMessage(joinBytes(...parts)).map(({ shardIndex }) => shardIndex);
  const packed = bytesField(2, joinBytes(varint(7), varint(2 ** 31 - 1)));
  deepEqual(shardsOf(packed, entry, entry), [7, 2 ** 31 - 1]);
  deepEqual(shardsOf(entry, varintField(2, 300), entry, varintField(2, 4)), [300, 4]);
  deepEqual(shardsOf(varintField(2, 9), packed, entry, entry, entry), [9, 7, 2 ** 31 - 1]);
  deepEqual(shardsOf(entry, entry), [0, 1]);
  deepEqual(shardsOf(bytesField(2, new Uint8Array()), entry), [0]);
});

Deno.test("decodeScoreMessage() skips unknown fields of every wire type, here and in entries", () => {
  const fixed64 = joinBytes(varint(8 * 100 + 1), new Uint8Array(8));
  const fixed32 = joinBytes(varint(8 * 101 + 5), new Uint8Array(4));
  const unknown = joinBytes(varintField(99, 2n ** 64n - 1n), fixed64, bytesField(0x1fffffff, data), fixed32);
  const id = bytesField(1, new TextEncoder().encode("an id"));
  const inner = joinBytes(varintField(1, 1), unknown, bytesField(2, data), unknown);
  deepEqual(decodeScoreMessage(joinBytes(unknown, id, bytesField(3, inner), unknown)), [{ shardIndex: 0, data }]);
});

Deno.test("decodeScoreMessage() refuses what is truncated, at every length", () => {
  const whole = joinBytes(
    bytesField(1, data),
    varintField(2, 300),
    entry,
    joinBytes(varint(8 * 9 + 5), new Uint8Array(4)),
  );
  decodeScoreMessage(whole);
  // Cut between fields the message is whole, but has no entry, or a shard too many.
  for (let length = 0; length < whole.length; length++) {
    if (length === whole.length - 5) continue;
    throws(
      () => decodeScoreMessage(whole.subarray(0, length)),
      bad(/truncated|no entry|indexes for|no data/),
      `${length}`,
    );
  }
  throws(() => decodeScoreMessage(vectorBytes("bad_truncated.pb")), bad(/truncated/));
});

Deno.test("decodeScoreMessage() refuses wrong wire types, groups, bad tags and over-long varints", () => {
  const cases: [Uint8Array, RegExp][] = [
    [joinBytes(varintField(1, 1), entry), /field 1 with wire type 0/],
    [joinBytes(varint(8 * 2 + 5), new Uint8Array(4), entry), /field 2 with wire type 5/],
    [varintField(3, 1), /field 3 with wire type 0/],
    [bytesField(3, varintField(2, 1)), /field 2 with wire type 0/],
    [bytesField(3, joinBytes(bytesField(1, data), bytesField(2, data))), /field 1 with wire type 2/],
    [joinBytes(varint(8 * 4 + 3), entry), /field 4 with wire type 3/],
    [joinBytes(varint(8 * 4 + 4), entry), /field 4 with wire type 4/],
    [joinBytes(varint(8 * 4 + 6), entry), /field 4 with wire type 6/],
    [joinBytes(varint(8 * 4 + 7), entry), /field 4 with wire type 7/],
    [joinBytes(varint(0), varint(1), entry), /field number/],
    [joinBytes(varint(8 * 2 ** 29), varint(1), entry), /field number/],
    [joinBytes(varint(8 * 9), varint(2n ** 64n), entry), /64 bits/],
    [joinBytes(varint(8 * 9), new Uint8Array(11).fill(0x80), entry), /64 bits/],
  ];
  for (const [message, problem] of cases) throws(() => decodeScoreMessage(message), bad(problem), `${problem}`);
});

Deno.test("decodeScoreMessage() refuses lists that do not fit, and entries without data", () => {
  throws(() => decodeScoreMessage(scoreMessage([data], [1, 2])), bad(/2 shard indexes for 1 entries/));
  throws(() => decodeScoreMessage(scoreMessage([data, data], [1])), bad(/1 shard indexes for 2 entries/));
  throws(() => decodeScoreMessage(scoreMessage([], [1])), bad(/no entry/));
  throws(() => decodeScoreMessage(scoreMessage([data], [2 ** 31])), bad(/shard index above/));
  throws(() => decodeScoreMessage(scoreMessage([data], [2n ** 64n - 1n])), bad(/shard index above/));
  throws(() => decodeScoreMessage(bytesField(3, varintField(1, 1))), bad(/no data in entry 0/));
  throws(() => decodeScoreMessage(scoreMessage([data, new Uint8Array()])), bad(/no data in entry 1/));
});

Deno.test("decodeScoreMessage() bounds what a small message can make it keep or do", () => {
  const entries = new Array(MAX_ENTRIES + 1).fill(new Uint8Array(1));
  throws(() => decodeScoreMessage(scoreMessage(entries)), bad(/more than 1024 entries/));
  const shards = bytesField(2, new Uint8Array(1_000_000));
  throws(() => decodeScoreMessage(joinBytes(shards, entry)), bad(/more than 1024 shards/));
  const fields = new Uint8Array(2 * MAX_FIELDS + 2).map((_, i) => i % 2 ? 0 : 8 * 9);
  throws(() => decodeScoreMessage(joinBytes(fields, entry)), bad(/more than 16384 fields/));
});

Deno.test("decodeScoreBlob() refuses what is empty, too long, or not canonical base64", () => {
  throws(() => decodeScoreBlob(""), bad(/empty/));
  throws(() => decodeScoreBlob("A".repeat(MAX_BLOB_LENGTH + 4)), bad(/longer than/));
  const text = encodeBase64(scoreMessage([data]));
  equal(decodeScoreBlob(text).length, 1);
  for (const other of [` ${text}`, `${text}\n`, text.slice(1), text.replace(/A/, "-"), `${text}====`]) {
    throws(() => decodeScoreBlob(other), bad(/canonical standard base64/), other);
  }
});
