/**
 * The same source gives the same bytes, wherever and whenever it is compiled.
 *
 * @module
 */

import { equal } from "node:assert/strict";
import { createHash } from "node:crypto";
import { temporaryFolder } from "../started_server.ts";
import { binaryPath } from "./_binary.ts";

const REPOSITORY = new URL("../../", import.meta.url).pathname;
/** What isn't source: the runtime, what was compiled, the history. */
const NOT_COPIED = [".git", ".deno", "dist", "node_modules", "coverage"];

async function sha256(path: string): Promise<string> {
  return createHash("sha256").update(await Deno.readFile(path)).digest("hex");
}

Deno.test("compiled in another folder at another time, the binary is the same to the byte", async () => {
  await using folder = await temporaryFolder();
  const sources = Array.from(Deno.readDirSync(REPOSITORY), ({ name }) => name).filter((name) =>
    !NOT_COPIED.includes(name)
  );
  const copied = await new Deno.Command("cp", { args: ["-R", ...sources, folder.path], cwd: REPOSITORY }).output();
  equal(copied.code, 0);
  const { code, stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--cached-only", "-A", "tasks/compile.ts"],
    cwd: folder.path,
  }).output();
  equal(code, 0, new TextDecoder().decode(stdout));
  equal(await sha256(`${folder.path}/dist/runevault`), await sha256(binaryPath()));
});
