/**
 * What a second thread is worth: the same load on `--workers 1` and `--workers 2`, in turn, on the machine that also makes
 * the load. Arguments: numbers of threads to compare; without them 1 and 2.
 *
 * Where other work disturbs the rates, the CPU time a call takes on the busiest thread says more: its inverse is the rate
 * at which that thread has no time left, however many cores there are.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { create, toBinary } from "@bufbuild/protobuf";
import { DecryptMetadataRequestSchema, GetAgentManifestRequestSchema } from "../proto/gen/rune/vault/v1/vault_pb.ts";
import { StartedServer } from "../tests/started_server.ts";
import type { LoadPlan, LoadResult } from "./grpc_load.ts";
import { sealForBench } from "./sealed_batch.ts";
import { seedDataFolder, seededToken } from "./seed_store.ts";

const ROUNDS = Number(Deno.env.get("RUNEVAULT_BENCH_ROUNDS") ?? "3");
const SECONDS = Number(Deno.env.get("RUNEVAULT_BENCH_SECONDS") ?? "4");
/** Many, or the kernel would share them out unevenly. */
const CONNECTIONS = 16;
const USERS = 1000;
const PATH = "/rune.vault.v1.VaultService/";

/** A server under load. */
interface Subject {
  readonly workers: number;
  readonly server: StartedServer;
  readonly dir: string;
  /** Encoded requests by the name of what they ask for. */
  readonly requests: ReadonlyMap<string, { readonly path: string; readonly base64: string }>;
}

/** What came of one call under load, over all rounds. */
interface Measured {
  readonly rates: number[];
  readonly busiest: number[];
  readonly total: number[];
  p99: number;
}

function print(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!;
}

async function open(workers: number): Promise<Subject> {
  const dir = await Deno.makeTempDir({ prefix: "runevault-bench-" });
  await seedDataFolder(dir, USERS);
  const server = await StartedServer.start({ dataDir: dir, args: ["--workers", String(workers)] });
  const token = seededToken(0);
  const batch = await sealForBench(server.addresses.grpc!, token, 10, 400);
  const manifest = toBinary(GetAgentManifestRequestSchema, create(GetAgentManifestRequestSchema, { token }));
  const opening = (envelopes: readonly string[]) => {
    const message = create(DecryptMetadataRequestSchema, { token, encryptedMetadataList: [...envelopes] });
    return toBinary(DecryptMetadataRequestSchema, message);
  };
  const requests = new Map([
    ["GetAgentManifest", request("GetAgentManifest", manifest)],
    ["DecryptMetadata, ten version-1 envelopes", request("DecryptMetadata", opening(batch.v1))],
    ["DecryptMetadata, ten version-2 envelopes", request("DecryptMetadata", opening(batch.v2))],
  ]);
  return { workers, server, dir, requests };
}

function request(method: string, bytes: Uint8Array) {
  return { path: `${PATH}${method}`, base64: Buffer.from(bytes).toString("base64") };
}

async function load(plan: LoadPlan): Promise<LoadResult> {
  const script = new URL("./grpc_load.ts", import.meta.url).pathname;
  const args = ["run", "--quiet", "--cached-only", "-A", script];
  const child = new Deno.Command(Deno.execPath(), { args, stdin: "piped", stdout: "piped" }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(JSON.stringify(plan)));
  await writer.close();
  const { stdout } = await child.output();
  const result = JSON.parse(new TextDecoder().decode(stdout)) as LoadResult;
  if (result.failures > 0) throw new Error(`${result.failures} calls failed`);
  return result;
}

/** CPU time of each thread of a process so far, in milliseconds. */
async function threadTimes(pid: number): Promise<Map<string, number>> {
  const times = new Map<string, number>();
  for await (const { name } of Deno.readDir(`/proc/${pid}/task`)) {
    const text = await Deno.readTextFile(`/proc/${pid}/task/${name}/schedstat`).catch(() => "0");
    times.set(name, Number(text.split(" ")[0]) / 1e6);
  }
  return times;
}

async function measure({ server, requests }: Subject, name: string, into: Measured): Promise<void> {
  const { path, base64 } = requests.get(name)!;
  const before = await threadTimes(server.pid);
  const plan = { address: server.addresses.grpc!, path, requestBase64: base64, connections: CONNECTIONS, inFlight: 4 };
  const { rate, p99 } = await load({ ...plan, seconds: SECONDS, warmupSeconds: 1 });
  // Calls of the warm-up take their time too.
  const calls = rate * (SECONDS + 1);
  const times = [...await threadTimes(server.pid)].map(([id, ms]) => (ms - (before.get(id) ?? 0)) * 1000 / calls);
  into.rates.push(rate);
  into.busiest.push(Math.max(...times));
  into.total.push(times.reduce((sum, time) => sum + time, 0));
  into.p99 = Math.max(into.p99, p99);
}

async function compare(subjects: readonly Subject[], name: string): Promise<void> {
  const measured = subjects.map((): Measured => ({ rates: [], busiest: [], total: [], p99: 0 }));
  for (let round = 0; round < ROUNDS; round++) {
    for (const [i, subject] of subjects.entries()) await measure(subject, name, measured[i]!);
  }
  print(`\n${name}`);
  for (const [i, { rates, busiest, total, p99 }] of measured.entries()) {
    const rate = median(rates);
    const ratio = (rate / median(measured[0]!.rates)).toFixed(2);
    const bound = (median(measured[0]!.busiest) / median(busiest)).toFixed(2);
    print(
      `  --workers ${subjects[i]!.workers}  ${rate.toFixed(0).padStart(6)} calls/s  ratio ${ratio}  p99 ${
        p99.toFixed(1)
      } ms  ` +
        `CPU a call: ${median(total).toFixed(0)} µs, busiest thread ${median(busiest).toFixed(0)} µs, ratio ${bound}`,
    );
  }
}

const counts = Deno.args.length > 0 ? Deno.args.map(Number) : [1, 2];
const subjects: Subject[] = [];
try {
  for (const workers of counts) subjects.push(await open(workers));
  for (const name of subjects[0]!.requests.keys()) await compare(subjects, name);
} finally {
  for (const { server, dir } of subjects) {
    await server.stop();
    await Deno.remove(dir, { recursive: true });
  }
}
