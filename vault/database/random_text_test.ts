import { deepEqual, ok } from "node:assert/strict";
import { systemRandom } from "../../server/clock.ts";
import { ALPHANUMERIC, randomText, shuffled } from "./random_text.ts";

/** How much likelier than the rarest the commonest of some texts came up to be. */
function spread(texts: readonly string[], all: readonly string[]): number {
  const counts = new Map(all.map((one) => [one, 0]));
  for (const text of texts) counts.set(text, counts.get(text)! + 1);
  return Math.max(...counts.values()) / Math.min(...counts.values());
}

Deno.test("randomText() draws each character as often as the others, whatever their number", () => {
  const large = Array.from({ length: 300 }, (_, i) => String.fromCodePoint(0x1f300 + i)).join("");
  for (const charset of [ALPHANUMERIC, "abc", "0123456789", large]) {
    const characters = [...charset];
    const texts = Array.from({ length: 4000 }, () => randomText(systemRandom, characters.length, charset));
    const drawn = texts.flatMap((text) => [...text]);
    const ratio = spread(drawn, characters);
    ok(ratio < 1.25, `${characters.length} characters: ${ratio}`);
  }
});

Deno.test("shuffled() gives each order as often as the others", () => {
  const orders = ["abc", "acb", "bac", "bca", "cab", "cba"];
  const ratio = spread(Array.from({ length: 24_000 }, () => shuffled(systemRandom, "abc")), orders);
  ok(ratio < 1.25, String(ratio));
  deepEqual([...shuffled(systemRandom, "👍👎")].sort(), ["👍", "👎"], "no half of a character");
});
