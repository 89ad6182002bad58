/**
 * What the audit trail costs: the same server with and without it, in one run, each request in turns; and an entry by
 * itself. Nothing here fails on a number. Arguments name the requests to measure (`lookup-self tokens`), by what their names
 * begin with; without any all are, and the entry by itself.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { create, toBinary } from "@bufbuild/protobuf";
import { DecryptMetadataRequestSchema, GetAgentManifestRequestSchema } from "../proto/gen/rune/vault/v1/vault_pb.ts";
import { AdminHttp } from "../tests/clients.ts";
import { ServedApi } from "../tests/identity/_served.ts";
import { entryCost } from "./audit_entry.ts";
import type { LoadResult } from "./grpc_load.ts";
import type { HttpResult } from "./http_load.ts";
import { sealForBench } from "./sealed_batch.ts";

const SECONDS = Number(Deno.env.get("RUNEVAULT_BENCH_SECONDS") ?? "4");
const ROUNDS = Number(Deno.env.get("RUNEVAULT_BENCH_ROUNDS") ?? "3");
/** Requests that end in one turn of the event loop, where an entry's cost by itself is told. */
const PER_TURN = [[1, "api"], [4, "api"], [4, "grpc"], [27, "grpc"]] as const;
const SERVICE = "/rune.vault.v1.VaultService";

/** One server, and how each request is made to it. */
interface Side {
  readonly api: ServedApi;
  readonly measure: Readonly<Record<string, () => Promise<number>>>;
}

function print(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}

async function runLoad<T>(script: string, plan: unknown): Promise<T> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--cached-only", "-A", new URL(script, import.meta.url).pathname],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(JSON.stringify(plan)));
  await writer.close();
  const { code, stdout } = await child.output();
  if (code !== 0) throw new Error(`${script} ended with ${code}`);
  return JSON.parse(new TextDecoder().decode(stdout)) as T;
}

async function grpcRate(address: string, method: string, request: Uint8Array): Promise<number> {
  const load = { connections: 4, inFlight: 8, seconds: SECONDS, warmupSeconds: 1 };
  const requestBase64 = Buffer.from(request).toString("base64");
  const result = await runLoad<LoadResult>("./grpc_load.ts", {
    address,
    path: `${SERVICE}/${method}`,
    requestBase64,
    ...load,
  });
  if (result.failures > 0) throw new Error(`${method}: ${result.failures} calls failed`);
  return result.rate;
}

async function httpRate(api: ServedApi, plan: Readonly<Record<string, unknown>>): Promise<number> {
  const port = Number(new URL(api.address).port);
  const usual = { method: "GET", headers: {}, body: "", connections: 4, seconds: SECONDS, status: 200 };
  return (await runLoad<HttpResult>("./http_load.ts", { ...usual, port, ...plan })).perSecond;
}

async function start(args: readonly string[]): Promise<Side> {
  const api = await ServedApi.start({ args: [...args] });
  using admin = AdminHttp.of(api.server);
  await admin.expect("PUT", "/roles/member", { rate_limit: "1000000/1s" });
  const token = await admin.issue("alice");
  const root = await api.rootToken();
  const address = api.server.addresses.grpc!;
  const { v2 } = await sealForBench(address, token, 10, 400);
  const manifest = toBinary(GetAgentManifestRequestSchema, create(GetAgentManifestRequestSchema, { token }));
  const opening = create(DecryptMetadataRequestSchema, { token, encryptedMetadataList: [...v2] });
  const openingBytes = toBinary(DecryptMetadataRequestSchema, opening);
  const headers = { "x-vault-token": root };
  return {
    api,
    measure: {
      "GetAgentManifest": () => grpcRate(address, "GetAgentManifest", manifest),
      "DecryptMetadata, ten envelopes": () => grpcRate(address, "DecryptMetadata", openingBytes),
      "lookup-self": () => httpRate(api, { path: "/v1/auth/token/lookup-self", headers }),
      "tokens made, durably": () =>
        httpRate(api, {
          method: "POST",
          path: "/v1/auth/token/create",
          headers,
          body: '{"policies":["default"],"ttl":"1m"}',
        }),
    },
  };
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
}

const on = await start([]);
const isWanted = (name: string) => Deno.args.length === 0 || Deno.args.some((wish) => name.startsWith(wish));
const wanted = Object.keys(on.measure).filter(isWanted);
const off = await start(["--audit-file", "off"]);
print("\nThe audit trail (aim: 0.85 of the rate without it)");
try {
  for (const name of wanted) {
    const rates = { on: [] as number[], off: [] as number[] };
    for (let round = 0; round < ROUNDS; round++) {
      rates.off.push(await off.measure[name]!());
      rates.on.push(await on.measure[name]!());
    }
    const [without, recorded] = [median(rates.off), median(rates.on)];
    const figures = `${recorded.toFixed(0).padStart(7)} /s, without ${without.toFixed(0).padStart(7)} /s`;
    print(`  ${name.padEnd(34)} ${figures}, ratio ${(recorded / without).toFixed(2)}`);
  }
} finally {
  await on.api[Symbol.asyncDispose]();
  await off.api[Symbol.asyncDispose]();
}
for (const [perTurn, face] of Deno.args.length === 0 ? PER_TURN : []) {
  const cost = (await entryCost(perTurn, face)).toFixed(1);
  print(`  an entry by itself, ${face.padEnd(4)}, ${String(perTurn).padStart(2)} in a turn ${cost} µs`);
}
