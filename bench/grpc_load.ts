/**
 * A load generator for one unary gRPC method, quick enough that the server is what limits.
 *
 * It writes HTTP/2 frames itself and reads of the answers no more than where they end: every call must bring back a
 * message of the same length as the first, which is checked by a real client before the load starts.
 *
 * Run: `echo '{"address":"127.0.0.1:50051","path":"/rune.vault.v1.VaultService/GetAgentManifest",…}' | deno run -A
 * bench/grpc_load.ts`, with the fields of {@link LoadPlan}. The plan comes on standard input because requests hold
 * tokens. It prints a {@link LoadResult} as JSON on one line.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { Client, credentials } from "@grpc/grpc-js";
import { LoadConnection } from "./load_connection.ts";

/** What to call, how hard and for how long. */
export interface LoadPlan {
  readonly address: string;
  /** `/package.Service/Method`. */
  readonly path: string;
  /** The encoded request. */
  readonly requestBase64: string;
  readonly connections: number;
  /** Calls in flight on each connection. */
  readonly inFlight: number;
  readonly seconds: number;
  /** Calls of this time before are not counted. */
  readonly warmupSeconds: number;
}

/** Calls a second, and milliseconds that half and 99 % of the calls took at most. */
export interface LoadResult {
  readonly rate: number;
  readonly p50: number;
  readonly p99: number;
  readonly calls: number;
  /** Calls that brought back no message, or one of another length. */
  readonly failures: number;
  readonly responseBytes: number;
}

/** Runs the plan. */
async function runLoad(plan: LoadPlan): Promise<LoadResult> {
  const request = Buffer.from(plan.requestBase64, "base64");
  const responseBytes = await callOnce(plan, request);
  const opening = Array.from({ length: plan.connections }, () => LoadConnection.open(plan, request, responseBytes));
  const connections = await Promise.all(opening);
  const running = connections.map((connection) => connection.run());
  await sleep(plan.warmupSeconds);
  connections.forEach((connection) => connection.forget());
  const startedAt = performance.now();
  await sleep(plan.seconds);
  const seconds = (performance.now() - startedAt) / 1000;
  const latencies = connections.flatMap((connection) => connection.latenciesMs).sort((a, b) => a - b);
  const failures = connections.reduce((sum, connection) => sum + connection.failures, 0);
  connections.forEach((connection) => connection.close());
  await Promise.all(running);
  const at = (share: number) => latencies[Math.floor(latencies.length * share)] ?? NaN;
  const rate = latencies.length / seconds;
  return { rate, p50: at(0.5), p99: at(0.99), calls: latencies.length, failures, responseBytes };
}

/** One call by grpc-js: rejects unless its status is OK; resolves with the length of the answer. */
function callOnce(plan: LoadPlan, request: Buffer): Promise<number> {
  const client = new Client(plan.address, credentials.createInsecure());
  const same = (bytes: Buffer) => bytes;
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(plan.path, same, same, request, (error, response) => {
      client.close();
      if (error === null && response !== undefined) resolve(response.length);
      else reject(error ?? new Error("the server answered without a message"));
    });
  });
}

function sleep(seconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, seconds * 1000));
}

if (import.meta.main) {
  const plan: LoadPlan = JSON.parse(await new Response(Deno.stdin.readable).text());
  const result = await runLoad(plan);
  await Deno.stdout.write(new TextEncoder().encode(`${JSON.stringify(result)}\n`));
}
