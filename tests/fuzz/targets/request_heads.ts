/**
 * Heads of HTTP/1 requests, as the relay follows them before anybody else reads them: the same whole and in pieces.
 *
 * @module
 */

import fc from "fast-check";
import { HeadWatch } from "../../../listeners/head_watch.ts";
import { anyText, bulkBytes, mutatedBytes } from "../mutations.ts";
import { must } from "../refusals.ts";
import { type FuzzTarget, syncTarget } from "../target.ts";

const HEADS = [
  "GET /v1/sys/health HTTP/1.1\r\nhost: vault.test\r\naccept: */*\r\n\r\n",
  "POST / HTTP/1.0\nhost: a\ncontent-length: 2\n\n{}",
  "\r\n\r\nGET / HTTP/1.1\r\nhost: a\r\nx:\r\n\r\nGET / HTTP/1.1\r\n\r\n",
  "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
  "PRINT / HTTP/1.1\r\n\r\n",
  "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n0\r\n\r\n",
  "POST / HTTP/1.1\r\ntransfer-encoding:chunked\r\n\r\n0\r\n\r\n",
].map((text) => new TextEncoder().encode(text));

/** Heads. */
export const target: FuzzTarget = syncTarget(
  "request_heads",
  "bytes",
  fc.oneof(
    { weight: 100, arbitrary: mutatedBytes(fc.constantFrom(...HEADS)) },
    { weight: 20, arbitrary: anyText(60, ["\r\n", "\n", "\r", "PRI ", "GET /", ": "]).map(toBytes) },
    { weight: 1, arbitrary: bulkBytes(20_000, [[13, 10], [10], [13], [0x50, 0x52, 0x49, 0x20]]) },
  ),
  check,
);

function toBytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function check(bytes: Uint8Array): void {
  const whole = new HeadWatch().hear(bytes);
  const inPieces = new HeadWatch();
  let last = "incomplete";
  for (let at = 0, length = 1; at < bytes.length && last === "incomplete"; at += length, length = length % 7 + 1) {
    last = inPieces.hear(bytes.subarray(at, at + length));
  }
  must(last === whole, `${whole} in one piece, ${last} in several`);
  must(whole === expected(bytes), `${whole}, expected ${expected(bytes)}`);
}

/** RFC 9112 §2.2 and RFC 9113 §3.4 once more, by regular expressions. */
function expected(bytes: Uint8Array): string {
  const text = Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
  if (text.startsWith("PRI ")) return "refused";
  const head = /^\n*([^\n]+\n(?:[^\n]+\n)*)\n/.exec(text.replaceAll("\r", ""))?.[1];
  if (head === undefined) return "incomplete";
  const lines = head.split("\n").slice(1).map((line) => line.slice(0, 50).toLowerCase());
  return isClear(lines) ? "complete" : "ambiguous";
}

/** RFC 9112 §3.2 and §6.1: one host at most, one coding, and no length beside it. */
function isClear(lines: readonly string[]): boolean {
  const named = (name: string) => lines.filter((line) => line.startsWith(`${name}:`));
  const codings = named("transfer-encoding");
  if (named("host").length > 1 || codings.length > 1) return false;
  if (codings.length === 0) return true;
  return codings[0]!.slice("transfer-encoding:".length).trim() === "chunked" && named("content-length").length === 0;
}
