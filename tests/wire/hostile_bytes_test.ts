/**
 * Whatever comes in on the gRPC port, the server answers with the right status and goes on.
 *
 * @module
 */

import { equal, match, ok } from "node:assert/strict";
import { Buffer } from "node:buffer";
import { create, toBinary } from "@bufbuild/protobuf";
import { status } from "@grpc/grpc-js";
import { DecryptMetadataRequestSchema } from "../../proto/gen/rune/vault/v1/vault_pb.ts";
import { END_STREAM, FRAME, RawHttp2 } from "../../server/grpc/_raw_http2.ts";
import { frame, rawClient, rawRequest, statusOf } from "../../server/grpc/_test_support.ts";
import { sharedServer } from "./_shared_server.ts";

let token = "";
const shared = sharedServer({}, async ({ admin }) => {
  await admin.createRole("busy", ["get_public_key", "decrypt_metadata", "decrypt_scores"]);
  token = await admin.issue("alice", "busy");
});

const PATH = "/rune.vault.v1.VaultService/DecryptMetadata";
const MIB = 1024 * 1024;

async function assertStillServes(): Promise<void> {
  const { code, details } = await shared().vault.manifest(token);
  equal(code, status.OK, details);
}

/** A request's bytes: the token, then one envelope of these bytes. */
function request(envelope: Uint8Array): Buffer {
  const head = toBinary(DecryptMetadataRequestSchema, create(DecryptMetadataRequestSchema, { token }));
  return Buffer.concat([head, Buffer.of(0x12, envelope.length), envelope]);
}

Deno.test("bytes that are no request get a status that says so, and nothing of the server's inside", async () => {
  using raw = rawClient(shared().server.addresses.grpc!);
  const good = request(Buffer.from("{}"));
  const messages: Record<string, Uint8Array> = {
    "a field cut short": good.subarray(0, -1),
    "a length far past the end": Buffer.of(0x0a, 0xff, 0xff, 0xff, 0xff, 0x07, 0x61),
    "a varint without end": Buffer.alloc(16, 0xff),
    "an unknown wire type": Buffer.of(0x0f, 1, 2),
    "field number 0": Buffer.of(0x02, 1, 0x61),
    "groups that never end": Buffer.alloc(100_000, 0x13),
    "a token that is not UTF-8": Buffer.of(0x0a, 4, 0x65, 0xff, 0xfe, 0x74),
    "an envelope that is not UTF-8": request(Buffer.of(0xff, 0xfe)),
    "half a surrogate pair in CESU-8": request(Buffer.of(0xed, 0xa0, 0x80)),
    "random bytes": crypto.getRandomValues(new Uint8Array(4096)),
  };
  for (const [what, message] of Object.entries(messages)) {
    const answer = await rawRequest(raw.session, { ":path": PATH }, frame(message));
    const code = statusOf(answer);
    ok([status.INTERNAL, status.INVALID_ARGUMENT, status.UNAUTHENTICATED].includes(code), `${what}: ${code}`);
    const text = decodeURIComponent(String(answer.trailers["grpc-message"] ?? answer.headers["grpc-message"]));
    ok(!text.includes("/") && !text.includes(".ts") && !text.includes(token), `${what}: ${text}`);
  }
  await assertStillServes();
});

Deno.test("frames that lie about their length end with a status", async () => {
  using raw = rawClient(shared().server.addresses.grpc!);
  const good = request(Buffer.from("{}"));
  const bodies: Record<string, Uint8Array> = {
    "no frame at all": new Uint8Array(),
    "half a frame's head": Buffer.of(0, 0, 0),
    "a body cut short": frame(good, { length: good.length + 100 }),
    "two messages": Buffer.concat([frame(good), frame(good)]),
    "more behind the message": Buffer.concat([frame(good), Buffer.of(1, 2, 3)]),
  };
  for (const [what, body] of Object.entries(bodies)) {
    const code = statusOf(await rawRequest(raw.session, { ":path": PATH }, body));
    ok(Number.isInteger(code) && code !== status.OK, `${what}: ${code}`);
  }
  const announced = frame(good, { length: 256 * MIB + 1 });
  equal(statusOf(await rawRequest(raw.session, { ":path": PATH }, announced)), status.RESOURCE_EXHAUSTED);
  await assertStillServes();
});

