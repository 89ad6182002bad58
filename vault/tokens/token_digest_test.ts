/**
 * Digests of tokens: those of the runtime, whatever the text, and nothing of a text left behind.
 */

import { equal } from "node:assert/strict";
import { createHash } from "node:crypto";
import { FREE_FROM } from "../audit/sealing/sha256_code.ts";
import { digestMemory, sha256Hex } from "./token_digest.ts";

const byRuntime = (text: string) => createHash("sha256").update(text, "utf8").digest("hex");

Deno.test("a text of any length has the digest that the runtime makes of it", () => {
  for (let length = 0; length <= 1100; length++) {
    const text = "evt_0123456789abcdef".repeat(60).slice(0, length);
    equal(sha256Hex(text), byRuntime(text), `${length}`);
  }
});

Deno.test("text of more bytes than characters, and what is no Unicode text, is hashed as the runtime does", () => {
  const texts = ["ü", "日本語", "🗝️".repeat(200), "日".repeat(1024), "\ud800", "a\udc00b", "\0", "日".repeat(1025)];
  for (const text of texts) equal(sha256Hex(text), byRuntime(text), text.slice(0, 8));
});

Deno.test("a token leaves nothing in the memory that it was hashed in", () => {
  const before = digestMemory().slice();
  const zeros = (memory: Uint8Array) => memory.subarray(FREE_FROM + 64).every((byte) => byte === 0);
  equal(zeros(before), true);
  for (const length of [1, 36, 55, 56, 64, 1024]) {
    sha256Hex("€".repeat(length));
    equal(zeros(digestMemory()), true, `${length}`);
  }
});
