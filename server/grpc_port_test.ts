import { NO_AUDIT } from "../tests/fakes/no_audit.ts";
import { deepEqual, equal, match, ok, rejects } from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createServer } from "node:net";
import { create } from "@bufbuild/protobuf";
import { status } from "@grpc/grpc-js";
import { GetAgentManifestRequestSchema } from "../proto/gen/rune/vault/v1/vault_pb.ts";
import { call, frame, rawClient, recordingPorts, servicesAnswering, vault } from "./grpc/_test_support.ts";
import { createHealth } from "./grpc/health.ts";
import type { UnhandledCall } from "./grpc/unhandled_calls.ts";
import { divide, GrpcThreads } from "./grpc/threads/grpc_threads.ts";
import { ThreadedBatches } from "./grpc/threads/threaded_batches.ts";
import { createUnary, type UnaryAnswer } from "./grpc/unary.ts";
import { type GrpcSurroundings, openGrpcPort } from "./grpc_port.ts";

const MIB = 1024 * 1024;
const LOOPBACK = { host: "127.0.0.1", port: 0 };
const request = create(GetAgentManifestRequestSchema, { token: "evt_a" });

function refuse(): never {
  throw new TypeError("no test calls this");
}

/** Faces whose methods all give `answer`. */
function facesAnswering(answer: UnaryAnswer<unknown, string>) {
  const recorded = recordingPorts();
  const envelopes = { open: refuse, seal: refuse, sealingKey: refuse, keyFor: refuse, noteOpened: refuse };
  const deaths: string[] = [];
  const unhandled: UnhandledCall[] = [];
  const health = createHealth([]);
  const faces = {
    services: [...servicesAnswering(createUnary({ ...NO_AUDIT, ...recorded.ports }), answer), health.service],
    batches: new ThreadedBatches(envelopes),
    envelopes,
    isLive: (token: string) => token === "evt_live",
    onUnhandled: (call: UnhandledCall) => void unhandled.push(call),
    health,
    onThreadDeath: (reason: string) => void deaths.push(reason),
  };
  return { ...recorded, faces, deaths, health, unhandled };
}

async function openAnswering(answer: UnaryAnswer<unknown, string>, around: Partial<GrpcSurroundings> = {}) {
  const it = facesAnswering(answer);
  const { logger, random } = it.ports;
  const port = await openGrpcPort(LOOPBACK, it.faces, { workers: 3, tls: null, logger, random, ...around });
  return { ...it, address: port.address, [Symbol.asyncDispose]: () => port.stop() };
}

/** Sends a message's head and all of it but its last byte, over a connection of its own. */
function hoard(address: string, length: number, headers: Record<string, string> = {}) {
  const client = rawClient(address);
  const { path } = vault.getAgentManifest;
  const about = { ":method": "POST", ":path": path, "content-type": "application/grpc", ...headers };
  const stream = client.session.request(about);
  let code: number | undefined;
  stream.on("error", () => {}).resume();
  stream.on("response", (received) => code = Number(received["grpc-status"]));
  stream.on("trailers", (received) => code = Number(received["grpc-status"]));
  stream.write(frame(new Uint8Array(length)).subarray(0, length + 4));
  return { stream, code: () => code, [Symbol.dispose]: () => client[Symbol.dispose]() };
}

