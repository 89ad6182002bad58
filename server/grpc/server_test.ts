import { deepEqual, equal, match, ok, rejects } from "node:assert/strict";
import { Buffer } from "node:buffer";
import { create, toBinary } from "@bufbuild/protobuf";
import { ChannelCredentials, Client, setLogger, status } from "@grpc/grpc-js";
import { GetAgentManifestRequestSchema } from "../../proto/gen/rune/vault/v1/vault_pb.ts";
import { type SealMetadataRequest, SealMetadataRequestSchema } from "../../proto/gen/runevault/v1/metadata_pb.ts";
import { VaultError } from "../../vault/errors.ts";
import { ACK, END_HEADERS, END_STREAM, FRAME, RawHttp2 } from "./_raw_http2.ts";
import {
  call,
  callOn,
  frame,
  metadataService,
  rawClient,
  rawRequest,
  start,
  startAnswering,
  statusOf,
  vault,
} from "./_test_support.ts";
import { ownNow } from "../../tests/own_time.ts";

const request = create(GetAgentManifestRequestSchema, { token: "evt_a" });
const requestBytes = toBinary(GetAgentManifestRequestSchema, request);
const path = vault.getAgentManifest.path;
const answering = (options = {}) => startAnswering(() => "fine", options);

async function assertStillServes(address: string) {
  equal((await call(address, vault.getAgentManifest, request)).message?.manifestJson, "fine");
}

Deno.test("createGrpcServer() tells the address it took, on IPv4 and IPv6", async () => {
  await using v4 = await answering();
  match(v4.server.address, /^127\.0\.0\.1:[1-9]\d*$/);
  await using v6 = await answering({ address: "[::1]:0" });
  match(v6.server.address, /^\[::1\]:[1-9]\d*$/);
  await assertStillServes(v6.server.address);
});

Deno.test("createGrpcServer() refuses an address that is taken", async () => {
  await using running = await answering();
  const again = start({ address: running.server.address, services: [] });
  await rejects(again, (thrown) => thrown instanceof VaultError && thrown.kind === "precondition_failed");
  await assertStillServes(running.server.address);
});

Deno.test("a request that is no protobuf ends as INTERNAL, and the server goes on", async () => {
  await using running = await answering();
  using raw = rawClient(running.server.address);
  const messages = {
    "truncated field": requestBytes.subarray(0, requestBytes.length - 2),
    "length far past the end": Uint8Array.of(0x0a, 0xff, 0xff, 0xff, 0xff, 0x07, 0x61),
    "varint without end": new Uint8Array(16).fill(0xff),
    "string that is not UTF-8": Uint8Array.of(0x0a, 4, 0x65, 0xff, 0xfe, 0x74),
    "field number 0": Uint8Array.of(0x02, 1, 0x61),
    "group that never ends": new Uint8Array(1000).fill(0x13),
    "deep groups": new Uint8Array(200_000).fill(0x13),
  };
  for (const [name, message] of Object.entries(messages)) {
    equal(statusOf(await rawRequest(raw.session, { ":path": path }, frame(message))), status.INTERNAL, name);
  }
  deepEqual(running.observed, []);
  await assertStillServes(running.server.address);
});

Deno.test("fields that the contract does not name are dropped", async () => {
  let seen: unknown;
  await using running = await startAnswering((received) => {
    seen = received;
    return "fine";
  });
  using raw = rawClient(running.server.address);
  const unknown = Uint8Array.of(0x7a, 3, 1, 2, 3);
  const message = Buffer.concat([requestBytes, unknown]);
  equal(statusOf(await rawRequest(raw.session, { ":path": path }, frame(message))), status.OK);
  deepEqual(Object.keys(seen as object).sort(), ["$typeName", "token"]);
});

Deno.test("frames that are cut short, doubled or missing get a status", async () => {
  await using running = await answering();
  using raw = rawClient(running.server.address);
  const cases: [string, Uint8Array, (code: number) => boolean][] = [
    ["nothing", new Uint8Array(), (code) => code === status.UNIMPLEMENTED],
    ["head cut short", Uint8Array.of(0, 0, 0), (code) => code !== status.OK],
    ["body cut short", frame(requestBytes, { length: 1000 }), (code) => code !== status.OK],
    ["two messages", Buffer.concat([frame(requestBytes), frame(requestBytes)]), (code) => code !== status.OK],
    ["compressed, and no encoding named", frame(requestBytes, { flag: 1 }), () => true],
  ];
  for (const [name, body, expected] of cases) {
    const answer = await rawRequest(raw.session, { ":path": path }, body);
    ok(expected(statusOf(answer)), `${name}: ${statusOf(answer)}`);
  }
  await assertStillServes(running.server.address);
});