Deno.test("requests that are no gRPC end, each in its way, and end nothing else", async () => {
  const { server } = shared();
  using raw = rawClient(server.addresses.grpc!);
  const unknown = await rawRequest(raw.session, { ":path": "/rune.vault.v1.VaultService/Nothing" }, frame(Buffer.of()));
  equal(statusOf(unknown), status.UNIMPLEMENTED);
  const html = await rawRequest(raw.session, { ":path": PATH, "content-type": "text/html" });
  equal(html.body.length, 0);
  equal(html.headers["grpc-status"] ?? html.trailers["grpc-status"], undefined);
  const port = Number(server.addresses.grpc!.split(":").at(-1));
  for (const text of ["GET / HTTP/1.1\r\nhost: x\r\n\r\n", "\u0016\u0003\u0001\u0002", "\u0000".repeat(65_536)]) {
    using socket = await Deno.connect({ hostname: "127.0.0.1", port });
    await socket.write(new TextEncoder().encode(text));
    await socket.closeWrite();
    await socket.read(new Uint8Array(1024)).catch(() => null);
  }
  await assertStillServes();
});

Deno.test("conversations that break off in the middle leave the others alone", async () => {
  const { server } = shared();
  const body = frame(request(Buffer.from("{}")));
  for (let i = 0; i < 60; i++) {
    using raw = await RawHttp2.open(server.addresses.grpc!);
    await raw.sendHeaders(1, { ":path": PATH });
    if (i % 2 === 0) await raw.send(FRAME.data, i % 4 === 0 ? END_STREAM : 0, 1, body.subarray(0, 1 + i));
    if (i % 3 === 0) await raw.send(FRAME.rstStream, 0, 1, Buffer.from([0, 0, 0, 8]));
    if (i % 5 === 0) await raw.send(FRAME.goaway, 0, 0, Buffer.alloc(8));
  }
  await assertStillServes();
});

Deno.test("100,000 envelopes in one call open in order, and hold nobody up meanwhile", async () => {
  const { vault } = shared();
  const texts = Array.from({ length: 100_000 }, (_, i) => `text ${i}`);
  const envelopes = (await vault.seal(token, texts)).message!.envelopes;
  equal(envelopes.length, texts.length);
  let done = false;
  const opened = vault.open(token, envelopes).finally(() => done = true);
  let [worst, calls] = [0, 0];
  while (!done) {
    const began = performance.now();
    await assertStillServes();
    [worst, calls] = [Math.max(worst, performance.now() - began), calls + 1];
  }
  const { message } = await opened;
  ok(message?.decryptedMetadata.every((text, i) => text === texts[i]));
  equal(message?.decryptedMetadata.length, texts.length);
  // Reading and writing a message of 16 MB is one step; what is measured is that the work in between is not.
  ok(calls > 10, `${calls} calls were answered meanwhile, the slowest in ${worst} ms`);
  envelopes[99_999] = "{}";
  const { code, details } = await vault.open(token, envelopes);
  equal(code, status.INVALID_ARGUMENT);
  match(details, /\b99999\b/);
});

Deno.test("who goes away in the middle of a batch has it stopped", async () => {
  const { vault, admin, server } = shared();
  await admin.createRole("batches", ["decrypt_metadata"]);
  const busy = await admin.issue("batches", "batches");
  const texts = Array.from({ length: 200_000 }, (_, i) => `text ${i}`);
  const began = performance.now();
  await vault.seal(busy, texts);
  const wholeMs = performance.now() - began;
  const failures = async () => {
    const text = await (await fetch(`http://${server.addresses.metrics}/metrics`)).text();
    return /vault_requests_total\{method="seal_metadata",endpoint="grpc",status="error",user="batches"\} 1/.test(text);
  };
  const controller = new AbortController();
  const cancelled = vault.seal(busy, texts, { signal: controller.signal });
  setTimeout(() => controller.abort(), wholeMs * 0.4);
  equal((await cancelled).code, status.CANCELLED);
  const until = performance.now() + wholeMs;
  while (!await failures()) ok(performance.now() < until, "the batch was not stopped");
});

Deno.test("an envelope of 100 MiB is sealed and opened", async () => {
  const { vault } = shared();
  const text = "y".repeat(70 * MIB);
  const { message } = await vault.seal(token, [text], { deadlineMs: 60_000 });
  const [envelope] = message!.envelopes;
  ok(envelope!.length > 90 * MIB);
  const opened = await vault.open(token, [envelope!], { deadlineMs: 60_000 });
  ok(opened.message?.decryptedMetadata[0] === text, opened.details);
  await assertStillServes();
});
