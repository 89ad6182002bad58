import { strict as assert } from "node:assert";
import { createHash, createHmac } from "node:crypto";
import { Chain, hashOf, macOf, nextKey } from "./chain.ts";
import { Buffer } from "node:buffer";
import { GENESIS_HASH, lineParts, MAX_LINE_BYTES } from "./entry.ts";
import { LineSealer } from "./sealing/line_sealer.ts";

const KEY = new Uint8Array(32).map((_, i) => i);

Deno.test("macOf() is HMAC-SHA256 (RFC 2104)", () => {
  for (const text of ["", "a", "é".repeat(300), "x".repeat(5000)]) {
    assert.equal(macOf(KEY, text), createHmac("sha256", KEY).update(text, "utf8").digest("hex"));
  }
});

Deno.test("Chain.append() carries the hash of the line before, and a MAC under a key that is the hash of the former", () => {
  const chain = new Chain({ sequence: 0, hash: GENESIS_HASH, key: KEY });
  const lines = [chain.append('{"a":1}'), chain.append('{"b":"é"}'), chain.append('{"c":3}')];
  let key: Uint8Array = KEY;
  let hash = GENESIS_HASH;
  for (const [i, line] of lines.entries()) {
    const { seq, prev, mac, signed } = lineParts(line);
    assert.deepEqual([seq, prev], [i + 1, hash]);
    assert.equal(mac, createHmac("sha256", key).update(signed).digest("hex"));
    hash = createHash("sha256").update(line).digest("hex");
    key = createHash("sha256").update(key).digest();
    JSON.parse(line);
  }
  assert.deepEqual(chain.end, { sequence: 3, hash });
  assert.equal(chain.copyPosition().sequence, 0, "none of them stands yet");
  chain.settle();
  assert.deepEqual({ ...chain.copyPosition(), key: chain.copyPosition().key.toHex() }, {
    sequence: 3,
    hash,
    key: key.toHex(),
  });
  assert.equal(hashOf(lines[2]!), hash);
  assert.equal(nextKey(KEY).toHex(), createHash("sha256").update(KEY).digest("hex"));
});

Deno.test("Chain.rewind() makes the lines that don't stand again, and leaves those that do", () => {
  const chain = new Chain({ sequence: 7, hash: GENESIS_HASH, key: KEY });
  const first = chain.append('{"a":1}');
  chain.settle();
  const others = [chain.append('{"b":2}'), chain.append('{"c":3}')];
  chain.rewind();
  assert.deepEqual([chain.sequence, chain.end.hash], [8, hashOf(first)]);
  assert.deepEqual([chain.append('{"b":2}'), chain.append('{"c":3}')], others);
});

Deno.test("Chain.append() hashes and signs lines of every length as the reading side does, up to the longest", () => {
  const chain = new Chain({ sequence: 0, hash: GENESIS_HASH, key: KEY });
  let key: Uint8Array = KEY;
  let hash = GENESIS_HASH;
  for (const length of [...Array(200).keys(), 5000, MAX_LINE_BYTES - 300]) {
    const line = chain.append(JSON.stringify({ text: length % 2 === 0 ? "x".repeat(length) : "é".repeat(length) }));
    const { prev, mac, signed } = lineParts(line);
    assert.deepEqual([prev, mac], [hash, macOf(key, signed)], `${length}`);
    [key, hash] = [nextKey(key), hashOf(line)];
  }
  assert.throws(() => chain.append(JSON.stringify({ text: "x".repeat(2 * MAX_LINE_BYTES) })), RangeError);
});

Deno.test("S24: the memory that lines are made in holds no key but that of the next line", () => {
  const sealer = new LineSealer(KEY, GENESIS_HASH);
  const keys = [KEY];
  for (let i = 0; i < 3; i++) {
    sealer.seal(`{"seq":${i + 1},"prev":"`);
    keys.push(new Uint8Array(nextKey(keys.at(-1)!)));
  }
  sealer.settle();
  const memory = Buffer.from(sealer.memory);
  const places = (bytes: Uint8Array) =>
    [0, 0x36, 0x5c].filter((pad) => memory.includes(Buffer.from(bytes.map((it) => it ^ pad))));
  assert.deepEqual(keys.map(places), [[], [], [], [0]]);
});
