/**
 * docs/install.md is what happens: its sessions are run, one after the other, on a machine of the test's own.
 *
 * @module
 */

import { equal, ok } from "node:assert/strict";
import { isSame } from "../docs/sameness.ts";
import { ignoreInstall, Machine } from "./_machine.ts";
import { SOURCE } from "./_throw_away_root.ts";

interface Command {
  readonly line: string;
  readonly output: readonly string[];
}

async function sessions(): Promise<Command[]> {
  const page = await Deno.readTextFile(new URL("../../docs/install.md", import.meta.url));
  return [...page.matchAll(/^```shell\n([^]*?)^```$/gm)].flatMap(([, block]) =>
    block!.split(/^\$ /m).slice(1).map((text) => {
      const [line, ...output] = text.trimEnd().split("\n");
      return { line: line!, output };
    })
  );
}

function linesOf(text: string): string[] {
  return text.trim() === "" ? [] : text.trimEnd().split("\n");
}

Deno.test({
  name: "docs/install.md shows what its commands print, from nothing to a backup and away again",
  ignore: ignoreInstall,
  async fn() {
    await using machine = await Machine.make();
    await machine.sh(
      `mkdir /opt/here && cp ${SOURCE}/install.sh /opt/here/ && cp ${await machine.launcher()} /opt/here/runevault`,
    );
    await machine.writeProgram("/opt/stand-in/sudo", 'exec "$@"');
    const values = new Map<string, string>();
    const commands = await sessions();
    equal(commands.length, 7);
    for (const { line, output } of commands) {
      const { code, stdout, stderr } = await machine.root.run(["sh", "-c", `cd /opt/here && { ${line}\n} 2>&1`]);
      equal(code, 0, `${line}: ${stdout}${stderr}`);
      ok(
        isSame(output, linesOf(stdout), values),
        `${line}
${stdout}`,
      );
    }
    equal(await machine.sh("head -c 21 /opt/here/vault.age"), "age-encryption.org/v1");
  },
});
