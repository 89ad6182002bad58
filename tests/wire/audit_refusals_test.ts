/**
 * What never reaches a handler has its entry too: probes, and calls that are refused on their form, on every face.
 */

import { deepEqual, equal, match } from "node:assert/strict";
import { Buffer } from "node:buffer";
import { connect, constants } from "node:http2";
import { gzipSync } from "node:zlib";
import { Health } from "../../proto/gen/grpc/health/v1/health_pb.ts";
import { parseLine, type StoredEntry } from "../../vault/audit/entry.ts";
import { AdminHttp, eventually, VaultClient } from "../clients.ts";
import { ServedApi } from "../identity/_served.ts";
import { type StartedServer } from "../started_server.ts";

const VAULT = "/rune.vault.v1.VaultService/GetAgentManifest";
const REFLECTION = "grpc.reflection.v1.ServerReflection/ServerReflectionInfo";

/** A call whose caller goes before its message is there; the runtime may tell of the end first, and then it has no message. */
const GIVEN_UP = [["interrupted", "cancelled"], ["refused", "grpc_unimplemented"]];

async function entriesOf({ dataDir }: StartedServer): Promise<StoredEntry[]> {
  const text = await Deno.readTextFile(`${dataDir}/audit.log`);
  return text.split("\n").slice(0, -1).map(parseLine);
}

/** The entries of a face since there were so many, once there are enough of them. */
async function entriesSince(server: StartedServer, before: number, count: number): Promise<StoredEntry[]> {
  const found = async () => (await entriesOf(server)).slice(before).filter(({ face }) => face !== "vault");
  await eventually(`${count} entries`, async () => (await found()).length >= count, 30_000);
  // One too many would come no later than those that were waited for.
  await new Promise((resolve) => setTimeout(resolve, 300));
  return await found();
}

