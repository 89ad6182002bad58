/**
 * `./denow task siege [--long] [--attack NAME]… [--program source|binary]… [--seed N] [--kills N] [--minutes N]`: every attack
 * on a started server, one line each with its outcome. The exit code is 1 where one did not hold, or was not laid as the
 * minutes were over: the kills come last, and no attack begins after them.
 *
 * The compiled binary is attacked too where `dist/runevault` is there, or `RUNEVAULT_BINARY` names one.
 *
 * @module
 */

import { parseArgs } from "node:util";
import { seededNumbers } from "../crash/_fleet.ts";
import { binaryCanServeTls, type Program, programs } from "./programs.ts";
import type { Attack, Siege } from "./attack.ts";
import { ATTACKS } from "./attacks.ts";
import { kills } from "./kills.ts";
import { print, Report } from "./report.ts";

/** For two cores without other work: the long form takes less there, apart from the kills. */
const LONG_MINUTES = 60;

const { values } = parseArgs({
  args: Deno.args,
  options: {
    long: { type: "boolean", default: false },
    attack: { type: "string", multiple: true },
    program: { type: "string", multiple: true },
    seed: { type: "string" },
    kills: { type: "string" },
    minutes: { type: "string" },
  },
});
const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31));
const chosen = ATTACKS.filter(({ name, isLongOnly }) => values.attack?.includes(name) ?? (values.long || !isLongOnly));
if (chosen.length === 0) {
  print(`There is no such attack; there are ${ATTACKS.map(({ name }) => name).join(", ")}`);
  Deno.exit(2);
}
const minutes = Number(values.minutes ?? (values.long ? LONG_MINUTES : Infinity));
const until = performance.now() + minutes * 60_000;
const besieged = await programs(values.program);
const report = await Report.begin(command(), besieged);
for (const program of besieged) {
  for (const attack of chosen.filter((one) => one !== kills)) {
    await lay(attack, program, false);
    const tls = attack.hasTls === true || attack.hasTls === "long" && values.long;
    if (tls && (program.name === "source" || await binaryCanServeTls())) await lay(attack, program, true);
  }
}
// Their number is a flag of its own, and so is their time.
if (chosen.includes(kills)) { for (const program of besieged) await lay(kills, program, false); }
report.end(values.long);
Deno.exit(report.isHeld ? 0 : 1);

async function lay(attack: Attack, program: Program, isTls: boolean): Promise<void> {
  const row = { attack: attack.name, where: `${program.name}${isTls ? ", TLS" : ""}` };
  if (attack !== kills && performance.now() > until) {
    return report.add({ ...row, outcome: "not laid", seconds: 0, said: `${minutes} minutes were over` });
  }
  const siege: Siege = {
    isLong: values.long,
    program: program.name,
    isTls,
    kills: values.kills === undefined ? undefined : Number(values.kills),
    random: seededNumbers(seed),
    onProgress: (line) => print(`      ${attack.name}: ${line}`),
  };
  const started = performance.now();
  const [outcome, said] = await program.during(() => attack.run(siege)).then(
    (said) => ["held", said] as const,
    (error: Error) => ["FELL", describe(error)] as const,
  );
  report.add({ ...row, outcome, said, seconds: (performance.now() - started) / 1000 });
}

/** What lays this siege again. */
function command(): string {
  const given = Deno.args.map((one) => one.includes(" ") ? `"${one}"` : one);
  if (values.seed === undefined) given.push("--seed", `${seed}`);
  return ["./denow task siege", ...given].join(" ");
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return `${error.stack ?? error.message}${error.cause === undefined ? "" : `\ncause: ${describe(error.cause)}`}`;
}
