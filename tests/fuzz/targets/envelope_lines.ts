/**
 * Envelopes as lines of JSON, as `runevault rewrap` reads them: whatever the bytes and however they arrive.
 *
 * @module
 */

import fc from "fast-check";
import { readBatches, toLine } from "../../../cli/envelope_lines.ts";
import { VaultError } from "../../../vault/errors.ts";
import { bulkBytes, mutatedBytes } from "../mutations.ts";
import { assertRefusal, must } from "../refusals.ts";
import { asyncTarget, type FuzzTarget } from "../target.ts";

const encoder = new TextEncoder();
const ENVELOPE = '{"a":"0123456789abcdef0123456789abcdef","c":"AAAA"}';
const line = fc.oneof(
  fc.constantFrom(
    ENVELOPE,
    JSON.stringify(ENVELOPE),
    "",
    "  ",
    "\r",
    `${ENVELOPE}\r`,
    "\ufeff{}",
    "[]",
    "null",
    "{",
    '"',
  ),
  fc.json({ maxDepth: 2 }),
);
const lines = fc.tuple(fc.array(line, { maxLength: 6 }), fc.constantFrom("\n", "\r\n", "\r", "\n\n"))
  .map(([all, end]) => encoder.encode(all.join(end)));
const bytes = fc.oneof(
  { weight: 40, arbitrary: lines },
  { weight: 100, arbitrary: mutatedBytes(lines) },
  { weight: 1, arbitrary: bulkBytes(5000, [[0x0a], [...encoder.encode(`${ENVELOPE}\n`)], [0x7b], [0x22], [0xff]]) },
);

/** Lines of envelopes: the first byte says how many bytes a chunk has. */
export const target: FuzzTarget = asyncTarget(
  "envelope_lines",
  "bytes",
  fc.tuple(fc.constantFrom(0, 1, 3, 64), bytes).map(([size, all]) => Uint8Array.of(size, ...all)),
  check,
);

async function check(input: Uint8Array): Promise<void> {
  const whole = await read(chunks(input.subarray(1), 0));
  const cut = await read(chunks(input.subarray(1), input[0] ?? 0));
  must(whole === cut, "the chunks in which the bytes arrive make a difference");
}

/** Everything that was read, or the refusal. */
async function read(stream: ReadableStream<Uint8Array>): Promise<string> {
  const out: string[] = [];
  try {
    for await (const batch of readBatches(stream)) {
      must(batch.length > 0 && batch.length <= 500, `a batch of ${batch.length}`);
      for (const one of batch) {
        const again = toLine(one.envelope, one);
        must(!one.quoted || JSON.parse(again) === one.envelope, "another text comes back");
        out.push(`${one.line} ${one.quoted} ${one.envelope}`);
      }
    }
  } catch (thrown) {
    assertRefusal(thrown, ["invalid_argument"]);
    must(thrown instanceof VaultError && /^Line \d+ /.test(thrown.message), "the line is not named");
    return thrown.message;
  }
  return out.join("\n");
}

function chunks(bytes: Uint8Array, size: number): ReadableStream<Uint8Array> {
  let at = 0;
  return new ReadableStream({
    pull(controller) {
      if (at >= bytes.length) return controller.close();
      const end = size === 0 ? bytes.length : Math.min(at + size, bytes.length);
      controller.enqueue(bytes.slice(at, end));
      at = end;
    },
  });
}
