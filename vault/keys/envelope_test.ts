import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createCipheriv } from "node:crypto";
import fc from "fast-check";
import { seededRandom } from "../../tests/fakes/seeded_random.ts";
import { refused } from "../_test_support.ts";
import { openEnvelope, parseEnvelope, sealEnvelope } from "./envelope.ts";

const ALICE = "baf56f527f1d318cf8430edfe9f4aa1a";
const KEY = Buffer.alloc(32, 5);
const random = seededRandom("envelopes");

function seal(plaintext: string, changes: Partial<{ agentId: string; keyVersion: number; fromV1: boolean }> = {}) {
  return sealEnvelope(plaintext, { agentId: ALICE, keyVersion: 3, fromV1: false, ...changes }, KEY, random);
}

/** Changes fields of an envelope's JSON. */
function altered(envelope: string, changes: Record<string, unknown>): string {
  return JSON.stringify({ ...JSON.parse(envelope), ...changes });
}

const anyText = fc.string({ unit: "grapheme", maxLength: 300, size: "max" });

Deno.test("an envelope opens to exactly what was sealed: any text, of any length", () => {
  fc.assert(
    fc.property(anyText, fc.boolean(), fc.integer({ min: 1, max: 1_000_000 }), (plaintext, fromV1, keyVersion) => {
      const envelope = parseEnvelope(seal(plaintext, { fromV1, keyVersion }));
      assert.equal(openEnvelope(envelope, KEY).toString("utf8"), plaintext);
      assert.deepEqual([envelope.version, envelope.agentId], [2, ALICE]);
      assert.deepEqual(envelope.version === 2 && [envelope.keyVersion, envelope.fromV1], [keyVersion, fromV1]);
    }),
  );
  for (const plaintext of ["", "\ufeffwith a byte order mark", "\0", "x".repeat(5_000_000)]) {
    assert.equal(openEnvelope(parseEnvelope(seal(plaintext)), KEY).toString("utf8"), plaintext);
  }
});

Deno.test("a plaintext that is not UTF-8 does not open, whatever is wrong with it: a wire could not carry it as text", () => {
  const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  const isText = (bytes: Uint8Array) => {
    try {
      return strict.decode(bytes) !== undefined;
    } catch {
      return false;
    }
  };
  const open = (bytes: Uint8Array) => {
    const iv = Buffer.alloc(16, 1);
    const payload = Buffer.concat([iv, createCipheriv("aes-256-ctr", KEY, iv).update(bytes)]);
    return openEnvelope({ version: 1, agentId: ALICE, payload }, KEY);
  };
  // Overlong forms, halves of pairs, what lies beyond Unicode, sequences cut short (RFC 3629 §3 and §10).
  const wrong = [
    "c080",
    "c1bf",
    "e08080",
    "eda080",
    "edbfbf",
    "f08080af",
    "f4908080",
    "f5808080",
    "80",
    "c3",
    "e282",
    "ff",
    "616263e2",
  ];
  for (const hex of wrong) assert.throws(() => open(Buffer.from(hex, "hex")), refused("ciphertext_invalid"), hex);
  const byte = fc.constantFrom(0x00, 0x41, 0x7f, 0x80, 0xa0, 0xbf, 0xc2, 0xc3, 0xe0, 0xed, 0xef, 0xf0, 0xf4, 0xf8);
  fc.assert(
    fc.property(fc.array(byte, { maxLength: 8 }).map((all) => Uint8Array.from(all)), (bytes) => {
      if (isText(bytes)) assert.deepEqual(new Uint8Array(open(bytes)), bytes);
      else assert.throws(() => open(bytes), refused("ciphertext_invalid"));
    }),
    { numRuns: 1000 },
  );
});

Deno.test("text may be handed in as UTF-8: the envelope is the same", () => {
  const fixed = { bytes: (length: number) => new Uint8Array(length).fill(1) };
  const author = { agentId: ALICE, keyVersion: 1, fromV1: false };
  const text = "é🎉\0";
  const ofBytes = sealEnvelope(new TextEncoder().encode(text), author, KEY, fixed);
  assert.equal(ofBytes, sealEnvelope(text, author, KEY, fixed));
});

Deno.test("sealing the same text twice makes two envelopes", () => {
  assert.notEqual(seal("twice"), seal("twice"));
});

Deno.test("an envelope of version 2 has exactly the fields of the contract, k as a number, o only where it came of version 1", () => {
  assert.deepEqual(Object.keys(JSON.parse(seal("x"))), ["v", "a", "k", "c"]);
  const fromV1 = JSON.parse(seal("x", { fromV1: true }));
  assert.deepEqual([fromV1.v, fromV1.a, fromV1.k, fromV1.o], [2, ALICE, 3, 1]);
});

Deno.test("an envelope of version 2 with any one bit of its payload flipped does not open", () => {
  const envelope = seal("a secret");
  const payload = Buffer.from(JSON.parse(envelope).c, "base64");
  for (let bit = 0; bit < payload.length * 8; bit++) {
    const flipped = Buffer.from(payload);
    flipped[bit >> 3]! ^= 1 << (bit & 7);
    const text = altered(envelope, { c: flipped.toString("base64") });
    assert.throws(() => openEnvelope(parseEnvelope(text), KEY), refused("ciphertext_invalid"), `bit ${bit}`);
  }
});

Deno.test("author, key version and origin of an envelope can't be changed without its ceasing to open", () => {
  const fresh = seal("x");
  const old = seal("x", { fromV1: true });
  const forged = [
    altered(fresh, { a: "0".repeat(32) }),
    altered(fresh, { k: 4 }),
    altered(fresh, { o: 1 }),
    altered(old, { o: undefined }),
    altered(old, { k: 31 }),
  ];
  for (const text of forged) {
    assert.throws(() => openEnvelope(parseEnvelope(text), KEY), refused("ciphertext_invalid"), text);
  }
});

