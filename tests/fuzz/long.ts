/**
 * The long form: `deno run -A tests/fuzz/long.ts [--inputs 1000000] [--parser NAME] [--seed N] [--path P]`
 *
 * Prints a line a minute, and one a parser: how many inputs, how many a second, and the slowest. An input that breaks a parser, or that
 * it hangs on, is kept in the corpus; the exit code is 1 then. With a parser, a seed and a path it goes on from the
 * input that they stand for.
 *
 * @module
 */

import { parseArgs } from "node:util";
import { keepInput, toBytes } from "./corpus.ts";
import { inputAt } from "./runner.ts";
import type { FuzzTarget } from "./target.ts";
import { TARGETS } from "./targets/mod.ts";
import { FuzzThread, type WatchedEnd } from "./watched_run.ts";

const SHOWN_BYTES = 100;
const MINUTE_MS = 60_000;

const { values } = parseArgs({
  args: Deno.args,
  options: {
    inputs: { type: "string", default: "1000000" },
    parser: { type: "string", multiple: true },
    seed: { type: "string" },
    path: { type: "string" },
  },
});
const inputs = wholeNumber("--inputs", values.inputs);
const seed = values.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : wholeNumber("--seed", values.seed);

let failures = 0;
for (const name of values.parser ?? Object.keys(TARGETS)) {
  if (!await fuzz(name)) failures++;
}
Deno.exit(failures === 0 ? 0 : 1);

async function fuzz(name: string): Promise<boolean> {
  const load = TARGETS[name];
  if (load === undefined) {
    print(`There is no parser ${name}; there are ${Object.keys(TARGETS).join(", ")}`);
    return false;
  }
  // Said before the run: should it end the process, the same seed finds the place again.
  print(`${name}: seed ${seed}`);
  const target = await load();
  const began = performance.now();
  using thread = new FuzzThread();
  const { path } = values;
  const onProgress = everyMinute((done) => print(`${name}: ${done} inputs so far`));
  const more = path === undefined ? {} : { path };
  const ended = await thread.run({ name, inputs, seed, corpus: true, onProgress, ...more });
  const seconds = (performance.now() - began) / 1000;
  return await report(target, ended, seconds);
}

function everyMinute(tell: (done: number) => void): (done: number) => void {
  let toldAt = performance.now();
  return (done) => {
    if (performance.now() - toldAt < MINUTE_MS) return;
    toldAt = performance.now();
    tell(done);
  };
}

async function report(target: FuzzTarget, ended: WatchedEnd, seconds: number): Promise<boolean> {
  const { name } = target;
  if (ended.end === "broken") {
    print(`${name}: FAILED on ${ended.file} of the corpus: ${ended.reason}`);
    return false;
  }
  if (ended.end === "hang") {
    const file = await keepInput(target, inputAt(target, ended.seed, ended.path));
    print(`${name}: HANGS on input ${ended.path} of seed ${ended.seed}, kept as ${file}`);
    return false;
  }
  const { inputs, slowestMs, slowestInput, failure } = ended.report;
  const rate = Math.round(inputs / seconds);
  const slowest = `slowest ${slowestMs.toFixed(1)} ms on ${shown(target, slowestInput)}`;
  print(`${name}: ${inputs} inputs and ${ended.kept} of the corpus in ${seconds.toFixed(1)} s (${rate}/s); ${slowest}`);
  if (failure === null) return true;
  const file = await keepInput(target, failure.input);
  print(`${name}: FAILED, --seed ${failure.seed} --path ${failure.path}, kept as ${file}\n${failure.reason}`);
  return false;
}

/** An input's beginning and its length. */
function shown(target: FuzzTarget, input: unknown): string {
  if (input === undefined) return "none";
  const bytes = toBytes(target, input);
  const head = bytes.subarray(0, SHOWN_BYTES);
  const text = target.form === "bytes" ? head.toHex() : new TextDecoder().decode(head).replaceAll(/\s+/g, " ");
  return `${bytes.length} bytes: ${text}${bytes.length > SHOWN_BYTES ? "…" : ""}`;
}

function wholeNumber(flag: string, text: string): number {
  if (/^[0-9]{1,10}$/.test(text)) return Number(text);
  print(`${flag} takes a whole number`);
  Deno.exit(2);
}

function print(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}
