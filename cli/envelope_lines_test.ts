import { deepEqual, equal, ok, rejects } from "node:assert/strict";
import { type EnvelopeLine, readBatches, toLine } from "./envelope_lines.ts";

function streamOf(...chunks: (string | Uint8Array)[]): ReadableStream<Uint8Array> {
  return ReadableStream.from(
    chunks.map((chunk) => typeof chunk === "string" ? new TextEncoder().encode(chunk) : chunk),
  );
}

async function batchesOf(...chunks: (string | Uint8Array)[]): Promise<(readonly EnvelopeLine[])[]> {
  return await Array.fromAsync(readBatches(streamOf(...chunks)));
}

Deno.test("readBatches() reads objects and quoted objects, with their line numbers, and skips empty lines", async () => {
  const [batch] = await batchesOf('{"a":"1"}\n\n  \r\n "{\\"a\\":\\"2\\"}"\r\n{"a":"3"}');
  deepEqual(batch, [
    { line: 1, envelope: '{"a":"1"}', quoted: false },
    { line: 4, envelope: '{"a":"2"}', quoted: true },
    { line: 5, envelope: '{"a":"3"}', quoted: false },
  ]);
  deepEqual(batch!.map((line) => toLine(line.envelope, line)), ['{"a":"1"}\n', '"{\\"a\\":\\"2\\"}"\n', '{"a":"3"}\n']);
});

Deno.test("readBatches() gives the same lines wherever the bytes are cut", async () => {
  const bytes = new TextEncoder().encode('{"a":"é🗝"}\n{"b":"ü"}\n');
  const whole = await batchesOf(bytes);
  for (let at = 0; at <= bytes.length; at++) deepEqual(await batchesOf(bytes.slice(0, at), bytes.slice(at)), whole);
});

Deno.test("readBatches() keeps batches small and loses no line between them", async () => {
  const lines = Array.from({ length: 1201 }, (_, i) => `{"n":${i}}\n`).join("");
  const many = await batchesOf(lines);
  deepEqual(many.map((batch) => batch.length), [500, 500, 201]);
  deepEqual(many.flat().map(({ line }) => line), Array.from({ length: 1201 }, (_, i) => i + 1));
  const large = await batchesOf(Array.from({ length: 5 }, () => `{"c":"${"x".repeat(200_000)}"}\n`).join(""));
  deepEqual(large.map((batch) => batch.length), [1, 1, 1, 1, 1]);
});

Deno.test("readBatches() names the line that is no envelope", async () => {
  for (const bad of ["nonsense", "[]", "5", "null", "{", '{"a":1}{"a":2}']) {
    await rejects(batchesOf(`{"a":1}\n${bad}\n`), { kind: "invalid_argument", message: /^Line 2 / }, bad);
  }
  const latin = new Uint8Array([0x22, 0xe9, 0x22, 0x0a]);
  await rejects(batchesOf(latin), { kind: "invalid_argument", message: "Line 1 is not UTF-8" });
});

Deno.test("readBatches() gives up on a line without end", async () => {
  let sent = 0;
  const endless = new ReadableStream<Uint8Array>({
    pull(controller) {
      sent += 1024 * 1024;
      controller.enqueue(new Uint8Array(1024 * 1024).fill(0x78));
    },
  });
  await rejects(Array.fromAsync(readBatches(endless)), { kind: "invalid_argument", message: /longer than 32 MiB/ });
  ok(sent < 40 * 1024 * 1024);
  equal((await batchesOf("")).length, 0);
});