Deno.test("a message above the limit ends as RESOURCE_EXHAUSTED, one at the limit does not", async () => {
  await using running = await answering({ maxMessageBytes: 1000 });
  const { address } = running.server;
  const sized = (bytes: number) => create(GetAgentManifestRequestSchema, { token: "x".repeat(bytes - 3) });
  equal((await call(address, vault.getAgentManifest, sized(1000))).code, status.OK);
  equal((await call(address, vault.getAgentManifest, sized(1001))).code, status.RESOURCE_EXHAUSTED);
  using raw = rawClient(address);
  const announced = frame(requestBytes, { length: 0xffffffff });
  equal(statusOf(await rawRequest(raw.session, { ":path": path }, announced)), status.RESOURCE_EXHAUSTED);
});

Deno.test("an answer above the limit ends as RESOURCE_EXHAUSTED", async () => {
  await using running = await startAnswering(() => "x".repeat(2000), { maxMessageBytes: 1000 });
  equal((await call(running.server.address, vault.getAgentManifest, request)).code, status.RESOURCE_EXHAUSTED);
});

Deno.test("messages of 80 MiB pass both ways", async () => {
  const size = 80 * 1024 * 1024;
  await using running = await startAnswering((given) => (given as SealMetadataRequest).plaintexts[0]!);
  const big = create(SealMetadataRequestSchema, { plaintexts: ["x".repeat(size)] });
  const options = { metadata: { authorization: "Bearer evt_a" }, deadlineMs: 60_000 };
  const ended = await call(running.server.address, metadataService.sealMetadata, big, options);
  equal(ended.message?.envelopes[0]?.length, size, ended.details);
});

Deno.test("an unknown method, service or path ends as UNIMPLEMENTED", async () => {
  await using running = await answering();
  using raw = rawClient(running.server.address);
  const paths = [
    "/rune.vault.v1.VaultService/Nope",
    "/nope.Service/Get",
    "/",
    "*",
    "//",
    "/rune.vault.v1.VaultService/",
    "/rune.vault.v1.VaultService/GetAgentManifest/",
    "/rune.vault.v1.VaultService/GetAgentManifest?x=1",
    "/%2e%2e/%00",
    "/__proto__/constructor",
    `/${"a".repeat(8000)}`,
  ];
  for (const each of paths) {
    const answer = await rawRequest(raw.session, { ":path": each }, frame(requestBytes));
    equal(statusOf(answer), status.UNIMPLEMENTED, each.slice(0, 60));
  }
  await assertStillServes(running.server.address);
});

Deno.test("paths and headers with bytes that are no text do no harm", async () => {
  await using running = await answering();
  using raw = await RawHttp2.open(running.server.address);
  const headers = [
    { ":path": "/\xff\xfe\xe9" },
    { ":path": "/a\x7f" },
    { ":path": path, authorization: "Bearer \xff\xfe" },
    { ":path": path, "x-bin": "%%%", "y-bin": "\xff" },
    { ":path": path, "grpc-encoding": "\xe9" },
    { ":path": path, "grpc-timeout": "\xe9" },
  ];
  for (const [index, each] of headers.entries()) {
    const streamId = 2 * index + 1;
    await raw.sendHeaders(streamId, each);
    await raw.send(FRAME.data, END_STREAM, streamId, frame(requestBytes));
    ok(await raw.waitFor((got) => got.streamId === streamId), `stream ${streamId}`);
  }
  await assertStillServes(running.server.address);
});

Deno.test("a token that cannot be read is not printed", async () => {
  const printed: unknown[] = [];
  // In place of the console, where grpc-js prints by default.
  setLogger({ error: (...args: unknown[]) => void printed.push(args) });
  await using running = await answering();
  using raw = await RawHttp2.open(running.server.address);
  await raw.sendHeaders(1, { ":path": path, authorization: "Bearer evt_secret\xe9" });
  await raw.send(FRAME.data, END_STREAM, 1, frame(requestBytes));
  ok(await raw.waitFor((got) => got.streamId === 1));
  deepEqual(printed, []);
});

Deno.test("what is no gRPC request is answered, does no harm and reaches no handler", async () => {
  await using running = await answering();
  using raw = rawClient(running.server.address);
  const { headers } = await rawRequest(raw.session, { ":path": path, "content-type": "application/json" });
  ok(Number(headers[":status"]) > 0);
  await rawRequest(raw.session, { ":path": path, ":method": "GET", "content-type": "text/html" });
  deepEqual(running.observed, []);
  for (const timeout of ["x", "-1S", "99999999999S", "99999999H", "1", "0n", ""]) {
    await rawRequest(raw.session, { ":path": path, "grpc-timeout": timeout }, frame(requestBytes));
  }
  await assertStillServes(running.server.address);
});

