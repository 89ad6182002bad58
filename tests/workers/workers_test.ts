/**
 * `serve --workers 2`: two threads on one port are one server. Each client here has a connection of its own, which the
 * kernel gives to either thread; with sixteen of them both have some but once in 30,000 runs.
 *
 * @module
 */

import { deepEqual, equal, match, ok } from "node:assert/strict";
import { Buffer } from "node:buffer";
import { status } from "@grpc/grpc-js";
import { AdminHttp, type Ended, VaultClient } from "../clients.ts";
import { Callers, History, tally, timed, together } from "../races/timed_calls.ts";
import { StartedServer, temporaryFolder } from "../started_server.ts";

const WORKERS = ["--workers", "2"];
const CONNECTIONS = 16;
const CALLERS = 200;
const SCOPES = ["get_public_key", "decrypt_scores", "decrypt_metadata"];

let server: StartedServer;
let admin: AdminHttp;
let clients: VaultClient[] = [];

Deno.test.beforeAll(async () => {
  server = await StartedServer.start({ args: WORKERS });
  admin = AdminHttp.of(server);
  clients = Array.from({ length: CONNECTIONS }, () => VaultClient.of(server));
  await admin.createRole("busy", SCOPES);
  await admin.createRole("fifty", SCOPES, "50/60s");
});

Deno.test.afterAll(async () => {
  for (const client of clients) client[Symbol.dispose]();
  admin[Symbol.dispose]();
  equal(await server.stop(), 0);
});

function client(index: number): VaultClient {
  return clients[index % CONNECTIONS]!;
}

Deno.test("a revocation is in force on all connections before it is answered", async () => {
  for (let turn = 0; turn < 10; turn++) {
    const user = `revoked_${turn}`;
    const token = await admin.issue(user, "busy");
    const { envelopes } = (await client(turn).seal(token, ["text"])).message!;
    const history = new History("live");
    const callers = new Callers<Pick<Ended<unknown>, "code" | "details">>(
      CONNECTIONS * 2,
      (caller, at) => at % 2 === 0 ? client(caller).manifest(token) : client(caller).open(token, envelopes),
    );
    await callers.calls(100);
    await history.change("dead", () => admin.revoke(user));
    await callers.calls(100);
    for (const call of await callers.stop()) {
      const expected: status[] = history.during(call).map((state) => {
        return state === "live" ? status.OK : status.UNAUTHENTICATED;
      });
      ok(expected.includes(call.result.code), `${status[call.result.code]}: ${call.result.details}`);
    }
  }
});

Deno.test("a window has exactly its places, over connections to all threads", async () => {
  for (let turn = 0; turn < 4; turn++) {
    const token = await admin.issue(`window_${turn}`, "fifty");
    const ended = await together(CALLERS, (index) => client(index).manifest(token));
    const codes = tally(ended.map(({ code }) => status[code]));
    deepEqual(codes, { OK: 50, RESOURCE_EXHAUSTED: CALLERS - 50 });
    ok(ended.every(({ code, trailers }) => code === status.OK || trailers.get("retry-after").length === 1));
  }
});

Deno.test("the metrics are the sum of all threads", async () => {
  const token = await admin.issue("counted", "busy");
  await together(CALLERS, (index) => client(index).manifest(token));
  const { envelopes } = (await client(0).seal(token, ["a", "b"])).message!;
  await together(CALLERS, (index) => client(index).open(token, envelopes));
  await together(7, (index) => client(index).open(token, ["{}"]));
  const text = await (await fetch(`http://${server.addresses.metrics}/metrics`)).text();
  const count = (method: string, outcome: string) => {
    const labels = `method="${method}",endpoint="grpc",status="${outcome}",user="counted"`;
    return Number(text.split("\n").find((line) => line.startsWith(`vault_requests_total{${labels}}`))?.split(" ")[1]);
  };
  equal(count("get_agent_manifest", "success"), CALLERS);
  equal(count("decrypt_metadata", "success"), CALLERS);
  equal(count("decrypt_metadata", "error"), 7);
});

Deno.test("each call is in the audit trail before its answer, whatever thread it came in by", async () => {
  const token = await admin.issue("audited", "busy");
  const { envelopes } = (await client(0).seal(token, ["a", "b", "c"])).message!;
  const ended = await together<Pick<Ended<unknown>, "code">>(CALLERS, (index) => {
    return index % 2 === 0 ? client(index).manifest(token) : client(index).open(token, envelopes);
  });
  ok(ended.every(({ code }) => code === status.OK));
  const lines = (await Deno.readTextFile(`${server.dataDir}/audit.log`)).trimEnd().split("\n");
  const entries = lines.map((line) => JSON.parse(line)).filter(({ user }) => user === "audited");
  const operations = tally(entries.filter(({ face }) => face === "grpc").map(({ operation }) => operation));
  deepEqual(operations, { seal_metadata: 1, get_agent_manifest: CALLERS / 2, decrypt_metadata: CALLERS / 2 });
  const opened = entries.filter(({ operation }) => operation === "decrypt_metadata");
  ok(opened.every(({ agent_id, resource }) => resource.opened[agent_id] === 3), JSON.stringify(opened[0]));
});

