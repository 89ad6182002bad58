/**
 * The monitoring port: every metric with a real value, health in all its forms, and no secret anywhere.
 *
 * @module
 */

import { deepEqual, equal, match, ok } from "node:assert/strict";
import { Buffer } from "node:buffer";
import { status } from "@grpc/grpc-js";
import { seedDataFolder, seededToken } from "../../bench/seed_store.ts";
import type { IssuedTokenBody } from "../../admin/wire.ts";
import { AdminHttp, cli, eventually, sleep, VaultClient } from "../clients.ts";
import { findTraces, findTracesBelow } from "../secret_traces.ts";
import { StartedServer, temporaryFolder } from "../started_server.ts";
import { sharedServer } from "./_shared_server.ts";

const shared = sharedServer();

/** The samples of the Prometheus text format, by name and labels as they stand. */
async function samples(server: StartedServer): Promise<Map<string, number>> {
  const answer = await fetch(`http://${server.addresses.metrics}/metrics`);
  match(answer.headers.get("content-type")!, /^text\/plain; version=0\.0\.4/);
  const lines = (await answer.text()).split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(lines.map((line) => {
    const at = line.lastIndexOf(" ");
    return [line.slice(0, at), Number(line.slice(at + 1))];
  }));
}

function get(server: StartedServer, path: string, init: RequestInit = {}): Promise<Response> {
  return fetch(`http://${server.addresses.metrics}${path}`, init);
}

Deno.test("calls are counted by method, outcome and user; who is nobody counts as unknown", async () => {
  const { vault, admin, server } = shared();
  const token = await admin.issue("alice");
  await vault.manifest(token);
  for (let i = 0; i < 3; i++) await vault.publicKey(token);
  await vault.open(token, []);
  await vault.open(token, ["no envelope"]);
  await vault.scores(token, "AAAA", 1);
  await vault.publicKey(`evt_${"0".repeat(32)}`);
  await vault.open("alice", []);
  const values = await samples(server);
  const requests = (method: string, outcome: string, user: string) =>
    values.get(`vault_requests_total{method="${method}",endpoint="grpc",status="${outcome}",user="${user}"}`);
  equal(requests("get_public_key", "success", "alice"), 3);
  equal(requests("get_agent_manifest", "success", "alice"), 1);
  equal(requests("decrypt_metadata", "success", "alice"), 1);
  equal(requests("decrypt_metadata", "error", "alice"), 1);
  equal(requests("decrypt_scores", "error", "alice"), 1);
  equal(requests("get_public_key", "error", "unknown"), 1);
  equal(requests("decrypt_metadata", "error", "unknown"), 1);
  equal(values.get('vault_request_duration_seconds_count{method="get_public_key",endpoint="grpc"}'), 4);
  const spent = values.get('vault_request_duration_seconds_sum{method="get_public_key",endpoint="grpc"}')!;
  ok(spent > 0 && spent < 5, `${spent} s`);
  equal(values.get('vault_decryption_operations_total{status="success"}'), 1);
  equal(values.get('vault_decryption_operations_total{status="error"}'), 3);
  equal(values.get("vault_decryption_duration_seconds_count"), 4);
  const keyAccesses = [...values].filter(([name]) => name.startsWith("vault_key_access_total"));
  equal(keyAccesses.filter(([name]) => name.includes('status="success"')).reduce((sum, [, n]) => sum + n, 0), 4);
});

Deno.test("the gauges tell of this process", async () => {
  const { server } = shared();
  const before = await samples(server);
  equal(before.get("vault_health_status"), 1);
  const statm = await Deno.readTextFile(`/proc/${server.pid}/statm`);
  const resident = Number(statm.split(" ")[1]) * 4096;
  const told = before.get("vault_memory_usage_bytes")!;
  ok(told > resident / 2 && told < resident * 2, `${told} of ${resident}`);
  await sleep(300);
  const after = await samples(server);
  const passed = after.get("vault_uptime_seconds")! - before.get("vault_uptime_seconds")!;
  ok(passed >= 0.25 && passed < 60, `${passed} s`);
  const cpu = after.get("vault_cpu_usage_percent")!;
  ok(cpu >= 0 && cpu < 100 * navigator.hardwareConcurrency + 50, `${cpu} %`);
});

