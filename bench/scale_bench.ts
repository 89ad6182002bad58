/**
 * One vault for many users: what a token check, an issue, a list, a start, the YAML file and the memory come to as they
 * grow. Run: `deno run -A bench/scale_bench.ts 1000 100000 1000000`; without arguments 1,000 and 100,000.
 *
 * All vaults run at once and are measured in turn, so that drifts of the machine hit all alike; what one shows of itself
 * while it is alone (start, memory) is measured before.
 *
 * @module
 */

import { cpuUsage } from "node:process";
import type { FileRow, StatusReport, TokenRow } from "../admin/wire.ts";
import { AdminHttp, VaultClient } from "../tests/clients.ts";
import { StartedServer } from "../tests/started_server.ts";
import { checkDatabase } from "../vault/storage/sqlite_copy.ts";
import { seedDataFolder, seededToken } from "./seed_store.ts";

const ROUNDS = 5;
const CHECKS = 1500;
const ISSUES = 100;
const PAGE = 1000;

/** What looking for damage takes: a start does it in a thread, beside the loading. */
interface DamageCheck {
  readonly seconds: number;
  readonly cpuSeconds: number;
}

/** A vault under measurement. */
interface Subject {
  readonly users: number;
  readonly dir: string;
  readonly server: StartedServer;
  readonly readyMs: number;
  readonly residentMb: number;
  readonly startCpuSeconds: number;
  readonly damageCheck: DamageCheck;
  readonly checks: number[];
  readonly issues: number[];
}

function print(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}

function at(share: number, values: readonly number[]): string {
  const sorted = [...values].sort((a, b) => a - b);
  return (sorted[Math.floor(sorted.length * share)] ?? NaN).toFixed(2);
}

async function open(users: number): Promise<Subject> {
  const dir = await Deno.makeTempDir({ prefix: "runevault-scale-" });
  await seedDataFolder(dir, users);
  // The first start writes the YAML files, the second is the usual one.
  await (await StartedServer.start({ dataDir: dir })).stop();
  const damageCheck = await checkForDamage(`${dir}/runevault.db`);
  const began = performance.now();
  const server = await StartedServer.start({ dataDir: dir });
  const readyMs = performance.now() - began;
  const startCpuSeconds = await mainThreadSeconds(server);
  await new Promise((resolve) => setTimeout(resolve, 5000));
  const resident = await residentMb(server);
  return { users, dir, server, readyMs, residentMb: resident, startCpuSeconds, damageCheck, checks: [], issues: [] };
}

async function residentMb({ pid }: StartedServer): Promise<number> {
  return Number(/VmRSS:\s+(\d+) kB/.exec(await Deno.readTextFile(`/proc/${pid}/status`))![1]) / 1000;
}

/** CPU time of the thread that serves: what a start takes on a machine with nothing else to do. */
async function mainThreadSeconds({ pid }: StartedServer): Promise<number> {
  return Number((await Deno.readTextFile(`/proc/${pid}/task/${pid}/schedstat`)).split(" ")[0]) / 1e9;
}

/** Alone, and nothing else in this process. */
async function checkForDamage(path: string): Promise<DamageCheck> {
  const cpu = () => {
    const { user, system } = cpuUsage();
    return (user + system) / 1e6;
  };
  const before = cpu();
  const seconds = await timedMs(() => checkDatabase(path)) / 1000;
  return { seconds, cpuSeconds: cpu() - before };
}

async function timedMs(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return performance.now() - began;
}

/** Calls by tokens drawn at random, one after the other, of which all but the check is next to nothing. */
async function check({ users, server, checks }: Subject): Promise<void> {
  using client = VaultClient.of(server);
  await client.manifest(seededToken(0));
  for (let i = 0; i < CHECKS; i++) {
    const token = seededToken(Math.floor(Math.random() * users));
    checks.push(
      await timedMs(async () => {
        const { code, details } = await client.open(token, []);
        if (code !== 0) throw new Error(details);
      }),
    );
  }
}

async function issue({ server, issues }: Subject, round: number): Promise<void> {
  using admin = AdminHttp.of(server);
  for (let i = 0; i < ISSUES / ROUNDS; i++) issues.push(await timedMs(() => admin.issue(`new_${round}_${i}`, "bench")));
}

