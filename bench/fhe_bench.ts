/**
 * FHE keys and scores over gRPC: the large key bundle beside a bare server that sends as many bytes, and token checks
 * while score requests are in flight.
 *
 * @module
 */

import { create } from "@bufbuild/protobuf";
import { type Client, credentials, makeClientConstructor, type ServiceError } from "@grpc/grpc-js";
import {
  GetAgentManifestRequestSchema,
  GetPublicKeyRequestSchema,
  type GetPublicKeyResponse,
  VaultService,
} from "../proto/gen/rune/vault/v1/vault_pb.ts";
import { grpcDefinition } from "../server/grpc/definition.ts";
import { scoreBlob, ScoreEncryptor } from "../tests/fakes/score_ciphertexts.ts";
import { seededRandom } from "../tests/fakes/seeded_random.ts";
import { runProgram, StartedServer } from "../tests/started_server.ts";
import { readSecretKeyFile } from "../vault/scores/mod.ts";
import type { ScorePlan } from "./score_load.ts";
import { seedDataFolder, seededToken } from "./seed_store.ts";

const DIMENSION = 1024;
const ROUNDS = 5;
const CALLS = 20;
const SECONDS = Number(Deno.env.get("RUNEVAULT_BENCH_SECONDS") ?? "4");
const ROOMY = { "grpc.max_receive_message_length": 256 * 1024 * 1024 };
const token = seededToken(0);

type Methods = Record<string, (request: unknown, done: (error: ServiceError | null, answer: unknown) => void) => void>;

function print(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}

function connect(address: string): Client & Methods {
  const VaultClient = makeClientConstructor(grpcDefinition(VaultService), "VaultService");
  return new VaultClient(address, credentials.createInsecure(), ROOMY) as Client & Methods;
}

function call<T>(client: Methods, method: string, request: unknown): Promise<T> {
  return new Promise((resolve, reject) => {
    client[method]!(request, (error, answer) => error === null ? resolve(answer as T) : reject(error));
  });
}

async function startBare(responseBytes: number) {
  const script = new URL("./bare_bytes.ts", import.meta.url).pathname;
  const args = ["run", "--quiet", "--cached-only", "-A", script, "--response-bytes", String(responseBytes)];
  const child = new Deno.Command(Deno.execPath(), { args, stdout: "piped" }).spawn();
  const { value } = await child.stdout.getReader().read();
  return { child, address: `127.0.0.1:${(JSON.parse(new TextDecoder().decode(value)) as { port: number }).port}` };
}

/** Bundles a second, one after the other. */
async function bundlesPerSecond(client: Methods): Promise<number> {
  const request = create(GetPublicKeyRequestSchema, { token });
  const began = performance.now();
  for (let i = 0; i < CALLS; i++) await call(client, "getPublicKey", request);
  return CALLS / ((performance.now() - began) / 1000);
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
}

function share(values: readonly number[], part: number): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length * part)]!;
}

async function benchBundle(ours: Client & Methods): Promise<void> {
  const first = await call<GetPublicKeyResponse>(ours, "getPublicKey", create(GetPublicKeyRequestSchema, { token }));
  const { child, address } = await startBare(first.keyBundleJson.length);
  const bare = connect(address);
  const rates = { ours: [] as number[], bare: [] as number[] };
  for (let round = 0; round < ROUNDS; round++) {
    rates.bare.push(await bundlesPerSecond(bare));
    rates.ours.push(await bundlesPerSecond(ours));
  }
  bare.close();
  child.kill("SIGTERM");
  await child.status;
  const ratio = median(rates.ours) / median(rates.bare);
  print(`GetPublicKey, ${(first.keyBundleJson.length / 1e6).toFixed(1)} MB, aim 0.70`);
  print(`  bare server, the same bytes ${median(rates.bare).toFixed(1)} calls/s`);
  print(`  runevault                   ${median(rates.ours).toFixed(1)} calls/s  ratio ${ratio.toFixed(2)}`);
}

/** Latencies of token checks for some seconds, one after the other, in milliseconds. */
async function checkLatencies(client: Methods): Promise<number[]> {
  const request = create(GetAgentManifestRequestSchema, { token });
  const latencies: number[] = [];
  const end = performance.now() + SECONDS * 1000;
  while (performance.now() < end) {
    const began = performance.now();
    await call(client, "getAgentManifest", request);
    latencies.push(performance.now() - began);
  }
  return latencies;
}

/** Starts the process that keeps eight score requests in flight; `stop` says how many were answered. */
async function startScoring(address: string, blob: string): Promise<{ stop(): Promise<number> }> {
  const script = new URL("./score_load.ts", import.meta.url).pathname;
  const args = ["run", "--quiet", "--cached-only", "-A", script];
  const child = new Deno.Command(Deno.execPath(), { args, stdin: "piped", stdout: "piped" }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(
    new TextEncoder().encode(JSON.stringify({ address, token, blob, inFlight: 8 } satisfies ScorePlan)),
  );
  await writer.close();
  const stop = async () => {
    child.kill("SIGTERM");
    const { stdout } = await child.output();
    return (JSON.parse(new TextDecoder().decode(stdout)) as { answered: number }).answered;
  };
  return { stop };
}

async function benchChecksUnderScores(address: string, blob: string): Promise<void> {
  const client = connect(address);
  const idle = await checkLatencies(client);
  const scoring = await startScoring(address, blob);
  await new Promise((resolve) => setTimeout(resolve, 1000));
  const busy = await checkLatencies(client);
  const answered = await scoring.stop();
  client.close();
  print(`GetAgentManifest while eight score requests are in flight, aim p99 under 20 ms`);
  print(`  idle        p50 ${share(idle, 0.5).toFixed(2)} ms  p99 ${share(idle, 0.99).toFixed(2)} ms`);
  print(`  under load  p50 ${share(busy, 0.5).toFixed(2)} ms  p99 ${share(busy, 0.99).toFixed(2)} ms`);
  print(`  score requests answered meanwhile: ${(answered / (SECONDS + 1)).toFixed(0)} a second`);
}

/** A ciphertext of one full block under the vault's own key, which an operator may export. */
async function ciphertext(server: StartedServer): Promise<string> {
  const folder = `${server.dataDir}/exported`;
  await runProgram(["keys", "export", folder, "--data-dir", server.dataDir]);
  const { secretKey } = readSecretKeyFile(await Deno.readTextFile(`${folder}/SecKey.json`));
  const encryptor = new ScoreEncryptor(secretKey.coefficients(), DIMENSION, seededRandom("bench"));
  return scoreBlob([encryptor.encryptScores(Float64Array.from({ length: 4096 }, (_, i) => Math.sin(i)))]);
}

const dir = await Deno.makeTempDir({ prefix: "runevault-bench-" });
await seedDataFolder(dir, 1000);
const server = await StartedServer.start({ dataDir: dir, args: ["--fhe-dim", String(DIMENSION)] });
const client = connect(server.addresses.grpc!);
await benchBundle(client);
client.close();
await benchChecksUnderScores(server.addresses.grpc!, await ciphertext(server));
await server.stop();
await Deno.remove(dir, { recursive: true });
