import { equal, ok } from "node:assert/strict";
import { Buffer } from "node:buffer";
import { create, toBinary } from "@bufbuild/protobuf";
import { GetAgentManifestRequestSchema } from "../../proto/gen/rune/vault/v1/vault_pb.ts";
import { END_STREAM, FRAME, RawHttp2 } from "./_raw_http2.ts";
import { soon } from "../../tests/soon.ts";
import { call, frame, rawClient, vault } from "./_test_support.ts";

const request = create(GetAgentManifestRequestSchema, { token: "evt_a" });
const body = frame(toBinary(GetAgentManifestRequestSchema, request));
const path = vault.getAgentManifest.path;

/** A server in a process of its own, as what is looked for here ends the whole process. */
async function startProcess() {
  const program = new URL("../../bench/bare_grpc.ts", import.meta.url).pathname;
  const args = ["run", "--allow-all", "--no-check", program];
  const child = new Deno.Command(Deno.execPath(), { args, stdin: "null", stdout: "piped", stderr: "null" }).spawn();
  const lines = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const { port } = JSON.parse((await soon(lines.read())).value ?? "");
  await lines.cancel();
  let hasEnded = false;
  child.status.then(() => hasEnded = true);
  const stop = async () => {
    if (!hasEnded) child.kill("SIGTERM");
    await child.status;
  };
  return { address: `127.0.0.1:${port}`, hasEnded: () => hasEnded, [Symbol.asyncDispose]: stop };
}

/** Goes away in the middle of a call. In which way depends on `index`. */
async function breakOff(address: string, index: number): Promise<void> {
  using raw = await RawHttp2.open(address);
  await raw.sendHeaders(1, { ":path": path });
  if (index % 2 === 0) await raw.send(FRAME.data, END_STREAM, 1, body);
  if (index % 3 !== 0) await raw.send(FRAME.rstStream, 0, 1, Buffer.from([0, 0, 0, 8]));
  await sleep(index % 5 * 20);
  if (index % 4 !== 0) await raw.send(FRAME.goaway, 0, 0, Buffer.alloc(8));
}

/** Calls a while, rests, and says goodbye, resetting its finished calls or not. */
async function sayGoodbye(address: string, index: number): Promise<void> {
  const { session } = rawClient(address);
  for (let calls = 0; calls < 13 && !session.destroyed; calls++) {
    const stream = session.request({ ":path": path, ":method": "POST", "content-type": "application/grpc" });
    stream.on("error", () => {}).resume().end(body);
    await new Promise((resolve) => stream.once("close", resolve));
    if (index % 3 === 0) stream.close(8);
  }
  await sleep(100);
  if (!session.destroyed) session.goaway(0, 0);
  await sleep(20);
  session.destroy();
}

function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

async function assertOutlives(conversations: number, converse: (address: string, index: number) => Promise<void>) {
  await using server = await startProcess();
  const atOnce = 20;
  for (let index = 0; index < conversations; index += atOnce) {
    await soon(Promise.all(Array.from({ length: atOnce }, (_, offset) => converse(server.address, index + offset))));
    ok(!server.hasEnded(), `the server ended within ${index + atOnce} conversations`);
  }
  const { message } = await call(server.address, vault.getAgentManifest, request);
  equal(message?.manifestJson.length, 1024);
}

Deno.test("the server outlives clients that break off in the middle of a call", async () => {
  await assertOutlives(200, breakOff);
});

// Deno 2.9.5 and later abort at the first of these (denoland/deno issue 36788). No JavaScript can catch that, so any
// client could end the vault: the pinned Deno may move up on the day when a newer one passes this.
Deno.test("the server outlives clients that rest after some calls and say goodbye", async () => {
  await assertOutlives(100, sayGoodbye);
});