/** The slowest of calls that are made while `work` goes on. */
async function slowestMeanwhile(server: StartedServer, work: () => Promise<unknown>): Promise<number> {
  using client = VaultClient.of(server);
  await client.manifest(seededToken(0));
  let isDone = false;
  let slowest = 0;
  const working = work().finally(() => isDone = true);
  while (!isDone) slowest = Math.max(slowest, await timedMs(() => client.manifest(seededToken(0))));
  await working;
  return slowest;
}

async function list({ server }: Subject): Promise<string> {
  using admin = AdminHttp.of(server);
  const pages: number[] = [];
  let rows = 0;
  const slowest = await slowestMeanwhile(server, async () => {
    let after: string | undefined;
    for (;;) {
      const query = after === undefined ? "" : `&after=${encodeURIComponent(after)}`;
      let tokens: TokenRow[] = [];
      pages.push(
        await timedMs(async () => {
          ({ tokens } = await admin.expect<{ tokens: TokenRow[] }>("GET", `/tokens?limit=${PAGE}${query}`));
        }),
      );
      rows += tokens.length;
      if (tokens.length < PAGE) return;
      after = tokens.at(-1)!.user;
    }
  });
  const seconds = (pages.reduce((sum, ms) => sum + ms, 0) / 1000).toFixed(1);
  return `${rows} rows in ${pages.length} pages of p50 ${at(0.5, pages)} ms, ${seconds} s in all; ` +
    `slowest call meanwhile ${slowest.toFixed(0)} ms`;
}

/** From a change until the tokens file shows it. */
async function writeYaml({ server, dir }: Subject): Promise<string> {
  using admin = AdminHttp.of(server);
  const state = async () => {
    const { files } = await admin.expect<{ files: FileRow[] }>("GET", "/files");
    return files.find(({ name }) => name === "tokens")!.state;
  };
  let written = 0;
  const slowest = await slowestMeanwhile(server, async () => {
    while (await state() === "pending") await new Promise((resolve) => setTimeout(resolve, 20));
    written = await timedMs(async () => {
      await admin.issue("yaml", "bench");
      while (await state() === "pending") await new Promise((resolve) => setTimeout(resolve, 20));
    });
  });
  if (await state() === "off") return "off for so many users";
  const { size } = await Deno.stat(`${dir}/vault-tokens.yml`);
  return `${(size / 1e6).toFixed(1)} MB after ${written.toFixed(0)} ms; slowest call meanwhile ${
    slowest.toFixed(0)
  } ms`;
}

async function report(subjects: readonly Subject[]): Promise<void> {
  const p99 = (subject: Subject) => Number(at(0.99, subject.checks));
  for (const subject of subjects) {
    using admin = AdminHttp.of(subject.server);
    const { users } = await admin.expect<StatusReport>("GET", "/status");
    print(`\n${subject.users} users (${users} at the end)`);
    const cpu = subject.startCpuSeconds.toFixed(2);
    print(`  start to ready    ${(subject.readyMs / 1000).toFixed(2)} s, of which the main thread worked ${cpu} s`);
    const { seconds, cpuSeconds } = subject.damageCheck;
    print(`  damage check      ${seconds.toFixed(2)} s alone, of which ${cpuSeconds.toFixed(2)} s on a processor`);
    const after = (await residentMb(subject.server)).toFixed(0);
    print(`  resident          ${subject.residentMb.toFixed(0)} MB after the start, ${after} MB after all this`);
    const ratio = (p99(subject) / p99(subjects[0]!)).toFixed(2);
    print(
      `  check             p50 ${at(0.5, subject.checks)} ms, p99 ${
        at(0.99, subject.checks)
      } ms, ratio ${ratio}, aim 1.2`,
    );
    print(`  issue             p50 ${at(0.5, subject.issues)} ms, p99 ${at(0.99, subject.issues)} ms`);
    print(`  list              ${await list(subject)}`);
    print(`  vault-tokens.yml  ${await writeYaml(subject)}`);
  }
}

const sizes = Deno.args.length > 0 ? Deno.args.map(Number) : [1000, 100_000];
const subjects: Subject[] = [];
try {
  for (const users of sizes) subjects.push(await open(users));
  for (let round = 0; round < ROUNDS; round++) {
    for (const subject of subjects) await check(subject);
    for (const subject of subjects) await issue(subject, round);
  }
  await report(subjects);
} finally {
  for (const { server, dir } of subjects) {
    await server.stop();
    await Deno.remove(dir, { recursive: true });
  }
}
