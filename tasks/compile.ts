/**
 * `./denow task compile`: `dist/runevault` for this machine.
 *
 * @module
 */

import { compileProgram } from "./program.ts";

const MAX_BYTES = 110_000_000;
const OUTPUT = "dist/runevault";

const { ok, said } = await compileProgram(Deno.build.target, OUTPUT);
print(said);
if (!ok) Deno.exit(1);
const { size } = await Deno.stat(OUTPUT);
const runtime = Deno.env.get("DENORT_BIN") === undefined ? `Deno ${Deno.version.deno}` : "the runtime of DENORT_BIN";
print(`${OUTPUT}: ${(size / 1e6).toFixed(1)} MB, compiled with ${runtime}\n`);
if (size > MAX_BYTES) {
  print(`that is more than ${MAX_BYTES / 1e6} MB\n`);
  Deno.exit(1);
}

function print(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(text));
}
