import { deepEqual, equal, ok } from "node:assert/strict";
import { Buffer } from "node:buffer";
import { gzipSync } from "node:zlib";
import { create, toBinary } from "@bufbuild/protobuf";
import { ChannelCredentials, type ClientOptions, status } from "@grpc/grpc-js";
import { GetAgentManifestRequestSchema } from "../../proto/gen/rune/vault/v1/vault_pb.ts";
import { createTestCa, hasOpenssl, SERVER_EXTENSIONS } from "./_test_certificates.ts";
import { END_HEADERS, END_STREAM, FRAME, type Frame, frameOf, named, RawHttp2, REMEMBERED } from "./_raw_http2.ts";
import {
  call,
  frame,
  metadataService,
  rawClient,
  rawRequest,
  startAnswering,
  statusOf,
  vault,
} from "./_test_support.ts";
import { tlsCredentials } from "./credentials.ts";
import type { GuardOptions } from "./guarded_http2.ts";
import { MOST_RESETS } from "./reset_limit.ts";

const MIB = 1024 * 1024;
const ENHANCE_YOUR_CALM = 11;
const CANCEL = Uint8Array.of(0, 0, 0, 8);
const path = vault.getAgentManifest.path;
const request = create(GetAgentManifestRequestSchema, { token: "evt_a" });
const body = frame(toBinary(GetAgentManifestRequestSchema, request));

const ignore = Deno.env.get("RUNEVAULT_TEST_ALL") !== "1" && !(await hasOpenssl());

function test(name: string, run: () => Promise<void>) {
  Deno.test({ name: `${name} [apt install openssl]`, ignore, fn: run });
}

async function startGuarded(guard: Partial<GuardOptions>) {
  const events: { event: string; fields: Readonly<Record<string, unknown>> }[] = [];
  const logger = { log: (_level: string, event: string, fields = {}) => void events.push({ event, fields }) };
  const running = await startAnswering(() => "fine", { guard: { logger, ...guard } });
  return { ...running, address: running.server.address, logged: events };
}

/** How many refusals for a reason the log tells of. */
function logged({ logged }: Awaited<ReturnType<typeof startGuarded>>, reason: string): number {
  return logged.reduce((sum, { fields }) => sum + Number(fields[reason] ?? 0), 0);
}

async function answersWithin(address: string, ms: number): Promise<void> {
  const startedAt = performance.now();
  equal((await call(address, vault.getAgentManifest, request)).message?.manifestJson, "fine");
  const tookMs = performance.now() - startedAt;
  ok(tookMs < ms, `the answer took ${tookMs} ms`);
}

