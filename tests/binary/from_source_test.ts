/**
 * From the source to an installed program: install.sh, and the steps by which the image is built, which are the same.
 *
 * @module
 */

import { equal, match } from "node:assert/strict";
import { ignoreInstall, Machine } from "../install/_machine.ts";
import { SOURCE } from "../install/_throw_away_root.ts";
import { binaryPath } from "./_binary.ts";

/** What a checkout has, and the runtime that this machine runs already: nothing can be downloaded there. */
const COPY =
  `mkdir /src && cd ${SOURCE} && find . -maxdepth 1 -mindepth 1 ! -name .git ! -name dist ! -name node_modules \
  -exec cp -R {} /src/ ';'`;

Deno.test({
  name: "install.sh --from-source compiles the program to the same bytes, and installs it",
  ignore: ignoreInstall,
  async fn() {
    await using machine = await Machine.make();
    await machine.sh(COPY);
    const env: Record<string, string> = { DENO_DIR: "/opt/deno" };
    const runtime = Deno.env.get("DENORT_BIN");
    if (runtime !== undefined) env["DENORT_BIN"] = runtime;
    const { code, stdout, stderr } = await machine.root.run(
      ["sh", "/src/install.sh", "--from-source", "--no-service"],
      { env },
    );
    equal(code, 0, stdout + stderr);
    match(stdout, /^compiling \/src$/m);
    await machine.bring(binaryPath(), "/opt/tested");
    equal(await machine.sh("cmp /usr/local/bin/runevault /opt/tested"), "");
    equal(await machine.sh("ls /etc/runevault /var/lib/runevault 2>/dev/null || :"), "", "the program alone");
  },
});