Deno.test("envelopes open on every connection, in order, and a bad one is named", async () => {
  const token = await admin.issue("batches", "busy");
  const other = await admin.issue("other_author", "busy");
  const texts = Array.from({ length: 700 }, (_, i) => `text ${i} ${"é".repeat(i % 40)}`);
  const sealed = await together(2, (i) => client(i).seal(i === 0 ? token : other, texts));
  const envelopes = texts.map((_, i) => sealed[i % 2]!.message!.envelopes[i]!);
  for (const { message, details } of await together(CONNECTIONS, (i) => client(i).open(token, envelopes))) {
    deepEqual(message?.decryptedMetadata, texts, details);
  }
  // The lowest index decides, be it one that is no envelope or one whose key is refused.
  const retired = JSON.stringify({ ...JSON.parse(envelopes[600]!), k: 999 });
  const damaged = envelopes.map((one, i) => i === 650 ? "{}" : i === 600 ? retired : one);
  for (const { code, details } of await together(CONNECTIONS, (i) => client(i).open(token, damaged))) {
    equal(code, status.INVALID_ARGUMENT);
    match(details, /Item 600: .*999/);
  }
});

Deno.test("what an own-only role may open is decided for each call, on all threads", async () => {
  await admin.createRole("own", ["decrypt_own_metadata"]);
  const [mine, theirs] = [await admin.issue("mine", "own"), await admin.issue("theirs", "own")];
  const [first, second] = await Promise.all([mine, theirs].map((token) => client(0).seal(token, ["x"])));
  const own = first!.message!.envelopes, others = second!.message!.envelopes;
  for (const at of clients) {
    equal((await at.open(mine, own)).code, status.OK);
    equal((await at.open(theirs, others)).code, status.OK);
    equal((await at.open(mine, others)).code, status.PERMISSION_DENIED);
  }
});

Deno.test("a large request of a stranger is refused like a small one, and one of a user is read", async () => {
  const token = await admin.issue("large", "busy");
  const blob = "x".repeat(1024 * 1024);
  for (const at of clients) {
    equal((await at.scores(`evt_${"0".repeat(32)}`, blob, 1)).code, status.UNAUTHENTICATED);
    equal((await at.scores(token, blob, 1)).code, status.FAILED_PRECONDITION, "it was let in: there is no FHE key");
    equal((await at.scores("x".repeat(200_000), blob, 1)).code, status.UNAUTHENTICATED);
  }
});

Deno.test("health and reflection answer on every connection", async () => {
  for (const at of clients) {
    equal((await at.health()).message?.status, 1);
    equal((await at.health("rune.vault.v1.VaultService")).message?.status, 1);
  }
});

Deno.test("what is answered holds after kill -9 with calls under way on all threads", async () => {
  await using folder = await temporaryFolder();
  const first = await StartedServer.start({ dataDir: folder.path, args: WORKERS });
  const tokens: string[] = [];
  {
    using operator = AdminHttp.of(first);
    using stack = new DisposableStack();
    const busy = Array.from({ length: 8 }, () => stack.use(VaultClient.of(first)));
    for (let i = 0; i < 6; i++) tokens.push(await operator.issue(`user_${i}`));
    const callers = new Callers(16, (caller) => busy[caller % 8]!.manifest(tokens[caller % 6]!, { deadlineMs: 2000 }));
    await callers.calls(200);
    for (let i = 0; i < 3; i++) await operator.revoke(`user_${i}`);
    await first.kill();
    await callers.stop();
  }
  await using second = await StartedServer.start({ dataDir: folder.path, args: WORKERS });
  using at = VaultClient.of(second);
  const codes = await Promise.all(tokens.map(async (token) => (await at.manifest(token)).code));
  const dead = Array<status>(3).fill(status.UNAUTHENTICATED);
  deepEqual(codes, [...dead, ...Array<status>(3).fill(status.OK)]);
});

Deno.test("a stop finishes the calls under way on all threads, and takes no longer than their work", async () => {
  const stopping = await StartedServer.start({ args: WORKERS });
  using operator = AdminHttp.of(stopping);
  await operator.createRole("busy", SCOPES);
  const token = await operator.issue("alice", "busy");
  using stack = new DisposableStack();
  const at = Array.from({ length: 8 }, () => stack.use(VaultClient.of(stopping)));
  await Promise.all(at.map((one) => one.manifest(token)));
  const texts = Array.from({ length: 1000 }, (_, i) => `text ${i}`);
  const calls = at.map((one) => one.seal(token, texts));
  await new Promise((resolve) => setTimeout(resolve, 50));
  const { began, ended, result } = await timed(() => stopping.stop());
  equal(result, 0);
  ok(ended - began < 10_000, `the stop took ${ended - began} ms`);
  const codes = tally((await Promise.all(calls)).map(({ code }) => status[code]));
  // Those that had not arrived yet are told to go elsewhere; none is cut off.
  deepEqual(Object.keys(codes).filter((code) => code !== "OK" && code !== "UNAVAILABLE"), []);
  ok((codes["OK"] ?? 0) > 0, JSON.stringify(codes));
});

Deno.test("a port that another vault has is not shared with it", async () => {
  await using folder = await temporaryFolder();
  const args = [...WORKERS, "--grpc-addr", server.addresses.grpc!];
  const { code, log } = await StartedServer.refused({ dataDir: folder.path, args });
  equal(code, 78);
  match(log, /Cannot listen on --grpc-addr/);
});

Deno.test("a number of threads that can't be is refused", async () => {
  await using folder = await temporaryFolder();
  for (const wrong of ["0", "17"]) {
    const { code, log } = await StartedServer.refused({ dataDir: folder.path, args: ["--workers", wrong] });
    equal(code, 78);
    match(log, /--workers/);
  }
});

Deno.test("an envelope of megabytes passes through every thread", async () => {
  const token = await admin.issue("megabytes", "busy");
  const text = Buffer.alloc(3 * 1024 * 1024, "y").toString();
  for (const at of clients.slice(0, 6)) {
    const [envelope] = (await at.seal(token, [text])).message!.envelopes;
    ok((await at.open(token, [envelope!])).message!.decryptedMetadata[0] === text);
  }
});
