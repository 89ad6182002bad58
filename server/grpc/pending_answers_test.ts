import { equal, ok } from "node:assert/strict";
import { Buffer } from "node:buffer";
import { create, toBinary } from "@bufbuild/protobuf";
import { GetAgentManifestRequestSchema } from "../../proto/gen/rune/vault/v1/vault_pb.ts";
import { createTestCa, hasOpenssl, SERVER_EXTENSIONS } from "./_test_certificates.ts";
import { END_STREAM, FRAME, type Frame, RawHttp2 } from "./_raw_http2.ts";
import { soon } from "../../tests/soon.ts";
import { call, frame, startAnswering, vault } from "./_test_support.ts";
import type { GuardOptions } from "./guarded_http2.ts";

const KIB = 1024;
const ENHANCE_YOUR_CALM = 11;
const PATH = { ":path": vault.getAgentManifest.path };
const request = create(GetAgentManifestRequestSchema, { token: "evt_a" });
const body = frame(toBinary(GetAgentManifestRequestSchema, request));
const ignore = Deno.env.get("RUNEVAULT_TEST_ALL") !== "1" && !(await hasOpenssl());

type Connect = () => Promise<RawHttp2>;

async function startGuarded(guard: Partial<GuardOptions>, answer = "m".repeat(KIB)) {
  const events: Record<string, unknown>[] = [];
  const logger = { log: (_level: string, _event: string, fields = {}) => void events.push(fields) };
  const running = await startAnswering(() => answer, { guard: { logger, ...guard } });
  const { address } = running.server;
  const asks = async () => equal((await call(address, vault.getAgentManifest, request)).message?.manifestJson, answer);
  return { ...running, address, asks, reasons: () => events.flatMap((fields) => Object.keys(fields)) };
}

/** Asks `calls` times and gives the answers no window. */
async function stall(raw: RawHttp2, calls: number): Promise<void> {
  await raw.send(FRAME.settings, 0, 0, Buffer.from([0, 4, 0, 0, 0, 0]));
  for (let id = 1; id < 2 * calls; id += 2) {
    await raw.sendHeaders(id, PATH);
    await raw.send(FRAME.data, END_STREAM, id, body);
  }
}

function isCalmed({ type, payload }: Frame): boolean {
  return type === FRAME.rstStream && payload.readUInt32BE(0) === ENHANCE_YOUR_CALM;
}

async function until(holds: () => boolean, what: () => string, ms = 20_000): Promise<void> {
  for (const end = performance.now() + ms; !holds();) {
    if (performance.now() > end) throw new Error(what());
    await sleep(10);
  }
}

function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

async function startChild(...args: string[]) {
  const program = new URL("./_stalled_child.ts", import.meta.url).pathname;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--allow-all", "--no-check", "--v8-flags=--expose-gc", program, ...args],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const lines = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const said = async () => JSON.parse((await soon(lines.read())).value ?? "{}");
  const input = child.stdin.getWriter();
  const { address } = await said();
  return {
    port: Number(address.split(":").at(-1)),
    heap: async (): Promise<number> => {
      await input.write(Uint8Array.of(10));
      return (await said()).heap;
    },
    [Symbol.asyncDispose]: async () => {
      await input.close();
      await lines.cancel();
      await child.status;
    },
  };
}

/**
 * How much three times so many conversations add to the server's heap once as many were had before. What it lets go of
 * a while later, as on a busy machine, isn't left: it is asked again until it is less than `enough`.
 */
async function growth(
  server: Awaited<ReturnType<typeof startChild>>,
  { times, enough }: { readonly times: number; readonly enough: number },
  converse: () => Promise<void>,
): Promise<number> {
  const round = async () => {
    for (let i = 0; i < times; i++) await converse();
    await sleep(500);
  };
  await round();
  const before = await server.heap();
  for (let i = 0; i < 3; i++) await round();
  let left = await server.heap() - before;
  for (const end = performance.now() + 20_000; left >= enough && performance.now() < end;) {
    await sleep(500);
    left = Math.min(left, await server.heap() - before);
  }
  return left;
}

async function assertLetsGo(server: Awaited<ReturnType<typeof startChild>>, connect: Connect): Promise<void> {
  const enough = 3_000_000;
  const stalled = await growth(server, { times: 20, enough }, async () => {
    using raw = await connect();
    await stall(raw, 100);
    await raw.waitFor(({ type, streamId }) => type === FRAME.headers && streamId === 199);
  });
  ok(stalled < enough, `6,000 answers that nobody took left ${stalled} bytes`);
}

