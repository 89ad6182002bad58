/** Runs the session files of this folder: `main.ts` (or the compiled binary) against a server really started. */

import { deepEqual, ok } from "node:assert/strict";
import { runProgram, StartedServer } from "../started_server.ts";
import { type CommandStep, fillIn, matchesLine, parseSession, type Remembered, splitArguments, type Step } from "./session.ts";

const FOLDER = new URL("./", import.meta.url);

/** The runtime that a test binary may have been compiled with can't serve TLS; run from source, every session runs. */
const WITHOUT_TLS = Deno.env.has("RUNEVAULT_BINARY");

for (const { name } of [...Deno.readDirSync(FOLDER)].sort((a, b) => a.name < b.name ? -1 : 1)) {
  if (!name.endsWith(".txt")) continue;
  const ignore = WITHOUT_TLS && Deno.readTextFileSync(new URL(name, FOLDER)).includes("--tls auto");
  Deno.test({ name: `tests/cli/${name} holds`, ignore, fn: () => runSession(name) });
}

async function runSession(name: string): Promise<void> {
  const steps = parseSession(await Deno.readTextFile(new URL(name, FOLDER)));
  ok(steps.length > 0);
  const dataDir = await Deno.makeTempDir({ prefix: "runevault-session-" });
  await Deno.chmod(dataDir, 0o700);
  const session = { name, dataDir, remembered: new Map([["data", dataDir]]), server: null };
  try {
    for (const step of steps) await runStep(step, session);
  } finally {
    await stopServer(session);
    await Deno.remove(dataDir, { recursive: true });
  }
}

interface Session {
  readonly name: string;
  readonly dataDir: string;
  readonly remembered: Remembered;
  server: StartedServer | null;
}

async function runStep(step: Step, session: Session): Promise<void> {
  const { dataDir, remembered } = session;
  if (step.kind === "command") return await runCommand(step, session);
  if (step.kind === "stop") return await stopServer(session);
  if (step.kind === "file") {
    return await Deno.writeTextFile(`${dataDir}/${step.name}`, fillIn(step.text, remembered), { mode: 0o600 });
  }
  session.server = await StartedServer.start({ dataDir, args: splitArguments(fillIn(step.args, remembered)) });
  remembered.set("admin", session.server.addresses.admin ?? "");
  remembered.set("api", session.server.addresses.api ?? "");
}

async function stopServer(session: Session): Promise<void> {
  await session.server?.stop();
  session.server = null;
}

async function runCommand(step: CommandStep, { name, dataDir, remembered }: Session): Promise<void> {
  const args = splitArguments(fillIn(step.command, remembered));
  const stdin = step.stdin === undefined ? {} : { stdin: await Deno.readTextFile(`${dataDir}/${step.stdin}`) };
  const env = { RUNEVAULT_DATA_DIR: dataDir, ...Object.fromEntries(step.env.map((pair) => environment(pair, remembered))) };
  const { code, stdout, stderr } = await runProgram(args, { env, ...stdin });
  const where = `${name}:${step.line} ${step.command}\n${stdout}${stderr}`;
  assertLines(stdout, step.stdout, remembered, `standard output of ${where}`);
  assertLines(stderr, step.stderr, remembered, `standard error of ${where}`);
  deepEqual(code, step.exitCode, `exit code of ${where}`);
}

function environment(pair: string, remembered: Remembered): [name: string, value: string] {
  const at = pair.indexOf("=");
  return [pair.slice(0, at), fillIn(pair.slice(at + 1), remembered)];
}

/** A line that matches stands as it is on both sides, so that a failure shows the others. */
function assertLines(actual: string, expected: readonly string[], remembered: Remembered, where: string): void {
  const body = actual.replace(/\n+$/, "");
  const lines = body === "" ? [] : body.split("\n");
  const shown = expected.map((line, i) => matchesLine(line, lines[i] ?? "", remembered) ? lines[i] ?? "" : line);
  deepEqual({ where, lines }, { where, lines: shown });
}