async function until(holds: () => boolean, what: () => string, ms = 20_000): Promise<void> {
  for (const end = performance.now() + ms; !holds();) {
    if (performance.now() > end) throw new Error(what());
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Sends the head of a message of `length` bytes and all of it but its last byte, as far as the server lets it. */
function hoard(address: string, length: number, headers: Record<string, string> = {}) {
  const client = rawClient(address);
  const { session } = client;
  const stream = session.request({ ":method": "POST", ":path": path, "content-type": "application/grpc", ...headers });
  let code: number | undefined;
  stream.on("error", () => {}).resume();
  stream.on("response", (received) => code = Number(received["grpc-status"]));
  stream.on("trailers", (received) => code = Number(received["grpc-status"]));
  stream.write(frame(new Uint8Array(length)).subarray(0, length + 4));
  return {
    stream,
    code: () => code,
    isEnded: () => code !== undefined,
    [Symbol.dispose]: () => client[Symbol.dispose](),
  };
}

Deno.test("strangers who hold back their last byte are refused past the budget, and others are answered", async () => {
  await using running = await startGuarded({ limits: { totalBytes: 16 * MIB, peerBytes: 8 * MIB } });
  using stack = new DisposableStack();
  const hoarders = Array.from({ length: 8 }, () => stack.use(hoard(running.address, 3 * MIB)));
  await until(() => hoarders.filter((one) => one.isEnded()).length >= 6, () => "no hoarder was refused");
  for (const one of hoarders.filter((one) => one.isEnded())) equal(one.code(), status.RESOURCE_EXHAUSTED);
  ok(running.server.heldBytes <= 8 * MIB);
  await answersWithin(running.address, 10_000);
  stack.dispose();
  await until(() => running.server.heldBytes === 0, () => `${running.server.heldBytes} bytes were not given back`);
  // Those that are refused after the first line are told by the next.
  await until(() => logged(running, "over_budget") >= 6, () => `${logged(running, "over_budget")} were logged`);
  equal(running.logged[0]!.event, "grpc_refused");
});

Deno.test("a call that carries a live token holds what it wants", async () => {
  let asked = 0;
  const isLive = (token: string) => {
    asked++;
    return token === "evt_live";
  };
  await using running = await startGuarded({ limits: { totalBytes: 8 * MIB, peerBytes: 4 * MIB }, isLive });
  using known = hoard(running.address, 12 * MIB, { authorization: "Bearer evt_live" });
  using wrong = hoard(running.address, 12 * MIB, { authorization: "Bearer evt_dead" });
  using other = hoard(running.address, 12 * MIB, { authorization: "Basic evt_live" });
  await until(() => wrong.isEnded() && other.isEnded(), () => "a stranger was not refused");
  known.stream.end(Buffer.alloc(1));
  await until(() => known.isEnded(), () => "the call with a live token did not end");
  equal(known.code(), status.INTERNAL, "it came through to the codec, which makes nothing of zeros");
  deepEqual([wrong.code(), other.code()], [status.RESOURCE_EXHAUSTED, status.RESOURCE_EXHAUSTED]);
  equal(asked, 2);
  equal(running.server.heldBytes, 0);
});

Deno.test("calls with and without a token that fit the budget are not looked at", async () => {
  await using running = await startGuarded({
    isLive: () => {
      throw new Error("nobody wanted room");
    },
  });
  await answersWithin(running.address, 10_000);
  const options = { metadata: { authorization: "Bearer evt_a" } };
  equal((await call(running.address, vault.getAgentManifest, request, options)).message?.manifestJson, "fine");
});

Deno.test("what a caller held is given back when its connection vanishes", async () => {
  await using running = await startGuarded({});
  const one = hoard(running.address, 3 * MIB);
  await until(() => running.server.heldBytes > 3 * MIB, () => `only ${running.server.heldBytes} bytes came in`);
  one[Symbol.dispose]();
  await until(() => running.server.heldBytes === 0, () => `${running.server.heldBytes} bytes were not given back`);
});

Deno.test("compressed messages are refused as UNIMPLEMENTED before they are inflated", async () => {
  await using running = await startGuarded({});
  using raw = rawClient(running.address);
  const bomb = gzipSync(Buffer.alloc(40 * MIB));
  const before = Deno.memoryUsage().rss;
  for (const encoding of ["gzip", "deflate", "br", "identity, gzip", "IDENTITY", ""]) {
    const headers = { ":path": path, "grpc-encoding": encoding };
    const answer = await rawRequest(raw.session, headers, frame(bomb, { flag: 1 }));
    equal(statusOf(answer), status.UNIMPLEMENTED, encoding);
  }
  ok(Deno.memoryUsage().rss - before < 100 * MIB);
  equal(statusOf(await rawRequest(raw.session, { ":path": path, "grpc-encoding": "identity" }, body)), status.OK);
  deepEqual(running.observed.length, 1);
});

Deno.test("a message that says it is compressed is refused, whatever the headers say, wherever its frame is split", async () => {
  await using running = await startGuarded({});
  using raw = rawClient(running.address);
  for (const headers of [{ ":path": path }, { ":path": path, "grpc-encoding": "identity" }]) {
    for (const flag of [1, 2, 255]) {
      equal(statusOf(await rawRequest(raw.session, headers, frame(body, { flag }))), status.UNIMPLEMENTED);
    }
  }
  using bytewise = await RawHttp2.open(running.address);
  const reflection = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
  equal(statusOf(await rawRequest(raw.session, { ":path": reflection })), status.UNIMPLEMENTED, "not served here");
  await bytewise.sendHeaders(1, { ":path": path });
  for (const byte of body) await bytewise.send(FRAME.data, 0, 1, Uint8Array.of(byte));
  await bytewise.send(FRAME.data, 0, 1, Uint8Array.of(1));
  const answer = await bytewise.waitFor(isTrailers(1));
  ok(answer?.payload.includes("12"), "the flag of the second message was seen");
});

Deno.test("a request that takes too long ends as DEADLINE_EXCEEDED, and frees what it held", async () => {
  await using running = await startGuarded({ requestMs: 200 });
  using slow = hoard(running.address, 1000);
  await until(() => slow.isEnded(), () => "the slow request was not cut");
  equal(slow.code(), status.DEADLINE_EXCEEDED);
  equal(running.server.heldBytes, 0);
});

Deno.test("a slow request of a caller who is known goes on", async () => {
  await using running = await startGuarded({ requestMs: 200, isLive: (token) => token === "evt_live" });
  using slow = hoard(running.address, 1000, { authorization: "Bearer evt_live" });
  await until(() => running.server.heldBytes > 0, () => "the call never came in");
  await until(() => running.server.heldBytes === 0, () => "the call was counted on");
  equal(slow.isEnded(), false);
});

Deno.test("a call that is being answered is not cut for time", async () => {
  const { promise: released, resolve: release } = Promise.withResolvers<string>();
  await using running = await startAnswering(() => released, { guard: { requestMs: 300 } });
  const ended = call(running.server.address, vault.getAgentManifest, request);
  await new Promise((resolve) => setTimeout(resolve, 1000));
  release("late");
  equal((await ended).message?.manifestJson, "late");
});

Deno.test("a stream that is answered on its headers alone does not stay open", async () => {
  await using running = await startGuarded({});
  using raw = await RawHttp2.open(running.address);
  await raw.sendHeaders(1, { ":path": "/no.Such/Method" });
  await raw.sendHeaders(3, { ":path": path, "content-type": "text/plain" });
  ok(await raw.waitFor(({ type, streamId }) => type === FRAME.rstStream && streamId === 1));
  ok(await raw.waitFor(({ type, streamId }) => type === FRAME.rstStream && streamId === 3));
  await answersWithin(running.address, 10_000);
});

Deno.test("streams that are reset before their turn, also of unknown methods, do no harm", async () => {
  await using running = await startGuarded({});
  for (const wanted of [path, "/no.Such/Method", ""]) {
    using raw = await RawHttp2.open(running.address);
    for (let id = 1; id < 400; id += 2) {
      await raw.sendHeaders(id, { ":path": wanted });
      await raw.send(FRAME.rstStream, 0, id, Uint8Array.of(0, 0, 0, 8));
    }
    await answersWithin(running.address, 10_000);
  }
  await until(() => running.server.heldBytes === 0, () => `${running.server.heldBytes} bytes were not given back`);
});

Deno.test("a connection that resets call after call is told to calm down and closed, and others are answered", async () => {
  await using running = await startGuarded({});
  using raw = await RawHttp2.open(running.address);
  await openAndReset(raw, 0, MOST_RESETS * 3);
  ok(await raw.waitFor(({ type, payload }) => type === FRAME.goaway && payload.readUInt32BE(4) === ENHANCE_YOUR_CALM));
  await until(() => raw.closed, () => "the connection was not closed");
  await answersWithin(running.address, 10_000);
  await until(() => running.server.heldBytes === 0, () => `${running.server.heldBytes} bytes were not given back`);
  await until(() => running.logged.some(({ fields }) => fields["too_many_resets"] === 1), () => "nothing was logged");
});

Deno.test("a client that gives up calls now and then, and one whose calls are answered, keep their connection", async () => {
  await using running = await startGuarded({});
  using raw = await RawHttp2.open(running.address);
  await openAndReset(raw, 0, MOST_RESETS / 2);
  const [answered, given] = [MOST_RESETS / 2 + MOST_RESETS, MOST_RESETS / 3];
  for (let call = MOST_RESETS / 2; call < answered; call++) await openWhole(raw, call);
  ok(await raw.waitFor(isTrailers(2 * answered - 1)), "calls were not answered");
  await openAndReset(raw, answered, given);
  await openWhole(raw, answered + given);
  ok(await raw.waitFor(isTrailers(1 + 2 * (answered + given))), "the last call was not answered");
});

Deno.test("a connection that never says its preface, or its settings, is closed", async () => {
  await using running = await startGuarded({ handshakeMs: 1000 });
  const [host, port] = running.address.split(":");
  using silent = await Deno.connect({ hostname: host!, port: Number(port) });
  using slow = await Deno.connect({ hostname: host!, port: Number(port) });
  await slow.write(new TextEncoder().encode("PRI * HTTP/2.0\r\n\r\n"));
  using good = await RawHttp2.open(running.address);
  for (const connection of [silent, slow]) await readToEnd(connection);
  await new Promise((resolve) => setTimeout(resolve, 1300));
  equal(good.closed, false);
  // The log names them at most once in a while: on a busy machine the second may come too late for the first line.
  await until(() => logged(running, "no_handshake") >= 1, () => "nothing was logged");
});

Deno.test("whoever speaks something else than HTTP/2 is closed without a word; a preface may come byte by byte", async () => {
  await using running = await startGuarded({});
  const [hostname, port] = running.address.split(":");
  const connect = () => Deno.connect({ hostname: hostname!, port: Number(port) });
  using other = await connect();
  await other.write(new TextEncoder().encode("GET / HTTP/1.1\r\nhost: vault\r\n\r\n"));
  equal(await other.read(new Uint8Array(100)).catch(() => null), null);
  using slow = await connect();
  slow.setNoDelay(true);
  const settings = frameOf(FRAME.settings, 0, 0, Buffer.alloc(0));
  for (const byte of Buffer.concat([Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), settings])) {
    await slow.write(Uint8Array.of(byte));
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  const answer = new Uint8Array(100);
  ok(await slow.read(answer) !== null && answer[3] === FRAME.settings, "the server's settings come first");
  await until(() => logged(running, "not_http2") === 1, () => "nothing was logged");
});

Deno.test("headers count by what they come to, not by what came: past 16 KiB the call is refused, below them it is charged", async () => {
  await using running = await startGuarded({});
  using raw = await RawHttp2.open(running.address);
  const opened = (stream: number, names: number) => {
    const block = Buffer.concat([stream === 1 ? REMEMBERED : Buffer.alloc(0), named(names)]);
    return raw.sendHeaders(stream, { ":path": path }, END_HEADERS, block);
  };
  await opened(1, 2);
  await until(
    () => running.server.heldBytes > 3 * 4000 + 16 * 1024,
    () => `${running.server.heldBytes} bytes are held`,
  );
  await opened(3, 100);
  ok(await raw.waitFor(({ type, streamId }) => type === FRAME.headers && streamId === 3), "it was not refused");
  await until(() => logged(running, "large_headers") === 1, () => "nothing was logged");
  ok(running.server.heldBytes < 2 * 16 * 1024, "only the first is held");
});

test("a TLS connection that never finishes its handshake is closed, and calls over TLS are under guard", async () => {
  await using ca = await createTestCa("guard test");
  const pair = await ca.issue("localhost", SERVER_EXTENSIONS);
  const credentials = tlsCredentials({ current: () => pair, onChange: () => () => {} });
  await using running = await startAnswering(() => "fine", { credentials, guard: { handshakeMs: 500 } });
  const { address } = running.server;
  using silent = await Deno.connect({ hostname: "127.0.0.1", port: Number(address.split(":")[1]) });
  // The first bytes of a ClientHello, and no more.
  await silent.write(Uint8Array.of(22, 3, 1, 2, 0, 1));
  await readToEnd(silent);
  const secure = ChannelCredentials.createSsl(Buffer.from(ca.certPem));
  const channel = { "grpc.ssl_target_name_override": "localhost" };
  const callWith = (more: ClientOptions) =>
    call(address, vault.getAgentManifest, request, { credentials: secure, channel: { ...channel, ...more } });
  equal((await callWith({})).message?.manifestJson, "fine");
  equal((await callWith({ "grpc.default_compression_algorithm": 2 })).code, status.UNIMPLEMENTED);
});

Deno.test("sealing takes its token from metadata, and so is lifted out of the budget as any other call", async () => {
  await using running = await startGuarded({
    limits: { totalBytes: 2 * MIB, peerBytes: MIB },
    isLive: (token) => token === "evt_live",
  });
  const big = { $typeName: "runevault.v1.SealMetadataRequest" as const, plaintexts: ["x".repeat(3 * MIB)] };
  const as = (token: string) => ({ metadata: { authorization: `Bearer ${token}` } });
  equal((await call(running.address, metadataService.sealMetadata, big, as("evt_live"))).code, status.OK);
  equal((await call(running.address, metadataService.sealMetadata, big, as("evt_b"))).code, status.RESOURCE_EXHAUSTED);
});

/** Opens calls from the one of number `first` on, and resets each at once. */
async function openAndReset(raw: RawHttp2, first: number, calls: number): Promise<void> {
  for (let call = first; call < first + calls && !raw.closed; call++) {
    await raw.sendHeaders(1 + 2 * call, { ":path": path });
    await raw.send(FRAME.rstStream, 0, 1 + 2 * call, CANCEL);
  }
}

async function openWhole(raw: RawHttp2, call: number): Promise<void> {
  await raw.sendHeaders(1 + 2 * call, { ":path": path });
  await raw.send(FRAME.data, END_STREAM, 1 + 2 * call, body);
}

function isTrailers(streamId: number) {
  return (one: Frame) => one.type === FRAME.headers && one.streamId === streamId && (one.flags & END_STREAM) !== 0;
}

/** Resolves when the other side has closed; five seconds at most. */
async function readToEnd(connection: Deno.Conn): Promise<void> {
  const buffer = new Uint8Array(1024);
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error("the connection was not closed")), 5000);
  });
  try {
    while (await Promise.race([connection.read(buffer).catch(() => null), late]) !== null);
  } finally {
    clearTimeout(timer);
  }
}
