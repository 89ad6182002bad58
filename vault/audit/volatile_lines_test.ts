import { strict as assert } from "node:assert";
import { VolatileLines } from "./volatile_lines.ts";

const encoder = new TextEncoder();

Deno.test("lines are forgotten up to where they ended once, whatever was forgotten and added since", () => {
  const lines = new VolatileLines();
  const add = (text: string) => lines.add(encoder.encode(text));
  add("a\n");
  const afterA = lines.end;
  add("é\n");
  const afterB = lines.end;
  lines.forgetUpTo(afterA);
  assert.equal(lines.text, "é\n");
  add("c\n");
  lines.forgetUpTo(afterB);
  assert.equal(lines.text, "c\n");
  lines.forgetUpTo(afterA);
  assert.equal(lines.text, "c\n", "nothing is forgotten twice");
  const from = lines.length;
  add("not written\n");
  lines.cut(from);
  add("d".repeat(200_000));
  assert.equal(lines.text, `c\n${"d".repeat(200_000)}`);
  assert.equal(new TextDecoder().decode(lines.since(from)), "d".repeat(200_000));
  lines.forgetUpTo(lines.end);
  assert.deepEqual([lines.text, lines.length], ["", 0]);
});