Deno.test("health, ready, live and status answer whoever asks, and nothing else is there", async () => {
  const { server } = shared();
  const health = await get(server, "/health");
  deepEqual([health.status, await health.json()], [200, { status: "healthy", reasons: [] }]);
  deepEqual(await (await get(server, "/health/ready")).json(), { ready: true });
  deepEqual(await (await get(server, "/health/live")).json(), { alive: true });
  const facts = await (await get(server, "/status")).json();
  equal(facts.pid, server.pid);
  match(facts.version, /^\d+\.\d+\.\d+/);
  for (const path of ["/", "/tokens", "/users", "/metrics/", "/health/../tokens", "//health", "/%2e%2e/", "/admin"]) {
    const answer = await get(server, path);
    equal(answer.status, 404, path);
    await answer.body?.cancel();
  }
  for (const method of ["POST", "PUT", "DELETE", "OPTIONS", "LIST"]) {
    const answer = await get(server, "/health", { method });
    equal(answer.status, 405, method);
    await answer.body?.cancel();
  }
});

Deno.test("not ready is said while the server stops and a call is in flight", async () => {
  const server = await StartedServer.start();
  using admin = AdminHttp.of(server);
  using vault = VaultClient.of(server);
  const texts = Array.from({ length: 75_000 }, (_, i) => `text ${i}`);
  const token = await admin.issue("alice", "admin");
  const batch = vault.seal(token, texts);
  // Over the same connection: what is answered arrived after the batch had begun.
  equal((await vault.manifest(token)).code, status.OK);
  server.signal("SIGTERM");
  const answers = async () => (await get(server, "/health/ready")).status === 503;
  await eventually("ready says no", answers, 3000);
  equal((await get(server, "/health")).status, 503);
  equal((await batch).code, status.OK);
  equal(await server.stop(), 0);
});

Deno.test("a thousand users have labels of their own, and the rest count as other", async () => {
  await using folder = await temporaryFolder();
  await seedDataFolder(folder.path, 1010);
  await using server = await StartedServer.start({ dataDir: folder.path });
  using vault = VaultClient.of(server);
  for (let i = 0; i < 1010; i++) equal((await vault.open(seededToken(i), [])).code, status.OK);
  const users = new Set([...(await samples(server)).keys()].map((name) => /user="([^"]*)"/.exec(name)?.[1]));
  users.delete(undefined);
  equal(users.size, 1001);
  ok(users.has("other"));
  const text = await (await get(server, "/metrics")).text();
  ok(text.length < 500_000, `${text.length} bytes`);
});

Deno.test("a user name from an old file can't forge a line of the metrics or of the log", async () => {
  await using folder = await temporaryFolder();
  const evil = 'x"} 1\nvault_health_status 0\n{"level":"info';
  const row = `  - {user: ${JSON.stringify(evil)}, token: evt_${"1".repeat(32)}, role: member}\n`;
  await Deno.writeTextFile(`${folder.path}/vault-tokens.yml`, `tokens:\n${row}`, { mode: 0o600 });
  await using server = await StartedServer.start({ dataDir: folder.path });
  using vault = VaultClient.of(server);
  equal((await vault.manifest(`evt_${"1".repeat(32)}`)).code, status.OK);
  equal((await samples(server)).get("vault_health_status"), 1);
  const text = await (await get(server, "/metrics")).text();
  equal(text.match(/^vault_health_status /gm)?.length, 1);
  for (const line of server.log.trimEnd().split("\n")) JSON.parse(line);
});

