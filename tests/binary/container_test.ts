/**
 * The image without a container engine: the steps of deploy/docker/Dockerfile, done in a throw-away root.
 *
 * @module
 */

import { deepEqual, equal, match, ok } from "node:assert/strict";
import { ignoreInstall, Machine } from "../install/_machine.ts";
import { binaryPath, binaryRuntime, FIRST_WITH_TLS, isAtLeast } from "./_binary.ts";

interface Step {
  readonly word: string;
  readonly rest: string;
}

async function stagesOf(): Promise<Step[][]> {
  const text = await Deno.readTextFile(new URL("../../deploy/docker/Dockerfile", import.meta.url));
  const steps = text.split("\n").filter((line) => /^[A-Z]+ /.test(line)).map((line) => {
    const at = line.indexOf(" ");
    return { word: line.slice(0, at), rest: line.slice(at + 1) };
  });
  const starts = steps.flatMap(({ word }, index) => word === "FROM" ? [index] : []);
  return starts.map((start, index) => steps.slice(start, starts[index + 1]));
}

function all(stage: readonly Step[], word: string): string[] {
  return stage.filter((step) => step.word === word).map(({ rest }) => rest);
}

Deno.test({
  name:
    "the image's steps give a vault that runs without rights, issues, lists and revokes a token, and stops when told",
  ignore: ignoreInstall,
  async fn() {
    const [build, final] = await stagesOf();
    deepEqual(all(build!, "RUN").slice(1), [
      "./denow install --frozen --quiet",
      // What made the binary that is tested here.
      "./denow task compile",
      "mkdir -m 700 /data",
    ]);
    await using machine = await Machine.make();
    for (const copy of all(final!, "COPY")) await place(machine, copy);
    const [id] = all(final!, "USER").map((user) => user.split(":")[0]!);
    const environment = Object.fromEntries(all(final!, "ENV").map((pair) => pair.split("=") as [string, string]));
    const run = (...args: string[]) => {
      const entry = JSON.parse(all(final!, "ENTRYPOINT")[0]!) as string[];
      return machine.root.run([...entry, ...args], { user: id!, env: environment });
    };
    const cmd = JSON.parse(all(final!, "CMD")[0]!) as string[];
    const serving = run(...cmd, ...await tlsArgs());
    const check = all(final!, "HEALTHCHECK")[0]!.split(" CMD ")[1]!;
    deepEqual(JSON.parse(check), ["/usr/local/bin/runevault", "status"]);
    for (let tries = 0; (await run("status")).code !== 0; tries++) ok(tries < 100, "it becomes healthy");
    match((await run("token", "issue", "--user", "try", "--role", "member")).stdout, /evt_[0-9a-f]{32}/);
    match((await run("token", "list")).stdout, /^try /m);
    equal((await run("token", "revoke", "--user", "try")).code, 0);
    ok(!/^try /m.test((await run("token", "list")).stdout));
    equal(await machine.sh("stat -c '%A %u' /var/lib/runevault"), `drwx------ ${id}\n`);
    const { pid } = JSON.parse(await machine.read("/var/lib/runevault/addresses.json")) as { pid: number };
    await machine.sh(`kill -TERM ${pid}`);
    equal((await serving).code, 0);
  },
});

/** `COPY --from=build [--chown=ID] FROM TO`, from what the build stage makes. */
async function place(machine: Machine, copy: string): Promise<void> {
  const [, owner = "0:0", from, to] = /^--from=build (?:--chown=(\S+) )?(\S+) (\S+)$/.exec(copy)!;
  if (from === "/data") await machine.sh(`mkdir -m 700 ${to}`);
  else await machine.bring(binaryPath(), to!);
  await machine.sh(`chown ${owner} ${to}`);
}

/** A runtime that can't serve TLS says so; the image's own can. */
async function tlsArgs(): Promise<string[]> {
  return isAtLeast(await binaryRuntime(), FIRST_WITH_TLS) ? [] : ["--tls", "off", "--allow-plaintext"];
}
