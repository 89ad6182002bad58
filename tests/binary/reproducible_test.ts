/**
 * The same source gives the same bytes, wherever and whenever it is compiled; and a release says what isn't in it.
 *
 * @module
 */

import { deepEqual, equal, match } from "node:assert/strict";
import { createHash } from "node:crypto";
import { temporaryFolder } from "../started_server.ts";
import { VERSION } from "../../version.ts";
import { binaryPath, compileCopy } from "./_binary.ts";

async function sha256(path: string): Promise<string> {
  return createHash("sha256").update(await Deno.readFile(path)).digest("hex");
}

Deno.test("compiled in another folder at another time, the binary is the same to the byte", async () => {
  await using folder = await temporaryFolder();
  await compileCopy(folder.path, "tasks/compile.ts");
  equal(await sha256(`${folder.path}/dist/runevault`), await sha256(binaryPath()));
});

Deno.test({
  name: "a release has this machine's program, a bill of materials and sums, and names each platform that it skipped",
  // With a network, which platforms can be compiled for is not known here.
  ignore: Deno.env.get("DENORT_BIN") === undefined || Deno.build.target !== "x86_64-unknown-linux-gnu",
  fn: async () => {
    await using folder = await temporaryFolder();
    const said = await compileCopy(folder.path, "tasks/release.ts");
    const released = `${folder.path}/dist/release`;
    const program = `runevault-${VERSION}-linux-x64`;
    match(said, new RegExp(`^${program}: two compilations are the same to the byte$`, "m"));
    for (const platform of ["linux-arm64", "macos-x64", "macos-arm64"]) {
      match(said, new RegExp(`^skipped ${platform}: DENORT_BIN is the runtime of another platform$`, "m"));
    }
    const sums = (await Deno.readTextFile(`${released}/SHA256SUMS`)).trim().split("\n").map((line) => line.split("  "));
    deepEqual(sums.map(([, file]) => file), ["install.sh", program, `runevault-${VERSION}.cdx.json`]);
    for (const [sum, file] of sums) equal(await sha256(`${released}/${file}`), sum, `${file}`);
    equal(sums.find(([, file]) => file === program)?.[0], await sha256(binaryPath()));
    equal(JSON.parse(await Deno.readTextFile(`${released}/runevault-${VERSION}.cdx.json`)).bomFormat, "CycloneDX");
  },
});
