import { deepEqual, equal } from "node:assert/strict";
import fc from "fast-check";
import { decodeBase64, encodeBase64 } from "./base64.ts";

Deno.test("decodeBase64() reads what encodeBase64() writes", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 70 }), (bytes) => {
    deepEqual(new Uint8Array(decodeBase64(encodeBase64(bytes))!), bytes);
  }));
});

Deno.test("decodeBase64() refuses whatever is not canonical standard base64", () => {
  const bad = [
    "A",
    "AA",
    "AAA",
    "AAAAA",
    "AA=A",
    "A===",
    "====",
    "=",
    "AA==AAAA", // lengths and padding
    "AB==",
    "AAB=",
    "//==", // stray bits behind the last byte
    "AA-_",
    "AA A",
    "AAA\n",
    " AAAA",
    "AAAA\n\n\n\n",
    "AAA\u0141",
    "AA%3D", // other alphabets, white space, code units above 255
  ];
  for (const text of bad) equal(decodeBase64(text), null, JSON.stringify(text));
  deepEqual([...decodeBase64("AA==")!], [0]);
  deepEqual([...decodeBase64("")!], []);
});
