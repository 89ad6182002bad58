/**
 * `./denow task bench`: this server beside a bare one, in the same run, with the ratios that matter.
 *
 * Absolute times mean little on a shared machine, so every figure stands beside a reference measured next to it, and
 * nothing here fails on a number.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { create, toBinary } from "@bufbuild/protobuf";
import { DecryptMetadataRequestSchema, GetAgentManifestRequestSchema } from "../proto/gen/rune/vault/v1/vault_pb.ts";
import { StartedServer } from "../tests/started_server.ts";
import type { LoadPlan, LoadResult } from "./grpc_load.ts";
import { seedDataFolder, seededToken } from "./seed_store.ts";
import { sealForBench } from "./sealed_batch.ts";

const SECONDS = Number(Deno.env.get("RUNEVAULT_BENCH_SECONDS") ?? "4");
const ROUNDS = Number(Deno.env.get("RUNEVAULT_BENCH_ROUNDS") ?? "3");
const ENVELOPES = 10;
const ENVELOPE_BYTES = 400;

interface Measured {
  readonly name: string;
  readonly rates: number[];
  p99: number;
}

function print(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}

async function runChild(script: string, input: string): Promise<string> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--cached-only", "-A", new URL(script, import.meta.url).pathname],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(input));
  await writer.close();
  const { code, stdout } = await child.output();
  if (code !== 0) throw new Error(`${script} ended with ${code}`);
  return new TextDecoder().decode(stdout);
}

async function load(
  plan: Omit<LoadPlan, "connections" | "inFlight" | "seconds" | "warmupSeconds">,
): Promise<LoadResult> {
  const full: LoadPlan = { ...plan, connections: 4, inFlight: 8, seconds: SECONDS, warmupSeconds: 1 };
  const result = JSON.parse(await runChild("./grpc_load.ts", JSON.stringify(full))) as LoadResult;
  if (result.failures > 0) throw new Error(`${result.failures} calls failed`);
  return result;
}

/** Starts the bare server; resolves with its address and how to stop it. */
async function startBare(responseBytes: number, responses: number) {
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--quiet",
      "--cached-only",
      "-A",
      new URL("./bare_grpc.ts", import.meta.url).pathname,
      ...["--response-bytes", String(responseBytes), "--responses", String(responses)],
    ],
    stdout: "piped",
  }).spawn();
  const { value } = await child.stdout.getReader().read();
  const { port } = JSON.parse(new TextDecoder().decode(value)) as { port: number };
  const stop = async () => {
    child.kill("SIGTERM");
    await child.status;
  };
  return { address: `127.0.0.1:${port}`, stop };
}

async function withFolder<T>(users: number, work: (dir: string) => Promise<T>): Promise<T> {
  const dir = await Deno.makeTempDir({ prefix: "runevault-bench-" });
  try {
    await seedDataFolder(dir, users);
    return await work(dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

/** Loads each target in turn, several rounds, so that drifts of the machine hit all alike. */
async function compare(
  path: string,
  requestBase64: string,
  targets: readonly { name: string; address: string }[],
): Promise<Measured[]> {
  const measured: Measured[] = targets.map(({ name }) => ({ name, rates: [], p99: 0 }));
  for (let round = 0; round < ROUNDS; round++) {
    for (const [index, { address }] of targets.entries()) {
      const { rate, p99 } = await load({ address, path, requestBase64 });
      measured[index]!.rates.push(rate);
      measured[index]!.p99 = Math.max(measured[index]!.p99, p99);
    }
  }
  return measured;
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!;
}

function report(title: string, measured: readonly Measured[]): void {
  print(`\n${title}`);
  const bare = median(measured[0]!.rates);
  for (const { name, rates, p99 } of measured) {
    const rate = median(rates);
    const ratio = (rate / bare).toFixed(2);
    print(`  ${name.padEnd(34)} ${rate.toFixed(0).padStart(7)} calls/s  ratio ${ratio}  p99 ${p99.toFixed(1)} ms`);
  }
}

async function measureStart(dir: string): Promise<{ server: StartedServer; readyMs: number }> {
  const began = performance.now();
  const server = await StartedServer.start({ dataDir: dir });
  return { server, readyMs: performance.now() - began };
}

async function residentBytes(server: StartedServer): Promise<number> {
  const status = await Deno.readTextFile(`/proc/${server.pid}/status`);
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)![1]) * 1024;
}

/** What an empty process of the same kind costs to start. */
async function measureBareStart(): Promise<number> {
  const began = performance.now();
  const bare = await startBare(10, 1);
  const ms = performance.now() - began;
  await bare.stop();
  return ms;
}

const token = seededToken(0);
const manifestRequest = toBinary(GetAgentManifestRequestSchema, create(GetAgentManifestRequestSchema, { token }));

await withFolder(1000, (small) =>
  withFolder(100_000, async (large) => {
    const bareStart = await measureBareStart();
    const few = await measureStart(small);
    const many = await measureStart(large);
    print(`start to ready: bare gRPC server from source ${bareStart.toFixed(0)} ms`);
    for (const [users, { server, readyMs }] of [["1,000", few], ["100,000", many]] as const) {
      await new Promise((resolve) => setTimeout(resolve, 5000));
      const resident = (await residentBytes(server) / 1e6).toFixed(0);
      print(`  with ${users.padStart(7)} users: ready after ${readyMs.toFixed(0)} ms, resident ${resident} MB`);
    }
    const grpcFew = few.server.addresses.grpc!;
    const grpcMany = many.server.addresses.grpc!;
    const batch = await sealForBench(grpcFew, token, ENVELOPES, ENVELOPE_BYTES);
    const bareManifest = await startBare(batch.manifestBytes, 1);
    report(
      `GetAgentManifest (${batch.manifestBytes} bytes), aim 0.85`,
      await compare("/rune.vault.v1.VaultService/GetAgentManifest", Buffer.from(manifestRequest).toString("base64"), [
        { name: "bare grpc-js echo", address: bareManifest.address },
        { name: "runevault, 1,000 users", address: grpcFew },
        { name: "runevault, 100,000 users", address: grpcMany },
      ]),
    );
    await bareManifest.stop();
    const bareBatch = await startBare(ENVELOPE_BYTES, ENVELOPES);
    const opening = (envelopes: readonly string[]) => {
      const message = create(DecryptMetadataRequestSchema, { token, encryptedMetadataList: [...envelopes] });
      return Buffer.from(toBinary(DecryptMetadataRequestSchema, message)).toString("base64");
    };
    const batchOfMany = await sealForBench(grpcMany, token, ENVELOPES, ENVELOPE_BYTES);
    for (const version of ["v1", "v2"] as const) {
      const path = "/rune.vault.v1.VaultService/DecryptMetadata";
      const onFew = await compare(path, opening(batch[version]), [
        { name: "bare grpc-js echo", address: bareBatch.address },
        { name: "runevault, 1,000 users", address: grpcFew },
      ]);
      const [onMany] = await compare(path, opening(batchOfMany[version]), [
        { name: "runevault, 100,000 users", address: grpcMany },
      ]);
      report(`DecryptMetadata, ${ENVELOPES} envelopes of ${ENVELOPE_BYTES} bytes, ${version}, aim 0.50`, [
        ...onFew,
        onMany!,
      ]);
    }
    await bareBatch.stop();
    await few.server.stop();
    await many.server.stop();
  }));