Deno.test("the words for an envelope that does not open never say which step failed", () => {
  const envelope = seal("x");
  const short = Buffer.from(JSON.parse(envelope).c, "base64").subarray(0, -1).toString("base64");
  const notText = { version: 1 as const, agentId: ALICE, payload: Buffer.alloc(64, 0x80) };
  const messages = [
    () => openEnvelope(parseEnvelope(envelope), Buffer.alloc(32, 6)),
    () => openEnvelope(parseEnvelope(altered(envelope, { c: short })), KEY),
    () => openEnvelope(parseEnvelope(altered(envelope, { k: 9 })), KEY),
    () => openEnvelope(notText, KEY),
  ].map((open) => {
    try {
      return String(open());
    } catch (error) {
      return (error as Error).message;
    }
  });
  assert.deepEqual(new Set(messages), new Set(["The envelope does not open"]));
});

Deno.test("parseEnvelope() refuses everything that isn't an envelope, without quoting it", () => {
  const good = JSON.parse(seal("x"));
  const wrong = [
    "",
    "null",
    "[]",
    "1",
    '"text"',
    "{}",
    "{",
    "\ufeff{}",
    "\ud800",
    "[".repeat(1_000_000),
    '{"a":'.repeat(200_000),
    "x".repeat(1_000_000),
    JSON.stringify([good]),
    ...[
      { a: undefined },
      { a: 1 },
      { a: null },
      { a: [ALICE] },
      { a: ALICE.toUpperCase() },
      { a: `${ALICE}0` },
      { a: ALICE.slice(1) },
      { a: `${ALICE}\n` },
      { a: `secret/1${"0".repeat(24)}` },
      { v: 0 },
      { v: 3 },
      { v: "2" },
      { v: null },
      { v: 2.5 },
      { k: undefined },
      { k: null },
      { k: "3" },
      { k: 0 },
      { k: -1 },
      { k: 1.5 },
      { k: 1e9 },
      { k: [3] },
      { o: 0 },
      { o: true },
      { o: "1" },
      { o: null },
      { c: undefined },
      { c: null },
      { c: 7 },
      { c: "" },
      { c: [good.c] },
      { c: good.c.slice(0, 36) },
    ].map((changes) => JSON.stringify({ ...good, ...changes })),
  ];
  for (const text of wrong) {
    assert.throws(() => parseEnvelope(text), (error: unknown) => {
      assert.ok(refused("ciphertext_invalid", /^Not an envelope: /)(error), text.slice(0, 80));
      return (error as Error).message.length < 100;
    }, text.slice(0, 80));
  }
});

Deno.test("parseEnvelope() takes standard base64 with padding and no other text", () => {
  const strict = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
  const letter = fc.constantFrom(..."AZaz09+/=-_ \n\0é\u0141".split(""));
  const texts = fc.oneof(fc.string({ unit: letter, maxLength: 8 }), fc.base64String({ maxLength: 12 }));
  fc.assert(
    fc.property(texts, fc.integer({ min: 0, max: 44 }), (part, at) => {
      const whole = "A".repeat(44);
      const c = whole.slice(0, at) + part + whole.slice(at);
      const take = () => parseEnvelope(JSON.stringify({ a: ALICE, c }));
      if (!strict.test(c)) return assert.throws(take, refused("ciphertext_invalid"), JSON.stringify(c));
      assert.equal(take().payload.toString("base64").length, c.length);
    }),
    { numRuns: 3000 },
  );
});

Deno.test("parseEnvelope() reads version 1 with or without its number, and minds no fields that it doesn't know", () => {
  const c = Buffer.alloc(16).toString("base64");
  for (const extra of [{}, { v: 1 }, { k: "whatever", o: 7, x: {} }]) {
    const envelope = parseEnvelope(JSON.stringify({ a: ALICE, c, ...extra }));
    assert.deepEqual([envelope.version, envelope.agentId, envelope.payload.length], [1, ALICE, 16]);
  }
  assert.throws(() => parseEnvelope(JSON.stringify({ a: ALICE, c: Buffer.alloc(15).toString("base64") })));
});

Deno.test("parseEnvelope() and openEnvelope() never throw anything but a VaultError, whatever text comes", () => {
  const json = fc.oneof(
    fc.string({ unit: "binary", maxLength: 200 }),
    fc.json(),
    fc.json().map((value) => `{"a":"${ALICE}",${value}`),
  );
  fc.assert(
    fc.property(json, (text) => {
      try {
        openEnvelope(parseEnvelope(text), KEY);
      } catch (error) {
        assert.ok(refused("ciphertext_invalid")(error), String(error));
      }
    }),
    { numRuns: 1000 },
  );
});

Deno.test("opening an envelope of the first version leaves nothing behind in the runtime", () => {
  const iv = Buffer.alloc(16, 1);
  const payload = Buffer.concat([iv, Buffer.from(createCipheriv("aes-256-ctr", KEY, iv).update("a memory"))]);
  const envelope = parseEnvelope(JSON.stringify({ a: ALICE, c: payload.toString("base64") }));
  const residentAfter = (times: number) => {
    for (let i = 0; i < times; i++) openEnvelope(envelope, KEY);
    return Deno.memoryUsage().rss;
  };
  const before = residentAfter(20_000);
  const grown = residentAfter(80_000) - before;
  // A cipher that is never told that it is done, its key in it, stays until the process ends: 1.2 kB each.
  assert.ok(grown < 40_000_000, `${grown} bytes more`);
});