Deno.test("answers that nobody took leave nothing behind when their connection vanishes", async () => {
  await using server = await startChild();
  await assertLetsGo(server, () => RawHttp2.open(`127.0.0.1:${server.port}`));
});

Deno.test({ name: "the same over TLS [apt install openssl]", ignore, fn: overTls });

async function overTls(): Promise<void> {
  await using ca = await createTestCa("stalled");
  const { certPem, keyPem } = await ca.issue("localhost", SERVER_EXTENSIONS);
  const folder = await Deno.makeTempDir();
  await Deno.writeTextFile(`${folder}/cert.pem`, certPem);
  await Deno.writeTextFile(`${folder}/key.pem`, keyPem);
  await using server = await startChild(`${folder}/cert.pem`, `${folder}/key.pem`);
  await Deno.remove(folder, { recursive: true });
  const options = { hostname: "localhost", port: server.port, caCerts: [ca.certPem], alpnProtocols: ["h2"] };
  await assertLetsGo(server, async () => await RawHttp2.over(await Deno.connectTls(options)));
}

Deno.test("a connection that has vanished leaves next to nothing behind", async () => {
  await using server = await startChild();
  // So many that what the engine does of its own, some 200 kB on a busy machine, is little beside them.
  const count = 360;
  const left = await growth(server, { times: count / 3, enough: count * 1500 }, async () => {
    using raw = await RawHttp2.open(`127.0.0.1:${server.port}`);
    await raw.waitFor(({ type }) => type === FRAME.settings);
  });
  ok(left / count < 1500, `each of ${count} connections left ${left / count} bytes`);
});

Deno.test("answers that nobody takes are reset past their budget, and others are answered", async () => {
  await using running = await startGuarded({ answerLimits: { totalBytes: 1024 * KIB, peerBytes: 512 * KIB } });
  using raw = await RawHttp2.open(running.address);
  await stall(raw, 100);
  await until(() => raw.received.filter(isCalmed).length >= 69, () => `${raw.received.filter(isCalmed).length} reset`);
  ok(running.server.pendingBytes <= 512 * KIB, `${running.server.pendingBytes} bytes are pending`);
  await running.asks();
  await until(() => running.reasons().includes("answers_over_budget"), () => "nothing was logged");
});

Deno.test("an answer that is larger than the budget is given to whoever takes it", async () => {
  const answerLimits = { totalBytes: 64 * KIB, peerBytes: 64 * KIB };
  await using running = await startGuarded({ answerLimits }, "m".repeat(4_000_000));
  await running.asks();
  await until(() => running.server.pendingBytes === 0, () => `${running.server.pendingBytes} bytes are pending`);
});

Deno.test("an answer that nobody takes in time is reset, and its connection goes on", async () => {
  await using running = await startGuarded({ answerMs: 1000 });
  using raw = await RawHttp2.open(running.address);
  await stall(raw, 1);
  ok(await raw.waitFor(isCalmed));
  equal(running.server.pendingBytes, 0);
  await running.asks();
  ok(!raw.closed);
  await until(() => running.reasons().includes("answer_not_taken"), () => "nothing was logged");
});

Deno.test("what is pending is given back when answers are taken, reset or lost with their connection", async () => {
  await using running = await startGuarded({});
  const raw = await RawHttp2.open(running.address);
  await stall(raw, 10);
  const isAll = () => running.server.pendingBytes === 10 * (17 * KIB + 8);
  await until(isAll, () => `${running.server.pendingBytes} bytes are pending`);
  await raw.send(FRAME.rstStream, 0, 1, Buffer.from([0, 0, 0, 8]));
  await raw.send(FRAME.settings, 0, 0, Buffer.from([0, 4, 0, 0, 8, 16]));
  await until(() => running.server.pendingBytes === 0, () => `${running.server.pendingBytes} bytes are pending`);
  using other = await RawHttp2.open(running.address);
  await stall(other, 10);
  await until(isAll, () => `${running.server.pendingBytes} bytes are pending`);
  other[Symbol.dispose]();
  await until(() => running.server.pendingBytes === 0, () => `${running.server.pendingBytes} bytes are pending`);
  raw[Symbol.dispose]();
});

Deno.test("the raw client of the tests goes away when it is disposed of", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const opening = RawHttp2.open(`127.0.0.1:${(listener.addr as Deno.NetAddr).port}`);
  using accepted = await listener.accept();
  (await opening)[Symbol.dispose]();
  const chunk = new Uint8Array(1024);
  while (await soon(accepted.read(chunk)) !== null);
});
