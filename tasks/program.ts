/**
 * Compiles the program: bundled, without a code cache, with the permissions that it needs and no more.
 *
 * `DENORT_BIN` names the runtime to compile in where Deno's own host can't be reached.
 *
 * @module
 */

import { createRequire } from "node:module";
import { relative } from "node:path";
import { doubleWorkers } from "./double_workers.ts";
import { steadyProgram } from "./steady_program.ts";

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
 *
 * The bundle is not minified: the minifier takes a `using` whose variable is read once for a constant, and what it should
 * close stays open.
 *
 * `--expose-gc` is for `server/start_garbage.ts`.
 */
const SHAPE = ["--bundle", "--no-code-cache", "--unstable-net", "--unstable-worker-options", "--v8-flags=--expose-gc"];

/** Where `server/native_libraries.ts` looks for them inside the program. */
const NATIVE = "dist/native";

/** The npm packages of native code that go into the program, by the platform that they are made for. */
export const NATIVE_PACKAGES: Readonly<Record<string, readonly string[]>> = {
  "x86_64-unknown-linux-gnu": ["@node-rs/jsonwebtoken-linux-x64-gnu", "@node-rs/argon2-linux-x64-gnu"],
};

/** How a compilation ended. */
export interface Compiled {
  readonly ok: boolean;
  /** What the compiler said. */
  readonly said: string;
}

/**
 * Compiles the program.
 *
 * @param target What `deno compile --target` takes, such as `aarch64-apple-darwin`.
 * @param output The file to write, relative to the repository, which must be the current folder.
 */
export async function compileProgram(target: string, output: string): Promise<Compiled> {
  const doubles = await doubleWorkers(".");
  if (doubles.length > 0) {
    return { ok: false, said: `workers of one name, any of which might be embedded: ${doubles}\n` };
  }
  await collectNative(NATIVE_PACKAGES[target] ?? []);
  // One platform's runtime can't stand in for another's.
  const platform = target === Deno.build.target ? [] : ["--target", target];
  const args = ["compile", "--quiet", ...SHAPE, ...PERMISSIONS, ...platform, "--include", NATIVE];
  const command = new Deno.Command(Deno.execPath(), { args: [...args, "--output", output, "main.ts"] });
  const { success, stdout, stderr } = await command.output();
  if (success) await makeSteady(output);
  return { ok: success, said: new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr) };
}

async function makeSteady(path: string): Promise<void> {
  const program = steadyProgram(await Deno.readFile(path), await npmCache());
  await Deno.writeFile(path, program, { mode: 0o755 });
}

/** The path to the packages of npm, as the bundle's labels have it. */
async function npmCache(): Promise<string> {
  const { stdout } = await new Deno.Command(Deno.execPath(), { args: ["info", "--json"] }).output();
  const { npmCache } = JSON.parse(new TextDecoder().decode(stdout)) as { npmCache: string };
  return `${relative(Deno.cwd(), npmCache)}/`;
}

/** Puts the libraries of one platform, and no other's, where they are included from. */
async function collectNative(packages: readonly string[]): Promise<void> {
  await Deno.mkdir(NATIVE, { recursive: true });
  for await (const { name } of Deno.readDir(NATIVE)) await Deno.remove(`${NATIVE}/${name}`);
  for (const library of packages) {
    const file = createRequire(import.meta.url).resolve(library);
    await Deno.copyFile(file, `${NATIVE}/${file.slice(file.lastIndexOf("/") + 1)}`);
  }
}
