/**
 * Compiles `dist/runevault`: bundled, without a code cache, with the permissions that it needs and no more.
 *
 * `DENORT_BIN` names the runtime to compile in where Deno's own host can't be reached.
 *
 * @module
 */

import { createRequire } from "node:module";

/** What the program may do. It never runs another program, and never asks for more (`--no-prompt`). */
const PERMISSIONS = [
  "--allow-read",
  "--allow-write",
  "--allow-net",
  "--allow-env",
  "--allow-sys=hostname,networkInterfaces,uid,gid,cpus,statfs",
  // For the native libraries; given up at start once they are loaded (S26).
  "--allow-ffi",
  "--no-prompt",
];

/**
 * A code cache would be a predictable file in the world-writable temporary folder, read at every start.
 * Bundling makes the program start faster and smaller, and embeds the workers.
 */
const SHAPE = ["--bundle", "--minify", "--no-code-cache", "--unstable-net"];

const MAX_BYTES = 110_000_000;
const OUTPUT = "dist/runevault";
/** Where `server/native_libraries.ts` looks for them inside the program. */
const NATIVE = "dist/native";
const LIBRARIES = ["@node-rs/jsonwebtoken-linux-x64-gnu", "@node-rs/argon2-linux-x64-gnu"];

await Deno.mkdir(NATIVE, { recursive: true });
for (const library of LIBRARIES) {
  const file = createRequire(import.meta.url).resolve(library);
  await Deno.copyFile(file, `${NATIVE}/${file.slice(file.lastIndexOf("/") + 1)}`);
}
const command = new Deno.Command(Deno.execPath(), {
  args: ["compile", "--quiet", ...SHAPE, ...PERMISSIONS, "--include", NATIVE, "--output", OUTPUT, "main.ts"],
});
const { code } = await command.spawn().status;
if (code !== 0) Deno.exit(code);
const { size } = await Deno.stat(OUTPUT);
const runtime = Deno.env.get("DENORT_BIN") === undefined ? `Deno ${Deno.version.deno}` : "the runtime of DENORT_BIN";
print(`${OUTPUT}: ${(size / 1e6).toFixed(1)} MB, compiled with ${runtime}`);
if (size > MAX_BYTES) {
  print(`that is more than ${MAX_BYTES / 1e6} MB`);
  Deno.exit(1);
}

function print(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}