/** A message as gRPC frames it. */
function framed(message: Uint8Array, flag = 0): Buffer {
  const head = Buffer.alloc(5, flag);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

/** Sends a call as it is given; resolves when its stream has closed. */
async function raw(address: string, headers: Record<string, string>, body: Uint8Array, isReset = false): Promise<void> {
  const session = connect(`http://${address}`);
  session.on("error", () => {});
  const type = { "content-type": "application/grpc", te: "trailers" };
  const stream = session.request({ ":method": "POST", ...type, ...headers });
  const { promise, resolve } = Promise.withResolvers<void>();
  stream.on("error", () => {}).on("close", () => resolve()).resume();
  if (isReset) {
    stream.write(body);
    await new Promise((sent) => setTimeout(sent, 100));
    stream.close(constants.NGHTTP2_CANCEL);
  } else stream.end(body);
  await promise;
  session.close();
}

Deno.test("gRPC: each probe and each call that no handler sees leaves one entry with its outcome", async () => {
  await using api = await ServedApi.start();
  const { server } = api;
  const address = server.addresses.grpc!;
  using admin = AdminHttp.of(server);
  using vault = VaultClient.of(server);
  const token = await admin.issue("alice");
  const { agent_id } = await vault.bundle(token);
  const before = (await entriesOf(server)).length;
  await vault.health();
  await vault.health("rune.vault.v1.Nothing");
  await raw(address, { ":path": `/${REFLECTION}` }, new Uint8Array());
  await raw(address, { ":path": "/rune.vault.v1.VaultService/Nothing" }, framed(new Uint8Array()));
  await raw(address, { ":path": VAULT, "grpc-encoding": "gzip" }, framed(gzipSync("x"), 1));
  await raw(address, { ":path": VAULT }, framed(gzipSync("x"), 1));
  await raw(address, { ":path": VAULT }, framed(Buffer.from("no protobuf")));
  await raw(address, { ":path": VAULT }, Buffer.from([0, 0x20, 0, 0, 0]));
  await raw(address, { ":path": VAULT, "content-type": "application/json" }, new Uint8Array());
  await raw(address, { ":path": VAULT, authorization: `Bearer ${token}` }, Buffer.from([0, 0x20, 0, 0, 0]));
  await raw(address, { ":path": VAULT }, Buffer.from([0, 0, 0, 1, 0]), true);
  await vault.manifest(token);

  const told = await entriesSince(server, before, 12);
  const lines = told.map(({ operation, decision, error, user }) => [operation, decision, error ?? "", user ?? ""]);
  deepEqual(lines, [
    ["grpc.health.v1.Health/Check", "allowed", "", ""],
    ["grpc.health.v1.Health/Check", "refused", "not_found", ""],
    [REFLECTION, "allowed", "", ""],
    ["unknown_method", "refused", "grpc_unimplemented", ""],
    ["get_agent_manifest", "refused", "grpc_unimplemented", ""],
    ["get_agent_manifest", "refused", "grpc_unimplemented", ""],
    ["get_agent_manifest", "refused", "grpc_internal", ""],
    ["get_agent_manifest", "refused", "rate_limited", ""],
    ["get_agent_manifest", "refused", "http_415", ""],
    ["get_agent_manifest", "refused", "rate_limited", "alice"],
    ["get_agent_manifest", ...GIVEN_UP.find(([, error]) => error === told[10]?.error) ?? GIVEN_UP[0]!, ""],
    ["get_agent_manifest", "allowed", "", "alice"],
  ]);
  for (const { face, remote_address, request_id, duration_ms } of told) {
    deepEqual([face, remote_address], ["grpc", "127.0.0.1"]);
    match(request_id, /^[0-9a-f]{16}$/);
    equal(duration_ms! >= 0 && duration_ms! < 10_000, true);
  }
  deepEqual([told[9]!.agent_id, told[9]!.accessor], [agent_id, agent_id]);
});

Deno.test({
  name: "gRPC: a watch of the health leaves its entry when it ends, and on several threads each call still leaves one",
  // The runtime of a compiled program may be one that shares no ports.
  ignore: Deno.env.has("RUNEVAULT_BINARY"),
  fn: async () => {
    await using api = await ServedApi.start({ args: ["--workers", "2"] });
    const { server } = api;
    const before = (await entriesOf(server)).length;
    for (let i = 0; i < 12; i++) {
      using vault = VaultClient.of(server);
      await vault.health();
      await vault.manifest("evt_of_nobody");
      await raw(server.addresses.grpc!, { ":path": "/nothing" }, new Uint8Array());
      await raw(server.addresses.grpc!, { ":path": `/${Health.typeName}/Watch` }, framed(new Uint8Array()), true);
    }
    const told = await entriesSince(server, before, 48);
    const counts = Map.groupBy(told, ({ operation }) => operation);
    deepEqual([...counts].map(([operation, all]) => [operation, all.length]).sort(), [
      ["get_agent_manifest", 12],
      ["grpc.health.v1.Health/Check", 12],
      ["grpc.health.v1.Health/Watch", 12],
      ["unknown_method", 12],
    ]);
  },
});

type Asked = readonly [path: string, init: RequestInit, status: number];

/** Asks one thing after the other, and sees that each is answered as it should be. */
async function askAll(address: string, all: readonly Asked[], headers: Record<string, string> = {}): Promise<void> {
  for (const [path, init, status] of all) {
    const answered = await fetch(`${address}${path}`, { ...init, headers: { ...headers, ...init.headers as object } });
    await answered.body?.cancel();
    equal(answered.status, status, `${init.method ?? "GET"} ${path}`);
  }
}

/** Announces a body of ten megabytes; returns the status that this is answered with. */
async function announce(address: string, path: string, headers: Record<string, string> = {}): Promise<number> {
  const [hostname, port] = address.split(":") as [string, string];
  using socket = await Deno.connect({ hostname, port: Number(port) });
  const all = Object.entries({ host: address, "content-length": String(10 * 1024 * 1024), ...headers });
  const head = [`POST ${path} HTTP/1.1`, ...all.map(([name, value]) => `${name}: ${value}`), "", ""].join("\r\n");
  await socket.write(Buffer.from(head));
  const answer = new Uint8Array(4096);
  return Number(new TextDecoder().decode(answer.subarray(0, (await socket.read(answer))!)).split(" ")[1]);
}

Deno.test("HTTP: whatever is answered leaves one entry, on the identity API, the admin port and the socket", async () => {
  await using api = await ServedApi.start();
  const { server } = api;
  using admin = AdminHttp.of(server);
  const before = (await entriesOf(server)).length;
  const ofApi: Asked[] = [
    ["/", {}, 404],
    ["/v1/", {}, 404],
    ["/v1/%ff", {}, 400],
    ["/v1/sys/health", { method: "FOO" }, 405],
    ["/v1/sys/health", { method: "OPTIONS" }, 400],
    ["/v1/sys/tools/hash", { method: "POST", body: "{" }, 400],
    ["/v1/sys/tools/hash", { method: "PATCH", body: "{}", headers: { "content-type": "text/plain" } }, 415],
    ["/v1/sys/nothing", {}, 403],
    ["/v1/sys/health", { headers: { "x-vault-namespace": "other" } }, 400],
  ];
  await askAll(api.address, ofApi);
  equal(await announce(server.addresses.api!, "/v1/sys/tools/hash"), 413);
  const port = server.addresses.admin!;
  const authorization = `Bearer ${(await Deno.readTextFile(`${server.dataDir}/admin.token`)).trim()}`;
  const ofAdmin: Asked[] = [
    ["/users", { headers: { authorization: "" } }, 401],
    ["/nothing", {}, 404],
    ["/users", { method: "PATCH" }, 405],
    ["/users", { method: "POST", body: "{" }, 400],
    ["/users", { headers: { origin: "http://other.example" } }, 403],
  ];
  await askAll(`http://${port}`, ofAdmin, { authorization });
  equal(await announce(port, "/users", { authorization }), 400);
  await admin.ask("GET", "/nothing");
  await admin.ask("PATCH", "/users");

  const told = await entriesSince(server, before, ofApi.length + ofAdmin.length + 4);
  const count = (face: string) => told.filter((entry) => entry.face === face).length;
  deepEqual([count("api"), count("admin"), count("socket")], [ofApi.length + 1, ofAdmin.length + 1, 2]);
  equal(told.every(({ decision }) => decision === "refused"), true);
  equal(new Set(told.map(({ request_id }) => request_id)).size, told.length);
});