Deno.test("no secret is in the metrics, the log, addresses.json, or an answer that does not give one out", async () => {
  const given = {
    "the team secret": "a team secret nobody may see",
    "the index key": "an index key for members alone",
  };
  await using folder = await temporaryFolder();
  await using server = await StartedServer.start({
    dataDir: folder.path,
    env: { RUNEVAULT_TEAM_SECRET: given["the team secret"], RUNEVAULT_ENVECTOR_API_KEY: given["the index key"] },
    args: ["--log-level", "debug", "--envelope-v1", "warn"],
  });
  using admin = AdminHttp.of(server);
  using vault = VaultClient.of(server);
  const secrets: Record<string, string | Uint8Array> = { ...given };
  secrets["the seal key"] = await Deno.readFile(`${folder.path}/seal.key`);
  secrets["the admin token"] = (await Deno.readTextFile(`${folder.path}/admin.token`)).trim();

  const issued = await cli(server, ["token", "issue", "--user", "alice", "--role", "member", "--json"]);
  secrets["alice's token"] = (JSON.parse(issued.stdout) as IssuedTokenBody).token;
  secrets["bob's token"] = await admin.issue("bob");
  secrets["bob's new token"] = await admin.rotate("bob", 60);
  secrets["carol's revoked token"] = await admin.issue("carol");
  await admin.revoke("carol");
  secrets["a plaintext"] = "a plaintext of alice alone";
  const token = secrets["alice's token"] as string;
  const { agent_dek, deks, agent_id } = await vault.bundle(token);
  secrets["alice's version-1 key"] = Buffer.from(agent_dek!, "base64");
  secrets["alice's version-2 key"] = Buffer.from(deks!["1"]!, "base64");
  await useAndMisuse(vault, admin, secrets as Record<string, string>, agent_id);
  await admin.expect("POST", "/secrets/rotate");
  const { deks: rotated } = await vault.bundle(token);
  secrets["alice's next version-2 key"] = Buffer.from(rotated!["2"]!, "base64");

  const found: string[] = [];
  for (const path of ["/metrics", "/health", "/health/ready", "/health/live", "/status"]) {
    found.push(...findTraces(path, await (await get(server, path)).text(), secrets));
  }
  for (
    const path of [
      "/tokens",
      "/tokens/alice",
      "/users",
      "/users/bob",
      "/roles",
      "/secrets",
      "/status",
      "/files",
      "/keys",
    ]
  ) {
    found.push(...findTraces(path, JSON.stringify(await admin.expect("GET", path)), secrets));
  }
  found.push(...findTraces("addresses.json", await Deno.readTextFile(`${folder.path}/addresses.json`), secrets));
  await server.stop();
  found.push(...findTraces("the log", server.log, secrets));
  found.push(...await findTracesBelow(folder.path, secrets, ["seal.key", "admin.token"]));
  deepEqual(found, []);
});

/** Puts secrets where they belong and where they don't. */
async function useAndMisuse(
  vault: VaultClient,
  admin: AdminHttp,
  secrets: Record<string, string>,
  agentId: string,
): Promise<void> {
  const token = secrets["alice's token"]!;
  const plaintext = secrets["a plaintext"]!;
  const { message } = await vault.seal(token, [plaintext]);
  await vault.open(token, message!.envelopes);
  await vault.open(token, [JSON.stringify({ a: agentId, c: Buffer.alloc(16).toString("base64") })]);
  await vault.open(token, [plaintext]);
  await vault.open(token, [JSON.stringify({ a: plaintext, c: token })]);
  await vault.scores(token, btoa(plaintext), 1);
  await vault.manifest(`${token} `);
  await vault.manifest(secrets["the admin token"]!);
  await vault.manifest("", {
    headers: { authorization: `Bearer ${token}`, "x-other": plaintext.replaceAll(" ", "-") },
  });
  for (
    const path of [`/tokens/${token}`, `/users/${token}`, `/roles/${token}`, `/${token}`, `/status?token=${token}`]
  ) {
    await admin.ask("GET", path);
  }
  await admin.ask("POST", "/tokens", { user: "mallory", role: token });
  await admin.ask("POST", "/tokens", { user: "mallory", role: "member", [token]: 1 });
  await admin.ask("POST", "/rewrap", { envelopes: [plaintext, token] });
}