Deno.test("bytes that are no HTTP/2 do no harm", async () => {
  await using running = await answering();
  const port = Number(running.server.address.split(":").at(-1));
  const noise = [
    "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "\0".repeat(70_000),
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + "\xff".repeat(1000),
    "PRI * HTTP/2.0\r\n",
  ];
  for (const bytes of noise) {
    using socket = await Deno.connect({ hostname: "127.0.0.1", port });
    await socket.write(Buffer.from(bytes, "latin1")).catch(() => 0);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await assertStillServes(running.server.address);
});

Deno.test("frames that break the protocol do no harm", async () => {
  await using running = await answering();
  const breaches: ((raw: RawHttp2) => Promise<void>)[] = [
    (raw) => raw.send(FRAME.data, END_STREAM, 1, frame(requestBytes)),
    (raw) => raw.send(FRAME.headers, END_HEADERS, 0, Buffer.alloc(10)),
    (raw) => raw.send(FRAME.headers, END_HEADERS, 1, Buffer.alloc(100, 0xff)),
    (raw) => raw.send(FRAME.windowUpdate, 0, 0, Buffer.alloc(4)),
    (raw) => raw.send(FRAME.rstStream, 0, 7, Buffer.alloc(4)),
    (raw) => raw.send(FRAME.ping, 0, 0, Buffer.alloc(3)),
    (raw) => raw.send(FRAME.data, 0, 1, Buffer.alloc(100_000)),
    (raw) => raw.send(0xee, 0xff, 0x7fffffff, Buffer.alloc(8)),
    (raw) => raw.sendHeaders(2, { ":path": path }),
  ];
  for (const breach of breaches) {
    using raw = await RawHttp2.open(running.server.address);
    await breach(raw);
    await raw.waitFor((got) => got.type === FRAME.goaway, 100);
  }
  await assertStillServes(running.server.address);
});

Deno.test("clients may ping as often as they like, with and without a call in flight", async () => {
  const answer = Promise.withResolvers<string>();
  await using running = await startAnswering(() => answer.promise);
  using raw = await RawHttp2.open(running.server.address);
  await raw.sendHeaders(1, { ":path": path });
  await raw.send(FRAME.data, END_STREAM, 1, frame(requestBytes));
  for (let index = 1; index <= 50; index++) {
    if (index === 25) answer.resolve("fine");
    await raw.send(FRAME.ping, 0, 0, Buffer.alloc(8, index));
    ok(
      await raw.waitFor((got) => got.type === FRAME.ping && got.flags === ACK && got.payload[0] === index),
      `${index}`,
    );
  }
  ok(await raw.waitFor((got) => got.type === FRAME.headers && got.streamId === 1 && (got.flags & END_STREAM) !== 0));
  equal(raw.received.find((got) => got.type === FRAME.goaway), undefined);
  equal(raw.closed, false);
});

Deno.test("stop() lets a call in flight finish and refuses new ones", async () => {
  const called = Promise.withResolvers<void>();
  const answer = Promise.withResolvers<string>();
  const running = await startAnswering(() => {
    called.resolve();
    return answer.promise;
  }, { stopGraceMs: 5000 });
  const { address } = running.server;
  const client = new Client(address, ChannelCredentials.createInsecure());
  const inFlight = callOn(client, vault.getAgentManifest, request);
  await called.promise;
  let isStopped = false;
  const stopped = running.server.stop().then(() => isStopped = true);
  await new Promise((resolve) => setTimeout(resolve, 50));
  equal((await call(address, vault.getAgentManifest, request, { deadlineMs: 20_000 })).code, status.UNAVAILABLE);
  equal(isStopped, false);
  answer.resolve("fine");
  equal((await inFlight).message?.manifestJson, "fine");
  const startedAt = ownNow();
  await stopped;
  ok(ownNow() - startedAt < 1000);
  client.close();
});

Deno.test("stop() cuts what outlasts the grace, and ends for peers that never speak", async () => {
  const running = await startAnswering(() => new Promise(() => {}), { stopGraceMs: 200 });
  const { address } = running.server;
  using _silent = await Deno.connect({ hostname: "127.0.0.1", port: Number(address.split(":").at(-1)) });
  const called = call(address, vault.getAgentManifest, request);
  await new Promise((resolve) => setTimeout(resolve, 100));
  const startedAt = ownNow();
  await running.server.stop();
  ok(ownNow() - startedAt < 2000);
  ok([status.CANCELLED, status.UNAVAILABLE].includes((await called).code));
  await running.server.stop();
});

Deno.test("stop() says goodbye to connections without a call, and does not wait", async () => {
  const running = await answering({ stopGraceMs: 5000 });
  using raw = await RawHttp2.open(running.server.address);
  await raw.sendHeaders(1, { ":path": path });
  await raw.send(FRAME.data, END_STREAM, 1, frame(requestBytes));
  ok(await raw.waitFor((got) => got.streamId === 1 && (got.flags & END_STREAM) !== 0));
  const startedAt = ownNow();
  await running.server.stop();
  ok(ownNow() - startedAt < 1000);
  ok(await raw.waitFor((got) => got.type === FRAME.goaway));
});

Deno.test("stop() of a server that nobody called is immediate", async () => {
  const running = await answering({ stopGraceMs: 5000 });
  const startedAt = ownNow();
  await running.server.stop();
  ok(ownNow() - startedAt < 500);
});
