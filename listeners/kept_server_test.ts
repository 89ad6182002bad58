/** Idle connections take every file descriptor of the process; afterwards it must serve on the same addresses. */

import { equal, match, ok } from "node:assert/strict";

const LIMIT = 64;

Deno.test("a KeptServer comes back after the process ran out of file descriptors, on TCP and on a unix socket", async () => {
  const folder = await Deno.makeTempDir();
  const path = `${folder}/http.sock`;
  const script = `ulimit -n ${LIMIT}; exec "$0" run --no-prompt -A "$1" "$2"`;
  const url = new URL("./_descriptors_child.ts", import.meta.url).pathname;
  const args = ["-c", script, Deno.execPath(), url, path];
  const child = new Deno.Command("sh", { args, stdin: "piped", stdout: "piped", stderr: "piped" }).spawn();
  const lines = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const { value } = await lines.read();
  ok(value !== undefined, "the child did not start");
  const port = Number(value);
  await exhaust(() => Deno.connect({ port }));
  await answersSoon(`http://127.0.0.1:${port}/`);
  await exhaust(() => Deno.connect({ transport: "unix", path }));
  using client = Deno.createHttpClient({ proxy: { transport: "unix", path } });
  await answersSoon("http://localhost/", client);
  await answersSoon(`http://127.0.0.1:${port}/`);
  await child.stdin.close();
  const log = (await lines.read()).value ?? "";
  await lines.cancel();
  equal((await child.status).code, 0, new TextDecoder().decode((await child.stderr.getReader().read()).value));
  await child.stderr.cancel().catch(() => undefined);
  match(log, /(listener_failed.*listener_restored.*){2}/, "the attack must have worked for the test to tell");
  await Deno.remove(folder, { recursive: true });
});

/** Opens more idle connections than the child has descriptors, waits, and lets them all go. */
async function exhaust(connect: () => Promise<Deno.Conn>): Promise<void> {
  const open: Deno.Conn[] = [];
  for (let i = 0; i < LIMIT * 2; i++) {
    const connection = await Promise.race([connect().catch(() => null), pause(200).then(() => null)]);
    if (connection === null) break;
    open.push(connection);
  }
  await pause(300);
  for (const connection of open) connection.close();
}

/** Asks until there is an answer, 20 s at most. */
async function answersSoon(url: string, client?: Deno.HttpClient): Promise<void> {
  const until = performance.now() + 20_000;
  for (;;) {
    try {
      const answer = await fetch(url, { signal: AbortSignal.timeout(500), ...(client ? { client } : {}) });
      return equal(await answer.text(), "here");
    } catch (error) {
      if (performance.now() > until) throw error;
      await pause(50);
    }
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
