/**
 * The compiled binary under test: `RUNEVAULT_BINARY` names it.
 *
 * @module
 */

import { runProgram } from "../started_server.ts";

/** The first Deno whose HTTP/2 server can be given TLS by grpc-js. */
export const FIRST_WITH_TLS = "2.7.13";

/** The path of the binary; throws where none is named, so that these tests never pass on the source by mistake. */
export function binaryPath(): string {
  const path = Deno.env.get("RUNEVAULT_BINARY");
  if (path !== undefined && path !== "") return path;
  throw new Error("RUNEVAULT_BINARY must name the compiled binary: run `./denow task test:binary`");
}

/** The version of the Deno that the binary was compiled with, such as `2.8.3`. */
export async function binaryRuntime(): Promise<string> {
  binaryPath();
  const { stdout } = await runProgram(["version", "--json"]);
  return (JSON.parse(stdout) as { runtime: string }).runtime.replace("deno ", "");
}

const REPOSITORY = new URL("../../", import.meta.url).pathname;
/** What isn't source: the runtime, what was compiled, the history. */
const NOT_COPIED = [".git", ".deno", "dist", "node_modules", "coverage"];

/** Runs one of the programs that compile, on a copy of the source in `folder`; returns what it printed. */
export async function compileCopy(folder: string, program: string): Promise<string> {
  const sources = Array.from(Deno.readDirSync(REPOSITORY), ({ name }) => name).filter((name) =>
    !NOT_COPIED.includes(name)
  );
  const copied = await new Deno.Command("cp", { args: ["-R", ...sources, folder], cwd: REPOSITORY }).output();
  if (!copied.success) throw new Error(new TextDecoder().decode(copied.stderr));
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--cached-only", "-A", program],
    cwd: folder,
  }).output();
  const said = new TextDecoder().decode(stdout);
  if (!success) throw new Error(`${said}${new TextDecoder().decode(stderr)}`);
  return said;
}

/** Whether a version like `2.7.11` is at least another one. */
export function isAtLeast(version: string, wanted: string): boolean {
  return version.localeCompare(wanted, "en", { numeric: true }) >= 0;
}
