import { deepEqual, equal, ok, throws } from "node:assert/strict";
import { Buffer } from "node:buffer";
import { steadyNames } from "./steady_names.ts";

/** A program as the compiler makes it, with the names that it happened to draw. */
function program(bundle: string, first: string, second: string, time: number): Buffer {
  const file = (n: string, o: number, t: number) => ({ File: { n, o: [o, 10], u: true, t } });
  const workers = [
    file(`.deno_compile_worker_${first}.mjs`, 0, time),
    file(`.deno_compile_worker_${second}.mjs`, 10, time),
  ];
  workers.sort((a, b) => a.File.n < b.File.n ? -1 : 1);
  const dist = { Dir: { n: "dist", e: [{ Dir: { n: "native", e: [file("x.node", 30, time)] } }] } };
  const listing = JSON.stringify([file(`.deno_compile_bundle_${bundle}.mjs`, 20, time), ...workers, dist]);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(Buffer.byteLength(listing)));
  const text = `new Worker("./.deno_compile_worker_${second}.mjs");new Worker("./.deno_compile_worker_${first}.mjs")`;
  return Buffer.concat([
    Buffer.from(`\x7fELF entry .deno_compile_bundle_${bundle}.mjs`),
    length,
    Buffer.from(listing + text),
  ]);
}

Deno.test("two compilations that drew other names at another time become the same to the byte", () => {
  const one = program("d914fbd4", "41b0c612", "d49739ca", 1795892839147);
  const other = program("5ec90b38", "ee66ffae", "42fa4858", 1795892847891);
  ok(!one.equals(other));
  steadyNames(one);
  steadyNames(other);
  deepEqual(one.toString("latin1"), other.toString("latin1"));
  equal(
    one.toString("latin1").match(/\.deno_compile_worker_[0-9a-f]{8}\.mjs/g)!.length,
    4,
    "each is still found by its name",
  );
  ok(!/d914fbd4|41b0c612|d49739ca|17958/.test(one.toString("latin1")));
});

Deno.test("a program of another form is left to people", () => {
  throws(() => steadyNames(Buffer.from("\x7fELF")), /no list/);
  const odd = program("d914fbd4", "41b0c612", "d49739ca", 123);
  throws(() => steadyNames(odd), /unknown form/);
});
