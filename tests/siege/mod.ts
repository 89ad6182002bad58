/**
 * `./denow task siege [--long] [--attack NAME]… [--program source|binary]… [--seed N] [--kills N]`: every attack on a started server,
 * one line each with its outcome. The exit code is 1 where one did not hold.
 *
 * The compiled binary is attacked too where `dist/runevault` is there, or `RUNEVAULT_BINARY` names one.
 *
 * @module
 */

import { parseArgs } from "node:util";
import { VERSION } from "../../version.ts";
import { seededNumbers } from "../crash/_fleet.ts";
import { binaryCanServeTls, type Program, programs } from "./programs.ts";
import type { Attack, Siege } from "./attack.ts";
import { ATTACKS } from "./attacks.ts";

const { values } = parseArgs({
  args: Deno.args,
  options: {
    long: { type: "boolean", default: false },
    attack: { type: "string", multiple: true },
    program: { type: "string", multiple: true },
    seed: { type: "string" },
    kills: { type: "string" },
  },
});
const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31));
const chosen = ATTACKS.filter(({ name, isLongOnly }) => values.attack?.includes(name) ?? (values.long || !isLongOnly));
if (chosen.length === 0) {
  print(`There is no such attack; there are ${ATTACKS.map(({ name }) => name).join(", ")}`);
  Deno.exit(2);
}
print(`runevault ${VERSION}, Deno ${Deno.version.deno}; ${await machine()}`);
print(`${new Date().toISOString()}, ${values.long ? "long" : "short"} form, --seed ${seed}`);
let [held, fallen] = [0, 0];
const began = performance.now();
for (const program of await programs(values.program)) {
  for (const attack of chosen) {
    await lay(attack, program, false);
    const tls = attack.hasTls === true || attack.hasTls === "long" && values.long;
    if (tls && (program.name === "source" || await binaryCanServeTls())) await lay(attack, program, true);
  }
}
print(`${held} held, ${fallen} fell, in ${Math.round((performance.now() - began) / 1000)} s`);
Deno.exit(fallen === 0 ? 0 : 1);

async function lay(attack: Attack, program: Program, isTls: boolean): Promise<void> {
  const siege: Siege = {
    isLong: values.long,
    program: program.name,
    isTls,
    kills: values.kills === undefined ? undefined : Number(values.kills),
    random: seededNumbers(seed),
    onProgress: (line) => print(`      ${attack.name}: ${line}`),
  };
  const started = performance.now();
  const [ended, outcome] = await program.during(() => attack.run(siege)).then(
    (said) => ["held", said] as const,
    (error: Error) => ["FELL", describe(error)] as const,
  );
  ended === "held" ? held++ : fallen++;
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  const where = `${program.name}${isTls ? ", TLS" : ""}`;
  print(`${ended}  ${attack.name.padEnd(18)} ${where.padEnd(12)} ${seconds.padStart(6)} s  ${outcome}`);
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return `${error.stack ?? error.message}${error.cause === undefined ? "" : `\ncause: ${describe(error.cause)}`}`;
}

async function machine(): Promise<string> {
  const memory = Math.round(Deno.systemMemoryInfo().total / 2 ** 30);
  const load = Deno.loadavg().map((one) => one.toFixed(1)).join(" ");
  const cpu = /model name\s*: (.*)/.exec(await Deno.readTextFile("/proc/cpuinfo"))?.[1] ?? "unknown processor";
  return `${navigator.hardwareConcurrency} cores (${cpu}), ${memory} GiB, load before ${load}`;
}

function print(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}
