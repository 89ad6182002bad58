/**
 * Traces as a collector gets them: one span a request on each face, and nothing in them that a caller chose.
 */

import { deepEqual, equal, match, ok } from "node:assert/strict";
import { Health } from "../../proto/gen/grpc/health/v1/health_pb.ts";
import { AdminHttp, eventually, VaultClient } from "../clients.ts";
import { ServedApi } from "../identity/_served.ts";
import { StartedServer, temporaryFolder } from "../started_server.ts";

interface Span {
  readonly traceId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly kind: number;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes: readonly { readonly key: string; readonly value: { readonly stringValue: string } }[];
  readonly status: { readonly code: number };
}

/** A collector that keeps what it gets (OTLP/HTTP, JSON). */
class Collector implements AsyncDisposable {
  readonly spans: Span[] = [];
  readonly resources: Record<string, string>[] = [];
  text = "";
  requests = 0;
  readonly #server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (request) => {
    this.requests++;
    const text = await request.text();
    this.text += text;
    equal(new URL(request.url).pathname, "/v1/traces");
    for (const { resource, scopeSpans } of JSON.parse(text).resourceSpans) {
      this.resources.push(plain(resource.attributes));
      for (const { spans } of scopeSpans) this.spans.push(...spans);
    }
    return Response.json({});
  });

  get address(): string {
    return `http://127.0.0.1:${this.#server.addr.port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }
}

function plain(attributes: Span["attributes"]): Record<string, string> {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, value.stringValue]));
}

function settings(collector: Collector): Record<string, string> {
  return {
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.address,
    OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
    OTEL_BSP_SCHEDULE_DELAY: "100",
    OTEL_RESOURCE_ATTRIBUTES: "deployment.environment.name=test",
  };
}

Deno.test("each request is one span with its user, entity and request id, and none holds a secret or a stranger's words", async () => {
  await using collector = new Collector();
  await using api = await ServedApi.start({ env: settings(collector) });
  using admin = AdminHttp.of(api.server);
  using vault = VaultClient.of(api.server);
  const token = await admin.issue("alice");
  await admin.expect("POST", "/users", { user: "bob", password: "correct-horse" });
  await vault.manifest(token);
  await vault.manifest("evt_00000000000000000000000000000000");
  const { client_token, entity_id, accessor } =
    (await api.call("POST", "auth/userpass/login/bob", undefined, { password: "correct-horse" })).body.auth;
  await api.call("POST", "auth/userpass/login/my-password-in-the-wrong-field", undefined, {
    password: "battery-staple",
  });
  await api.call("GET", "auth/token/lookup-self", client_token);
  await api.call("GET", `sys/nowhere/${client_token}`, client_token);
  await api.call("PUT", `cubbyhole/${token}`, client_token, { value: "plaintext" });
  const root = await api.rootToken();
  const named = { display_name: "words-of-a-stranger" };
  const nobodys = (await api.call("POST", "auth/token/create", root, named)).body.auth.client_token;
  await api.call("GET", "auth/token/lookup-self", nobodys);
  const answered = await fetch(`${api.address}/v1/sys/health`);
  await answered.body?.cancel();
  await eventually("all spans", () => collector.spans.length >= 13, 10_000);

  const spans = collector.spans.map((
    { name, attributes },
  ) => ({ name, ...plain(attributes) } as Record<string, string>));
  const spansOf = (name: string) => spans.filter((span) => span["name"] === name);
  const [good, bad] = spansOf("grpc get_agent_manifest");
  deepEqual([good!["user.name"], good!["runevault.decision"]], ["alice", "allowed"]);
  deepEqual([bad!["user.name"], bad!["runevault.decision"], bad!["error.type"]], [
    undefined,
    "refused",
    "token_invalid",
  ]);
  const [self] = spansOf("api read token/lookup-self");
  deepEqual([self!["user.name"], self!["user.id"]], ["bob", entity_id]);
  equal(spansOf("socket POST /tokens").length, 1);
  equal(spansOf("api write userpass/login/:email.username").length, 2);
  const health = spans.find((span) => span["runevault.request_id"] === answered.headers.get("x-request-id"));
  equal(health?.["name"], "api read system/health");
  equal(new Set(spans.map((span) => span["runevault.request_id"])).size, spans.length, "one span a request");
  for (const { kind, startTimeUnixNano, endTimeUnixNano } of collector.spans) {
    equal(kind, 2);
    ok(BigInt(endTimeUnixNano) >= BigInt(startTimeUnixNano));
  }
  const { "service.name": service, "deployment.environment.name": environment } = collector.resources[0]!;
  deepEqual([service, environment], ["runevault", "test"]);
  const secrets = [
    token,
    client_token,
    accessor,
    "correct-horse",
    "battery-staple",
    "my-password-in",
    "plaintext",
    "words-of-a-stranger",
  ];
  for (const secret of secrets) equal(collector.text.includes(secret), false, secret);
});

const PARENT = "00f067aa0ba902b7";
const traceOf = (n: number) => n.toString(16).padStart(32, "0");
const named = (n: number, flags = "01") => ({ traceparent: `00-${traceOf(n)}-${PARENT}-${flags}` });

for (const workers of ["1", "2"]) {
  // The runtime of a compiled program may be one that shares no ports.
  const ignore = workers !== "1" && Deno.env.has("RUNEVAULT_BINARY");
  const name = `a span belongs to the caller's, on HTTP, the admin API and gRPC with threads: ${workers}`;
  Deno.test({ name, ignore, fn: () => assertParents(workers) });
}

