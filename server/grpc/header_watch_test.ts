import { equal, ok } from "node:assert/strict";
import { Buffer } from "node:buffer";
import { connect } from "node:http2";
import { create, toBinary } from "@bufbuild/protobuf";
import { GetAgentManifestRequestSchema } from "../../proto/gen/rune/vault/v1/vault_pb.ts";
import { END_HEADERS, END_STREAM, FRAME, named, RawHttp2, REMEMBERED } from "./_raw_http2.ts";
import { soon } from "../../tests/soon.ts";
import { frame, startAnswering, vault } from "./_test_support.ts";
import { MOST_REFUSED } from "./header_watch.ts";

const { path } = vault.getAgentManifest;
const body = frame(toBinary(GetAgentManifestRequestSchema, create(GetAgentManifestRequestSchema, { token: "evt_a" })));
/** More than the runtime takes of one call. */
const TOO_MANY = 140;

async function start() {
  const refused: Record<string, unknown>[] = [];
  const logger = { log: (_level: string, _event: string, fields = {}) => void refused.push(fields) };
  const running = await startAnswering(() => "fine", { guard: { logger } });
  return { ...running, refused, address: running.server.address };
}

/** Opens streams with too many fields, of 4,000 bytes each, by 150 bytes each. */
async function openRefused(raw: RawHttp2, from: number, streams: number): Promise<void> {
  for (let i = from; i < from + streams && !raw.closed; i++) {
    const block = Buffer.concat([i === 0 ? REMEMBERED : Buffer.alloc(0), named(TOO_MANY)]);
    await raw.sendHeaders(1 + 2 * i, { ":path": path }, END_HEADERS, block);
  }
}

async function openWhole(raw: RawHttp2, index: number): Promise<void> {
  await raw.sendHeaders(1 + 2 * index, { ":path": path });
  await raw.send(FRAME.data, END_STREAM, 1 + 2 * index, body);
}

function isAnswered(raw: RawHttp2, index: number): Promise<boolean> {
  const isEnd = ({ type, flags, streamId }: { type: number; flags: number; streamId: number }) =>
    type === FRAME.headers && (flags & END_STREAM) !== 0 && streamId === 1 + 2 * index;
  return raw.waitFor(isEnd).then((found) => found !== undefined);
}

Deno.test("a connection whose calls the runtime refuses for their headers is ended, and its memory bounded", async () => {
  await using running = await start();
  const before = Deno.memoryUsage().rss;
  for (let connection = 0; connection < 5; connection++) {
    using raw = await RawHttp2.open(running.address);
    await openRefused(raw, 0, 500);
    await raw.waitFor(() => false, 10_000);
    ok(raw.closed, `connection ${connection} was not ended`);
  }
  const grownMb = (Deno.memoryUsage().rss - before) / 1e6;
  ok(grownMb < 250, `${grownMb.toFixed(0)} MB more are resident`);
  using raw = await RawHttp2.open(running.address);
  await openWhole(raw, 0);
  ok(await isAnswered(raw, 0), "others are answered");
  const isLogged = () => running.refused.some((fields) => Number(fields["too_many_headers"]) > 0);
  for (const end = performance.now() + 20_000; !isLogged();) {
    ok(performance.now() < end, "nothing was logged");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
});

Deno.test("a few such calls end no connection, nor do many calls at once or a large message", async () => {
  await using running = await start();
  using raw = await RawHttp2.open(running.address);
  await openRefused(raw, 0, MOST_REFUSED);
  for (let call = 0; call < 500; call++) await openWhole(raw, MOST_REFUSED + call);
  ok(await isAnswered(raw, MOST_REFUSED + 499), "the last of many calls was not answered");
  const large = MOST_REFUSED + 500;
  await raw.sendHeaders(1 + 2 * large, { ":path": path });
  // As much as the first windows take.
  const head = Buffer.from([0, 0, 0, 0xea, 0x60]);
  await raw.send(FRAME.data, 0, 1 + 2 * large, head);
  for (let sent = 0; sent < 3; sent++) await raw.send(FRAME.data, 0, 1 + 2 * large, Buffer.alloc(16_000));
  equal(raw.closed, false);
});

Deno.test("calls whose headers come in one read and whose messages in the next end no connection", async () => {
  await using running = await start();
  const session = connect(`http://${running.address}`);
  session.on("error", () => {});
  const headers = { ":path": path, ":method": "POST", "content-type": "application/grpc" };
  const open = () => {
    const stream = session.request(headers);
    stream.on("error", () => {});
    stream.end(body);
    return soon(new Promise((resolve) => stream.once("response", resolve)));
  };
  for (let round = 0; round < 20; round++) await Promise.all(Array.from({ length: 50 }, open));
  equal(session.closed, false);
  session.destroy();
});
