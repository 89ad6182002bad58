import { deepEqual, equal } from "node:assert/strict";
import { dropCharacter, firstLine } from "./io.ts";

Deno.test("a character is taken back whole, also one of several bytes, and nothing from nothing", () => {
  const bytes = [...new TextEncoder().encode("aé€😀")];
  const texts = [1, 2, 3, 4, 5].map(() => {
    dropCharacter(bytes);
    return new TextDecoder().decode(Uint8Array.from(bytes));
  });
  deepEqual(texts, ["aé€", "aé", "a", "", ""]);
});

Deno.test("firstLine() takes one line, however it ends and however it comes", async () => {
  const line = async (...chunks: string[]) => await firstLine(ReadableStream.from(chunks.map(encode)));
  equal(await line("secret\nmore\n"), "secret");
  equal(await line("sec", "ret\r\n"), "secret");
  equal(await line("secret"), "secret");
  equal(await line(), "");
});

function encode(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