async function assertParents(workers: string): Promise<void> {
  await using collector = new Collector();
  await using api = await ServedApi.start({ env: settings(collector), args: ["--workers", workers] });
  using admin = AdminHttp.of(api.server);
  const token = await admin.issue("alice");
  const ask = async (url: string, headers: Record<string, string>) => {
    await (await fetch(url, { headers })).body?.cancel();
  };
  const health = `${api.address}/v1/sys/health`;
  await ask(health, named(1));
  await ask(`http://${api.server.addresses.admin}/status`, named(2));
  // Each connection may come to either thread.
  const clients = Array.from({ length: workers === "1" ? 1 : 12 }, () => VaultClient.of(api.server));
  for (const vault of clients) {
    await vault.manifest(token, { headers: named(3) });
    await vault.call(Health.method.check, {}, { headers: named(4) });
    await vault.manifest(token, { headers: { traceparent: [named(5).traceparent, named(6).traceparent] } });
    vault[Symbol.dispose]();
  }
  await ask(health, { traceparent: `ff-${traceOf(7)}-${PARENT}-01` });
  await ask(health, { traceparent: `00-${traceOf(0)}-${PARENT}-01` });
  await ask(health, { traceparent: "x".repeat(8000) });
  await ask(health, named(8, "00"));
  const wanted = 1 + 2 + 3 * clients.length + 3;
  await eventually("all spans", () => collector.spans.length >= wanted, 10_000);
  await new Promise((resolve) => setTimeout(resolve, 300));
  equal(collector.spans.length, wanted, "what the caller doesn't sample isn't sent");
  const namesIn = (n: number) => {
    const own = collector.spans.filter(({ traceId }) => traceId === traceOf(n));
    equal(own.every(({ parentSpanId }) => parentSpanId === PARENT), true);
    return own.map(({ name }) => name);
  };
  deepEqual(namesIn(1), ["api read system/health"]);
  equal(namesIn(2).length, 1);
  deepEqual(namesIn(3), clients.map(() => "grpc get_agent_manifest"));
  deepEqual(namesIn(4), clients.map(() => "grpc grpc.health.v1.Health/Check"));
  for (const n of [0, 5, 6, 7, 8]) deepEqual(namesIn(n), []);
  equal(collector.spans.filter(({ parentSpanId }) => !parentSpanId).length, 1 + clients.length + 3, "roots");
}

Deno.test("a sampler that isn't asked to follow the caller's decision doesn't", async () => {
  await using collector = new Collector();
  await using api = await ServedApi.start({ env: { ...settings(collector), OTEL_TRACES_SAMPLER: "always_on" } });
  await (await fetch(`${api.address}/v1/sys/health`, { headers: named(9, "00") })).body?.cancel();
  await eventually("the span", () => collector.spans.some(({ traceId }) => traceId === traceOf(9)), 10_000);
});

Deno.test("spans are sent as protobuf where nothing else is said", async () => {
  const bodies: [type: string | null, body: string][] = [];
  await using collector = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (request) => {
    bodies.push([request.headers.get("content-type"), new TextDecoder("latin1").decode(await request.bytes())]);
    return new Response(null, { headers: { "content-type": "application/x-protobuf" } });
  });
  const env = {
    OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${collector.addr.port}`,
    OTEL_BSP_SCHEDULE_DELAY: "100",
  };
  await using server = await StartedServer.start({ env });
  using admin = AdminHttp.of(server);
  await admin.issue("alice");
  await eventually("the span", () => bodies.some(([, body]) => body.includes("socket POST /tokens")), 10_000);
  equal(bodies[0]![0], "application/x-protobuf");
  equal(server.log.includes("traces_not_sent"), false);
});

Deno.test("what waits is sent at a stop, and a collector that is away holds nobody up", async () => {
  await using collector = new Collector();
  const server = await StartedServer.start({ env: { ...settings(collector), OTEL_BSP_SCHEDULE_DELAY: "600000" } });
  {
    using admin = AdminHttp.of(server);
    await admin.issue("alice");
  }
  await server.stop();
  equal(collector.spans.filter(({ name }) => name === "socket POST /tokens").length, 1);

  const away = { OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:9", OTEL_BSP_SCHEDULE_DELAY: "50" };
  await using alone = await StartedServer.start({ env: away });
  using admin = AdminHttp.of(alone);
  await admin.issue("alice");
  await eventually("the log's line", () => alone.log.includes("traces_not_sent"), 15_000);
  await admin.issue("bob");
});

Deno.test("without OpenTelemetry's variables, and where they say no, nothing is sent", async () => {
  await using collector = new Collector();
  const offs = [
    {},
    { ...settings(collector), OTEL_SDK_DISABLED: "true" },
    { ...settings(collector), OTEL_TRACES_EXPORTER: "none" },
    { ...settings(collector), OTEL_TRACES_SAMPLER: "always_off" },
  ];
  for (const env of offs) {
    await using server = await StartedServer.start({ env });
    using admin = AdminHttp.of(server);
    await admin.issue("alice");
  }
  equal(collector.requests, 0);
});

Deno.test("variables that ask for what isn't there stop the start, and say which", async () => {
  await using data = await temporaryFolder();
  for (const [name, value] of [["OTEL_TRACES_EXPORTER", "zipkin"], ["OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4317"]]) {
    const { code, log } = await StartedServer.refused({ dataDir: data.path, env: { [name!]: value! } });
    equal(code, 78);
    match(log, new RegExp(name!));
  }
});
