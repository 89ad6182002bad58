/**
 * `./denow task soak --minutes N [--users N] [--top RATE]`: all kinds of calls at half of the measured top rate. Each
 * minute it prints what callers saw and what the process takes; at the end the slopes of memory and open files.
 *
 * `RUNEVAULT_BINARY=…` soaks the compiled binary in place of the source. The exit code is 1 where a call failed, or a
 * soak of half an hour or longer ends with a slope beyond its error. Callers and server share the machine.
 *
 * @module
 */

import { parseArgs } from "node:util";
import { AdminHttp } from "../tests/clients.ts";
import { ServedApi } from "../tests/identity/_served.ts";
import type { StartedServer } from "../tests/started_server.ts";
import { VERSION } from "../version.ts";
import { seedDataFolder } from "./seed_store.ts";
import { type SoakCall, soakMix } from "./soak_calls.ts";
import { Pacer } from "./soak_pacer.ts";
import { quantile, type Slope, slopeOf } from "./soak_numbers.ts";

const TOP_SECONDS = 10;
/** Caches and heaps fill in the first minutes: no slope is looked for in this share of a soak. */
const SETTLING_SHARE = 0.25;
/** Of fewer minutes no slope can be told. */
const MINUTES_FOR_A_VERDICT = 30;

const HEADING = "min   calls/s  p50 ms  p99 ms  p99.9 ms  loop ms  resident MB  files  WAL MB  load  failed  late";

const { values } = parseArgs({
  args: Deno.args,
  options: {
    minutes: { type: "string", default: "1" },
    users: { type: "string", default: "1000" },
    top: { type: "string" },
  },
});

/** What one minute showed. */
interface Reading {
  readonly minute: number;
  readonly residentMb: number;
  readonly files: number;
}

const folder = await Deno.makeTempDir({ prefix: "runevault-soak-" });
let failed = false;
try {
  await seedDataFolder(folder, Number(values.users));
  failed = !await soak(Number(values.minutes) * 60);
} finally {
  await Deno.remove(folder, { recursive: true });
}
Deno.exit(failed ? 1 : 0);

async function soak(seconds: number): Promise<boolean> {
  await using api = await ServedApi.start({ dataDir: folder });
  using admin = AdminHttp.of(api.server);
  using mix = await soakMix({ api, admin, users: Number(values.users) });
  const program = Deno.env.get("RUNEVAULT_BINARY") === undefined ? "source" : "binary";
  print(
    `runevault ${VERSION} (${program}, pid ${api.server.pid}), ${values.users} users, ${mix.calls.length} kinds of calls`,
  );
  const top = values.top === undefined ? await topRate(mix.calls) : Number(values.top);
  print(`top rate ${top.toFixed(0)} calls/s; soaking at ${(top / 2).toFixed(0)} for ${seconds / 60} min`);
  print(HEADING);
  const pacer = new Pacer(mix.calls, top / 2);
  const readings: Reading[] = [];
  const began = performance.now();
  const running = pacer.run();
  for (let minute = 1; (minute - 1) * 60 < seconds; minute++) {
    await sleep(began + Math.min(minute * 60, seconds) * 1000 - performance.now());
    readings.push(await report(minute, pacer, api.server));
  }
  pacer.stop();
  await running;
  return conclude(readings, pacer);
}

async function topRate(calls: readonly SoakCall[]): Promise<number> {
  const pacer = new Pacer(calls, Infinity);
  const running = pacer.run();
  await sleep(TOP_SECONDS * 200);
  pacer.take();
  const began = performance.now();
  await sleep(TOP_SECONDS * 1000);
  const { latencies } = pacer.take();
  const rate = latencies.length / (performance.now() - began) * 1000;
  pacer.stop();
  await running;
  return rate;
}

async function report(minute: number, pacer: Pacer, server: StartedServer): Promise<Reading> {
  const { latencies, seconds, failures, skipped } = pacer.take();
  const sorted = latencies.sort((a, b) => a - b);
  const residentMb = await resident(server) / 1e6;
  const files = await openFiles(server);
  const wal = await Deno.stat(`${server.dataDir}/runevault.db-wal`).then(({ size }) => size, () => 0);
  const columns: [string, number][] = [
    [String(minute), 3],
    [(sorted.length / seconds).toFixed(0), 10],
    ...[0.5, 0.99, 0.999].map((share, i): [string, number] => [quantile(sorted, share).toFixed(1), [8, 8, 10][i]!]),
    [(await loopDelaySeconds(server) * 1000).toFixed(0), 9],
    [residentMb.toFixed(1), 13],
    [String(files), 7],
    [(wal / 1e6).toFixed(1), 8],
    [Deno.loadavg()[0]!.toFixed(1), 6],
    [String(failures), 8],
    [String(skipped), 6],
  ];
  print(columns.map(([text, width]) => text.padStart(width)).join(""));
  return { minute, residentMb, files };
}

function conclude(readings: readonly Reading[], pacer: Pacer): boolean {
  for (const [reason, times] of pacer.reasons) print(`failed ${times} times: ${reason}`);
  const settled = readings.slice(Math.floor(readings.length * SETTLING_SHARE));
  if (settled.length < 4) return pacer.reasons.size === 0;
  const minutes = settled.map(({ minute }) => minute);
  const memory = slopeOf(minutes, settled.map(({ residentMb }) => residentMb));
  const files = slopeOf(minutes, settled.map(({ files }) => files));
  print(`resident memory ${described(memory, "MB")}; open files ${described(files, "")}`);
  const isFlat = (slope: Slope) => slope.perHour <= slope.errorPerHour;
  const hasVerdict = readings.length >= MINUTES_FOR_A_VERDICT;
  return pacer.reasons.size === 0 && (!hasVerdict || isFlat(memory) && isFlat(files));
}

function described({ perHour, errorPerHour }: Slope, unit: string): string {
  return `${perHour >= 0 ? "+" : ""}${perHour.toFixed(1)} ± ${errorPerHour.toFixed(1)} ${unit}`.trim() + " an hour";
}

async function resident({ pid }: StartedServer): Promise<number> {
  return Number(/VmRSS:\s+(\d+) kB/.exec(await Deno.readTextFile(`/proc/${pid}/status`))![1]) * 1024;
}

async function openFiles({ pid }: StartedServer): Promise<number> {
  let files = 0;
  for await (const _ of Deno.readDir(`/proc/${pid}/fd`)) files++;
  return files;
}

async function loopDelaySeconds({ addresses }: StartedServer): Promise<number> {
  const text = await (await fetch(`http://${addresses.metrics}/metrics`)).text();
  return Number(/^runevault_event_loop_delay_seconds (\S+)/m.exec(text)![1]);
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.max(0, ms)));
}

function print(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}
