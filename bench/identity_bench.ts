/**
 * The identity API beside what it is made of: a bare Hono route, the signing library, the password hash; in one run, with
 * ratios. Nothing here fails on a number.
 *
 * @module
 */

import { ServedApi } from "../tests/identity/_served.ts";
import type { HttpPlan, HttpResult } from "./http_load.ts";

const SECONDS = Number(Deno.env.get("RUNEVAULT_BENCH_SECONDS") ?? "4");
const ROUNDS = Number(Deno.env.get("RUNEVAULT_BENCH_ROUNDS") ?? "3");
const ALGORITHMS = ["RS256", "ES256", "EdDSA"] as const;

function print(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}

function command(script: string, args: readonly string[]): Deno.Command {
  const path = new URL(script, import.meta.url).pathname;
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--cached-only", "-A", path, ...args],
    stdin: "piped",
    stdout: "piped",
  });
}

async function output(script: string, input: string, ...args: string[]): Promise<string> {
  const child = command(script, args).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(input));
  await writer.close();
  const { code, stdout } = await child.output();
  if (code !== 0) throw new Error(`${script} ended with ${code}`);
  return new TextDecoder().decode(stdout);
}

/** What to ask, and of which process. */
type Load = Partial<HttpPlan> & { readonly port: number; readonly path: string; readonly pid: number };

/** How often something was done a second, and the processor time of one. */
interface Measured {
  readonly perSecond: number;
  /** Null where it isn't a server's. */
  readonly cpu: Cpu | null;
}

/** Microseconds of a request, less disturbed by other work than rates are. */
interface Cpu {
  readonly total: number;
  /** Its inverse is the rate at which that thread has no time left, however many cores there are. */
  readonly busiestThread: number;
}

/** Processor time that each thread of a process has taken, in microseconds. */
function threadTimes(pid: number): Map<string, number> {
  const threads = [...Deno.readDirSync(`/proc/${pid}/task`)].map(({ name }) => name);
  const timeOf = (thread: string) => Deno.readTextFileSync(`/proc/${pid}/task/${thread}/schedstat`).split(" ")[0];
  return new Map(threads.map((thread) => [thread, Number(timeOf(thread)) / 1000]));
}

function cpuSince(before: ReadonlyMap<string, number>, pid: number, requests: number): Cpu {
  const times = [...threadTimes(pid)].map(([thread, time]) => (time - (before.get(thread) ?? 0)) / requests);
  return { total: times.reduce((sum, time) => sum + time, 0), busiestThread: Math.max(...times) };
}

/** The medians of some rounds. */
async function load({ pid, ...plan }: Load): Promise<Measured> {
  const full = { method: "GET", headers: {}, body: "", connections: 4, seconds: SECONDS, status: 200, ...plan };
  const rates: number[] = [];
  const costs: Cpu[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const before = threadTimes(pid);
    const result = JSON.parse(await output("./http_load.ts", JSON.stringify(full))) as HttpResult;
    if (result.failures > 0) throw new Error(`${plan.path}: ${result.failures} answers were not ${full.status}`);
    rates.push(result.perSecond);
    costs.push(cpuSince(before, pid, result.perSecond * full.seconds));
  }
  const cpu = {
    total: median(costs.map(({ total }) => total)),
    busiestThread: median(costs.map(({ busiestThread }) => busiestThread)),
  };
  return { perSecond: median(rates), cpu };
}

function median(values: number[]): number {
  return values.sort((a, b) => a - b)[Math.floor(values.length / 2)]!;
}

async function startBare(): Promise<{ port: number; pid: number } & AsyncDisposable> {
  const child = command("./bare_hono.ts", []).spawn();
  await child.stdin.close();
  const { value } = await child.stdout.getReader().read();
  const { port } = JSON.parse(new TextDecoder().decode(value)) as { port: number };
  return {
    port,
    pid: child.pid,
    async [Symbol.asyncDispose]() {
      child.kill("SIGTERM");
      await child.status;
    },
  };
}

async function prepare(api: ServedApi): Promise<{ root: string; user: string }> {
  const must = async (method: string, path: string, body: unknown) => {
    const answered = await api.operator(method, path, body);
    if (answered.status >= 300) throw new Error(`${path}: ${JSON.stringify(answered.body)}`);
  };
  await must("POST", "sys/auth/userpass", { type: "userpass" });
  await must("PUT", "sys/policies/acl/own", {
    policy:
      'path "identity/oidc/token/*" { capabilities = ["read"] }\npath "auth/token/create" { capabilities = ["update"] }',
  });
  await must("POST", "auth/userpass/users/alice", { password: "correct horse", policies: "own" });
  for (const algorithm of ALGORITHMS) {
    await must("POST", `identity/oidc/key/${algorithm}`, { algorithm, allowed_client_ids: "*" });
    await must("POST", `identity/oidc/role/${algorithm}`, { key: algorithm });
  }
  const login = await api.call("POST", "auth/userpass/login/alice", undefined, { password: "correct horse" });
  return { root: await api.rootToken(), user: login.body.auth.client_token };
}

function row(what: string, measured: Measured, bare: Measured, name: string, aim: string): void {
  const ratio = `${(measured.perSecond / bare.perSecond).toFixed(2)} of ${name} (aim ${aim})`;
  print(`${what.padEnd(26)} ${shown(measured).padEnd(48)} ${ratio}; that ${shown(bare)}`);
}

function shown({ perSecond, cpu }: Measured): string {
  const times = cpu === null
    ? ""
    : `, ${cpu.total.toFixed(0)} µs of CPU, ${cpu.busiestThread.toFixed(0)} on one thread`;
  return `${perSecond.toFixed(0)} /s${times}`;
}

await using bare = await startBare();
await using api = await ServedApi.start();
const { root, user } = await prepare(api);
const target = { port: Number(new URL(api.address).port), pid: api.server.pid };
const headers = { "x-vault-token": user };
const path = "/v1/auth/token/lookup-self";
const hono = await load({ port: bare.port, pid: bare.pid, path, headers });
row("lookup-self", await load({ ...target, path, headers }), hono, "a bare Hono route", "0.6");
const refused = { ...target, path, headers: { "x-vault-token": "hvs.unknown" }, status: 403 };
row("a refused token", await load(refused), hono, "a bare Hono route", "0.5");
/** Measured right after what is compared with it: other work on a machine comes and goes. */
const bareRate = async (name: string): Promise<Measured> => {
  const rates = JSON.parse(await output("./bare_rates.ts", "", String(SECONDS), name)) as Record<string, number>;
  return { perSecond: rates[name]!, cpu: null };
};
for (const algorithm of ALGORITHMS) {
  const issued = await load({ ...target, path: `/v1/identity/oidc/token/${algorithm}`, headers });
  row(`identity tokens, ${algorithm}`, issued, await bareRate(algorithm), "bare signatures", "0.6");
}
const password = JSON.stringify({ password: "correct horse" });
const login = { ...target, method: "POST", path: "/v1/auth/userpass/login/alice", body: password };
row("logins", await load(login), await bareRate("password"), "bare password hashes", "0.9");
const creation = {
  ...target,
  method: "POST",
  path: "/v1/auth/token/create",
  headers: { "x-vault-token": root },
  body: '{"policies":["default"],"ttl":"1h"}',
};
row("tokens made, durably", await load(creation), hono, "a bare Hono route", "-");
