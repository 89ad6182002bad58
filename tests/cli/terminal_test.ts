/** What a terminal shows, by a real one: colours, tables of its width, and none of it where the output is piped. */

import { doesNotMatch, equal, match, ok } from "node:assert/strict";
import { cli } from "../clients.ts";
import { programCommand, StartedServer } from "../started_server.ts";

/** Runs a command of the program on a terminal. */
function onTerminal(
  server: StartedServer,
  args: readonly string[],
  columns: number,
  env: Readonly<Record<string, string>> = {},
): Promise<string> {
  return byTerminal(shellCommand([...args, "--data-dir", server.dataDir]), columns, env);
}

/** A command of the program as a shell has it. */
function shellCommand(args: readonly string[]): string {
  const program = programCommand(args);
  return [program.command, ...program.args].map((word) => `'${word}'`).join(" ");
}

/** Runs a shell's command on a terminal of some columns; util-linux's `script` makes one. */
async function byTerminal(
  command: string,
  columns: number,
  env: Readonly<Record<string, string>> = {},
): Promise<string> {
  const { stdout } = await new Deno.Command("script", {
    args: ["--quiet", "--return", "--command", `stty cols ${columns}; ${command}`, "/dev/null"],
    env: { PATH: Deno.env.get("PATH")!, TERM: "xterm", ...denoDir(), ...env },
    clearEnv: true,
    stdin: "null",
  }).output();
  // Escape sequences are shown as `^[`, so that expressions can be read.
  return new TextDecoder().decode(stdout).replaceAll("\r\n", "\n").replaceAll("\x1b", "^[");
}

/** Where the pinned Deno keeps what it has downloaded. */
function denoDir(): Record<string, string> {
  const names = ["HOME", "DENO_DIR"];
  return Object.fromEntries(names.flatMap((name) => Deno.env.has(name) ? [[name, Deno.env.get(name)!]] : []));
}

Deno.test("a terminal has colours and tables of its width; NO_COLOR and pipes have neither's escapes", async () => {
  await using server = await StartedServer.start();
  equal((await cli(server, ["token", "issue", "--user", "alice", "--role", "member"])).code, 0);
  const wide = await onTerminal(server, ["role", "list"], 200);
  match(wide, /\^\[\[1mROLE .*RATE\^\[\[0m\n/);
  match(wide, /get_public_key,decrypt_scores,decrypt_metadata,manage_tokens {2}/);
  const narrow = await onTerminal(server, ["role", "list"], 60, { NO_COLOR: "1" });
  doesNotMatch(narrow, /\^\[/);
  match(narrow, /get_public_key,decrypt.*… {2}50/);
  for (const line of narrow.split("\n")) ok(line.length <= 60, line);
  const piped = await cli(server, ["role", "list"]);
  ok(!piped.stdout.includes("\x1b") && !piped.stdout.includes("…"), piped.stdout);
  const refused = await onTerminal(server, ["token", "show", "--user", "nobody"], 80);
  match(refused, /\^\[\[1;31mrunevault:\^\[\[0m User "nobody" has no token/);
});

Deno.test("a terminal is told what takes longer than a second, and for how long; a pipe isn't", async () => {
  await using server = await StartedServer.start();
  const rewrap = shellCommand(["rewrap", "--data-dir", server.dataDir]);
  const shown = await byTerminal(`sleep 5 | ${rewrap}`, 80);
  match(shown, /\r\^\[\[Krewrap … [1-5] s[^]*\r\^\[\[K$/);
  doesNotMatch(await byTerminal(`sleep 5 | ${rewrap} 2>&1 | cat`, 80), /rewrap …/);
});
