/**
 * The prompt for a passphrase, at a terminal.
 *
 * @module
 */

import { deepEqual, equal, match, ok } from "node:assert/strict";
import { missingCommands } from "../install/_programs.ts";
import { programCommand, StartedServer, temporaryFolder } from "../started_server.ts";
import { must, PASSPHRASE, withPassphrase } from "./_backup.ts";

const DRIVER = new URL("_at_terminal.py", import.meta.url).pathname;
const PROMPT = "Passphrase of the backup: ";
const AGAIN = "The same again: ";
const CTRL_C = "\x03";

/** What is typed as soon as a text was seen. */
type Step = readonly [seen: string, typed: string];

interface AtTerminal {
  readonly shown: string;
  readonly code: number | null;
  /** Whether the terminal was left as it was. */
  readonly restored: boolean;
}

async function atTerminal(args: readonly string[], steps: readonly Step[]): Promise<AtTerminal> {
  const { command, args: all } = programCommand(args);
  const { stdout, stderr } = await new Deno.Command("/usr/bin/python3", {
    args: [DRIVER, JSON.stringify(steps), command, ...all],
    env: { NO_COLOR: "1", TERM: "xterm" },
  }).output();
  const text = new TextDecoder().decode(stdout);
  ok(text !== "", new TextDecoder().decode(stderr));
  return JSON.parse(text) as AtTerminal;
}

function prompted(name: string, work: (backup: readonly string[], file: string, dataDir: string) => Promise<void>) {
  Deno.test({
    name: `at a terminal ${name}`,
    ignore: missingCommands("python3"),
    async fn() {
      await using place = await temporaryFolder();
      await using server = await StartedServer.start({ dataDir: `${place.path}/data` });
      const file = `${place.path}/vault.age`;
      await work(["backup", file, "--data-dir", server.dataDir], file, server.dataDir);
    },
  });
}

prompted("the passphrase is asked for twice and never shown, and opens the backup", async (backup, file, dataDir) => {
  const made = await atTerminal(backup, [[PROMPT, `${PASSPHRASE}\r`], [AGAIN, `${PASSPHRASE}\r`]]);
  deepEqual([made.code, made.restored], [0, true], made.shown);
  ok(!made.shown.includes("five words"), made.shown);
  await must(dataDir, ["restore", "--check", file], withPassphrase());
  const opened = await atTerminal(["restore", "--check", file], [[PROMPT, `${PASSPHRASE}\r`]]);
  deepEqual([opened.code, opened.restored], [0, true], opened.shown);
  match(opened.shown, /Whole: +yes/);
  ok(!opened.shown.includes("five words") && !opened.shown.includes(AGAIN), opened.shown);
});

prompted("what was mistyped is asked for again, three times at most", async (backup, file) => {
  const wrong: Step[] = [[PROMPT, `${PASSPHRASE}\r`], [AGAIN, "five worms for this test\r"]];
  const mended = await atTerminal(backup, [...wrong, [`They differ.\r\n${PROMPT}`, "fivf\x7fe words for this test\r"], [
    AGAIN,
    `${PASSPHRASE}\r`,
  ]]);
  deepEqual([mended.code, mended.restored], [0, true], mended.shown);
  ok(!/five wor/.test(mended.shown), mended.shown);
  await Deno.remove(file);
  const refused = await atTerminal(backup, [...wrong, ...wrong, ...wrong]);
  deepEqual([refused.code, refused.restored], [1, true], refused.shown);
  match(refused.shown, /The two passphrases differ, 3 times/);
});

prompted("Ctrl-C ends it, leaves the terminal as it was, and makes no file", async (backup, file) => {
  for (const steps of [[[PROMPT, `five${CTRL_C}`]], [[PROMPT, `${PASSPHRASE}\r`], [AGAIN, CTRL_C]]] as Step[][]) {
    const { shown, code, restored } = await atTerminal(backup, steps);
    ok(code !== 0 && code !== null, shown);
    equal(restored, true);
    match(shown, /Interrupted/);
    ok(!shown.includes("five"), shown);
    equal(await Deno.stat(file).then(() => true, () => false), false);
  }
});
