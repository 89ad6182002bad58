import { deepEqual, equal, ok } from "node:assert/strict";
import { connect as dial, type Socket } from "node:net";
import { create } from "@bufbuild/protobuf";
import { ChannelCredentials, Client, status } from "@grpc/grpc-js";
import { GetAgentManifestRequestSchema } from "../../proto/gen/rune/vault/v1/vault_pb.ts";
import { MOST_CONNECTIONS } from "./connection_rate.ts";
import { call, callOn, startAnswering, vault } from "./_test_support.ts";

const PLACES = 64;
const CLIENT = "127.0.0.1";
const DEADLINE_MS = 20_000;
const request = create(GetAgentManifestRequestSchema, { token: "evt_a" });
const PREFACE = new Uint8Array([
  ...new TextEncoder().encode("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
  ...[0, 0, 0, 4, 0, 0, 0, 0, 0],
]);

async function startWithFewPlaces() {
  const refused: Record<string, unknown>[] = [];
  const logger = { log: (_level: string, _event: string, fields = {}) => void refused.push(fields) };
  const running = await startAnswering(() => "fine", { guard: { logger, places: PLACES } });
  return { ...running, refused, address: running.server.address };
}

/**
 * Connects again and again from an address, holding twice as many connections as there are places. A few at a time: the
 * kernel drops what comes while many wait to be accepted, whoever it is.
 */
function flood(address: string, localAddress: string, says?: Uint8Array) {
  const [host, port] = address.split(":") as [string, string];
  const sockets: Socket[] = [];
  let [opened, isOver] = [0, false];
  const flooding = (async () => {
    while (!isOver) {
      const batch = Array.from({ length: 8 }, () => dial({ host, port: Number(port), localAddress }));
      await Promise.all(batch.map(connected));
      if (says !== undefined) batch.forEach((socket) => void socket.write(says));
      opened += batch.length;
      sockets.push(...batch);
      sockets.splice(0, Math.max(0, sockets.length - 2 * PLACES)).forEach((socket) => void socket.destroy());
    }
  })();
  return {
    opened: () => opened,
    async [Symbol.asyncDispose]() {
      isOver = true;
      await flooding;
      await Promise.all(sockets.map(closed));
    },
  };
}

function connected(socket: Socket): Promise<void> {
  socket.on("error", () => {}).resume();
  return new Promise((resolve) => void socket.once("connect", resolve).once("close", () => resolve()));
}

function closed(socket: Socket): Promise<void> {
  if (socket.closed) return Promise.resolve();
  return new Promise((resolve) => void socket.once("close", () => resolve()).destroy());
}

/** A client as any program has one: a call that finds no connection is made again until its time is over. */
async function answeredWithRetries(address: string): Promise<void> {
  const until = performance.now() + DEADLINE_MS;
  for (;;) {
    const { code, details } = await call(address, vault.getAgentManifest, request, { deadlineMs: 2000 });
    if (code === status.OK) return;
    ok(code === status.UNAVAILABLE || code === status.DEADLINE_EXCEEDED, details);
    ok(performance.now() < until, `no answer within ${DEADLINE_MS} ms: ${details}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

for (const [what, says] of [["say nothing", undefined], ["say their preface", PREFACE]] as const) {
  Deno.test(`among connections without end that ${what}, who has called keeps its own, and newcomers get answers`, async () => {
    await using running = await startWithFewPlaces();
    const established = new Client(running.address, ChannelCredentials.createInsecure());
    equal((await callOn(established, vault.getAgentManifest, request)).code, status.OK);
    // Who floods with prefaces uses up what its own address may begin in a second.
    for (const from of [CLIENT, "127.0.0.2"]) {
      await using flooding = flood(running.address, from, says);
      while (flooding.opened() < 2 * PLACES) await new Promise((resolve) => setTimeout(resolve, 10));
      for (let i = 0; i < 20; i++) {
        const { code, details } = await callOn(established, vault.getAgentManifest, request);
        deepEqual([code, details], [status.OK, ""], `flooded from ${from}`);
        if (i % 4 === 0 && (says === undefined || from !== CLIENT)) await answeredWithRetries(running.address);
      }
    }
    equal(established.getChannel().getConnectivityState(false), 2);
    established.close();
    ok(running.refused.some((fields) => Number(fields["made_room"] ?? fields["no_place"]) > 0), "there was no flood");
  });
}

/** A connection that says its preface; resolves once the server has answered with its settings, or closed it. */
async function isServed(address: string, localAddress: string): Promise<boolean> {
  const [host, port] = address.split(":") as [string, string];
  const socket = dial({ host, port: Number(port), localAddress }).on("error", () => {});
  socket.write(PREFACE);
  const answered = new Promise<boolean>((resolve) => {
    socket.once("data", () => resolve(true)).once("close", () => resolve(false));
  });
  const result = await answered;
  await closed(socket);
  return result;
}

Deno.test("an address begins 500 connections at once and few more; others, and who authenticates, are not counted", async () => {
  await using running = await startAnswering(() => "fine");
  const { address } = running.server;
  const began = performance.now();
  let served = 0;
  for (let i = 0; i < 600; i++) if (await isServed(address, "127.0.0.3")) served++;
  const most = MOST_CONNECTIONS + (performance.now() - began) / 100;
  ok(served >= Math.min(600, MOST_CONNECTIONS) && served <= most + 1, `${served} of at most ${most} were served`);
  equal(await isServed(address, "127.0.0.4"), true);
  let answered = 0;
  const calling = async () => {
    while (answered < 700) {
      equal((await call(address, vault.getAgentManifest, request)).code, status.OK);
      answered++;
    }
  };
  await Promise.all(Array.from({ length: 10 }, calling));
});
