import { strict as assert } from "node:assert";
import { createHash, createHmac } from "node:crypto";
import { Chain, hashOf, macOf, nextKey } from "./chain.ts";
import { GENESIS_HASH, lineParts } from "./entry.ts";

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
  assert.deepEqual({ ...chain.position, key: chain.position.key.toHex() }, { sequence: 3, hash, key: key.toHex() });
  assert.equal(hashOf(lines[2]!), hash);
  assert.equal(nextKey(KEY).toHex(), createHash("sha256").update(KEY).digest("hex"));
});

Deno.test("Chain.rewind() makes the same line again", () => {
  const chain = new Chain({ sequence: 7, hash: GENESIS_HASH, key: KEY });
  const before = chain.position;
  const line = chain.append('{"a":1}');
  chain.rewind(before);
  assert.equal(chain.append('{"a":1}'), line);
});