async function until(holds: () => boolean, what: () => string): Promise<void> {
  for (const end = performance.now() + 20_000; !holds();) {
    if (performance.now() > end) throw new Error(what());
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

Deno.test("what strangers hold on all threads together is bounded as on one", async () => {
  const limits = { totalBytes: 16 * MIB, peerBytes: 8 * MIB };
  await using running = await openAnswering(() => "fine", { limits });
  using stack = new DisposableStack();
  const hoarders = Array.from({ length: 24 }, () => stack.use(hoard(running.address, 3 * MIB)));
  const refused = () => hoarders.filter((one) => one.code() !== undefined);
  await until(() => refused().length >= 22, () => `${refused().length} hoarders were refused`);
  for (const one of refused()) equal(one.code(), status.RESOURCE_EXHAUSTED);
  // Over connections of their own, so that each thread has some.
  for (let i = 0; i < 12; i++) {
    equal((await call(running.address, vault.getAgentManifest, request)).message?.manifestJson, "fine");
  }
});

Deno.test("a small call finds room, whatever thread the hoarders are on", async () => {
  const limits = { totalBytes: 64 * MIB, peerBytes: 8 * MIB };
  await using running = await openAnswering(() => "fine", { limits });
  using stack = new DisposableStack();
  // Just below the limit: nobody is refused until small calls come, which stay open.
  const hoarders = Array.from({ length: 2 }, () => stack.use(hoard(running.address, 3.8 * MIB)));
  await new Promise((resolve) => setTimeout(resolve, 300));
  const small = Array.from({ length: 40 }, () => stack.use(hoard(running.address, 1024)));
  await until(() => hoarders.some((one) => one.code() === status.RESOURCE_EXHAUSTED), () => "no hoarder made room");
  deepEqual(small.filter((one) => one.code() !== undefined), []);
});

Deno.test("a live token lifts a call out of the budget on every thread, and another doesn't", async () => {
  const limits = { totalBytes: 8 * MIB, peerBytes: 4 * MIB };
  await using running = await openAnswering(() => "fine", { limits });
  for (let i = 0; i < 6; i++) {
    using known = hoard(running.address, 6 * MIB, { authorization: "Bearer evt_live" });
    using wrong = hoard(running.address, 6 * MIB, { authorization: "Bearer evt_dead" });
    await until(() => wrong.code() !== undefined, () => "a stranger was not refused");
    equal(wrong.code(), status.RESOURCE_EXHAUSTED);
    known.stream.end(Buffer.alloc(1));
    await until(() => known.code() !== undefined, () => "the call with a live token did not end");
    equal(known.code(), status.INTERNAL, "it came through to the codec, which makes nothing of zeros");
  }
});

Deno.test("calls under way on all threads are finished at a stop, and counted at one place", async () => {
  const release = Promise.withResolvers<void>();
  let arrived = 0;
  const it = await openAnswering(() => {
    arrived++;
    return release.promise.then(() => "late");
  });
  const calls = Array.from({ length: 12 }, () => call(it.address, vault.getAgentManifest, request));
  await until(() => arrived === calls.length, () => `${arrived} calls arrived`);
  const stopped = it[Symbol.asyncDispose]();
  await new Promise((resolve) => setTimeout(resolve, 100));
  release.resolve();
  const ended = await Promise.all(calls);
  deepEqual(new Set(ended.map(({ message }) => message?.manifestJson)), new Set(["late"]));
  await stopped;
  equal(it.observed.length, 12);
  deepEqual(it.deaths, []);
});

Deno.test("what a handler throws, and a caller who goes, come through from every thread", async () => {
  let [arrived, aborted] = [0, 0];
  await using it = await openAnswering((_request, context) => {
    if (context.token === "evt_a") throw new TypeError("secret inside");
    arrived++;
    return new Promise((_resolve, reject) => {
      context.signal.addEventListener("abort", () => {
        aborted++;
        reject(context.signal.reason);
      });
    });
  });
  for (let i = 0; i < 8; i++) {
    const { code, details } = await call(it.address, vault.getAgentManifest, request);
    equal(code, status.INTERNAL);
    ok(!details.includes("secret"));
    const waiting = create(GetAgentManifestRequestSchema, { token: "evt_b" });
    // On a busy machine a short deadline passes before the call is there.
    for (let [before, deadlineMs] = [arrived, 100]; arrived === before; deadlineMs *= 4) {
      const late = await call(it.address, vault.getAgentManifest, waiting, { deadlineMs });
      equal(late.code, status.DEADLINE_EXCEEDED);
    }
  }
  await until(() => aborted === arrived, () => `${aborted} of ${arrived} handlers heard of it`);
});

Deno.test("a port that somebody listens on already is not shared with them", async () => {
  const other = createServer();
  await new Promise<void>((resolve) => other.listen({ host: "127.0.0.1", port: 0 }, () => resolve()));
  const { port } = other.address() as { port: number };
  const { faces, ports: { logger, random } } = facesAnswering(() => "fine");
  const around = { workers: 2, tls: null, logger, random };
  await rejects(openGrpcPort({ host: "127.0.0.1", port }, faces, around), /EADDRINUSE/);
  await new Promise((resolve) => other.close(resolve));
  const first = await openGrpcPort({ host: "127.0.0.1", port }, faces, around);
  await rejects(openGrpcPort({ host: "127.0.0.1", port }, faces, around), /EADDRINUSE/);
  await first.stop();
});

Deno.test("the death of a thread is told: its callers would wait for ever", async () => {
  const { faces, ports: { logger, random }, health, deaths } = facesAnswering(() => "fine");
  const dying =
    "onmessage = () => { postMessage([['listening']]); setTimeout(() => { throw new Error('gone'); }, 50); }";
  const threads = await GrpcThreads.start({
    ...faces,
    shares: divide(2, random, (wanted) => wanted),
    limits: { totalBytes: MIB, peerBytes: MIB },
    address: "127.0.0.1:1",
    tls: null,
    health,
    logger,
    makeRoom: () => {},
    onDeath: faces.onThreadDeath,
    makeWorker: () => new Worker(`data:text/javascript,${encodeURIComponent(dying)}`, { type: "module" }),
  });
  await until(() => deaths.length > 0, () => "nobody was told");
  match(deaths[0]!, /gone/);
  await threads.stop();
});

Deno.test("divide() gives each thread its part of the descriptors, and never more than there are", () => {
  const { random } = recordingPorts().ports;
  equal(divide(2, random, (wanted) => wanted).places, 2048);
  const few = divide(4, random, () => 3000);
  ok(few.places * 4 <= 3000 - 900 - 3 * 160, `${few.places} places a thread`);
  equal(divide(4, random, () => 500).places, 32);
});
