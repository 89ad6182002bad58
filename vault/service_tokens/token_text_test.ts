import { deepEqual, equal, match, notEqual, ok } from "node:assert/strict";
import { createHmac } from "node:crypto";
import { seededRandom } from "../../tests/fakes/seeded_random.ts";
import { newAccessor, newServiceToken, randomBase62, TokenHasher } from "./token_text.ts";

const KEY = new Uint8Array(32).fill(9);

Deno.test("a service token is hvs. and 28 letters and digits, an accessor 24 of them; no two are alike", () => {
  const random = seededRandom("texts");
  const tokens = Array.from({ length: 200 }, () => newServiceToken(random));
  tokens.forEach((token) => match(token, /^hvs\.[0-9A-Za-z]{28}$/));
  const accessors = Array.from({ length: 200 }, () => newAccessor(random));
  accessors.forEach((accessor) => match(accessor, /^[0-9A-Za-z]{24}$/));
  equal(new Set([...tokens, ...accessors]).size, 400);
});

Deno.test("every letter is as likely as any other", () => {
  const counts = new Map<string, number>();
  const letters = 62_000;
  for (const letter of randomBase62(seededRandom("letters"), letters)) {
    counts.set(letter, (counts.get(letter) ?? 0) + 1);
  }
  equal(counts.size, 62);
  // Bytes taken modulo 62 would give eight letters 1.21 times the share of the rest: 1,210 and 968 of each.
  for (const [letter, count] of counts) ok(Math.abs(count - 1000) < 150, `${letter}: ${count}`);
  const sum = (from: string) => [...from].reduce((total, letter) => total + counts.get(letter)!, 0);
  ok(Math.abs(sum("01234567") - 8000) < 400, "the letters that a modulus prefers");
});

Deno.test("bytes that would make some letters likelier are drawn again, however many there are", () => {
  let calls = 0;
  const random = { bytes: (length: number) => new Uint8Array(length).fill(calls++ < 3 ? 255 : 61) };
  equal(randomBase62(random, 4), "zzzz");
  equal(calls, 4);
});

Deno.test("what is kept of a token is an HMAC under the key: another key or another text is another hash", () => {
  const hasher = new TokenHasher(KEY);
  const hash = hasher.hash("hvs.abc");
  match(hash, /^[0-9a-f]{64}$/);
  equal(hasher.hash("hvs.abc"), hash);
  const others = [
    hasher.hash("hvs.abc "),
    hasher.hash("hvs.abC"),
    new TokenHasher(KEY.map((b) => b + 1)).hash("hvs.abc"),
  ];
  others.forEach((other) => notEqual(other, hash));
  deepEqual(new Set(others).size, 3);
});

Deno.test("TokenHasher is HMAC-SHA256 (RFC 2104) of the token's UTF-8, each time anew", () => {
  const key = crypto.getRandomValues(new Uint8Array(32));
  const hasher = new TokenHasher(key);
  for (const token of ["hvs.x", "", "ü".repeat(300), "hvs.x"]) {
    equal(hasher.hash(token), createHmac("sha256", key).update(token, "utf8").digest("hex"), token);
  }
});
