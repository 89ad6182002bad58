/**
 * What breaks HTTP/2's rules (RFC 9113), one conversation each. Whoever sends it may lose the connection, nobody else
 * anything. Only for tests.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { END_HEADERS, END_STREAM, FRAME, type RawHttp2 } from "./_raw_http2.ts";

/** Sends something on a connection whose preface and settings are sent. */
export type Violation = (raw: RawHttp2) => Promise<unknown>;

const PATH = { ":path": "/rune.vault.v1.VaultService/GetAgentManifest" };
const PRIORITY = 2, PUSH_PROMISE = 5;

function setting(id: number, value: number): Buffer {
  const bytes = Buffer.alloc(6);
  bytes.writeUInt16BE(id, 0);
  bytes.writeUInt32BE(value, 2);
  return bytes;
}

function number(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

const MAX_WINDOW = 0x7fffffff;

/** Each with the section that it breaks. */
export const VIOLATIONS: Readonly<Record<string, Violation>> = {
  "§6.9.1 a connection's window past 2^31-1": (raw) => raw.send(FRAME.windowUpdate, 0, 0, number(MAX_WINDOW)),
  "§6.9.1 the same with calls under way": async (raw) => {
    for (let call = 0; call < 20; call++) await raw.sendHeaders(1 + 2 * call, PATH);
    await raw.send(FRAME.windowUpdate, 0, 0, number(MAX_WINDOW));
  },
  "§6.9.1 a stream's window past 2^31-1": async (raw) => {
    await raw.sendHeaders(1, PATH);
    await raw.send(FRAME.windowUpdate, 0, 1, number(MAX_WINDOW));
  },
  "§6.9 a window update of nothing": (raw) => raw.send(FRAME.windowUpdate, 0, 0, number(0)),
  "§6.9 a stream's window update of nothing": async (raw) => {
    await raw.sendHeaders(1, PATH);
    await raw.send(FRAME.windowUpdate, 0, 1, number(0));
  },
  "§6.9 a window update of three bytes": (raw) => raw.send(FRAME.windowUpdate, 0, 0, Buffer.alloc(3)),
  "§6.9.2 a setting that makes windows overflow": async (raw) => {
    await raw.sendHeaders(1, PATH);
    await raw.send(FRAME.windowUpdate, 0, 1, number(MAX_WINDOW - 65_535));
    await raw.send(FRAME.settings, 0, 0, setting(4, MAX_WINDOW));
  },
  "§6.5.2 an initial window past 2^31-1": (raw) => raw.send(FRAME.settings, 0, 0, setting(4, 0x80000000)),
  "§6.5.2 frames of a byte at most": (raw) => raw.send(FRAME.settings, 0, 0, setting(5, 1)),
  "§6.5.2 push that is neither on nor off": (raw) => raw.send(FRAME.settings, 0, 0, setting(2, 2)),
  "§6.5 settings of five bytes": (raw) => raw.send(FRAME.settings, 0, 0, Buffer.alloc(5)),
  "§6.5 settings of a stream": (raw) => raw.send(FRAME.settings, 0, 1, setting(3, 1)),
  "§6.5 a confirmation with contents": (raw) => raw.send(FRAME.settings, 1, 0, setting(3, 1)),
  "§6.7 a ping of seven bytes": (raw) => raw.send(FRAME.ping, 0, 0, Buffer.alloc(7)),
  "§6.7 a stream's ping": (raw) => raw.send(FRAME.ping, 0, 1, Buffer.alloc(8)),
  "§6.8 a goodbye of a stream": (raw) => raw.send(FRAME.goaway, 0, 1, Buffer.alloc(8)),
  "§6.8 a goodbye of four bytes": (raw) => raw.send(FRAME.goaway, 0, 0, Buffer.alloc(4)),
  "§5.1 data of a stream that nobody opened": (raw) => raw.send(FRAME.data, END_STREAM, 5, Buffer.alloc(8)),
  "§5.1 a reset of a stream that nobody opened": (raw) => raw.send(FRAME.rstStream, 0, 7, number(8)),
  "§5.1 data after the end": async (raw) => {
    await raw.sendHeaders(1, PATH, END_HEADERS | END_STREAM);
    await raw.send(FRAME.data, 0, 1, Buffer.alloc(100));
  },
  "§5.1.1 a stream with an even number": (raw) => raw.sendHeaders(2, PATH),
  "§5.1.1 a stream older than the last": async (raw) => {
    await raw.sendHeaders(9, PATH);
    await raw.sendHeaders(3, PATH);
  },
  "§5.3 a stream that hangs on itself": (raw) => raw.send(PRIORITY, 0, 1, Buffer.concat([number(1), Buffer.of(1)])),
  "§6.3 a priority of two bytes": (raw) => raw.send(PRIORITY, 0, 1, Buffer.alloc(2)),
  "§6.4 a reset of the connection": (raw) => raw.send(FRAME.rstStream, 0, 0, number(8)),
  "§6.6 a promise of a client's": (raw) => raw.send(PUSH_PROMISE, END_HEADERS, 1, number(2)),
  "§6.10 a continuation of nothing": (raw) => raw.send(FRAME.continuation, END_HEADERS, 1, Buffer.alloc(4)),
  "§6.10 another frame within headers": async (raw) => {
    await raw.sendHeaders(1, PATH, 0);
    await raw.send(FRAME.ping, 0, 0, Buffer.alloc(8));
  },
  "§6.1 data padded with more than there is": async (raw) => {
    await raw.sendHeaders(1, PATH);
    await raw.send(FRAME.data, 8, 1, Buffer.of(255, 1, 2));
  },
  "§4.2 a frame of 16 MB": (raw) => raw.sendBytes(Buffer.from([0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 1])),
  "§4.3 headers that HPACK does not know": (raw) => raw.send(FRAME.headers, END_HEADERS, 1, Buffer.alloc(40, 0xff)),
  "§8.2 a name in capitals": (raw) => raw.sendHeaders(1, { ...PATH, "X-Upper": "x" }),
  "§8.2.2 a header of the connection": (raw) => raw.sendHeaders(1, { ...PATH, connection: "keep-alive" }),
  "§8.2.1 a value with a line break": (raw) => raw.sendHeaders(1, { ...PATH, "x-split": "a\r\nb: c" }),
  "§8.3 a pseudo-header that nobody knows": (raw) => raw.sendHeaders(1, { ...PATH, ":other": "x" }),
  "§8.3.1 an empty path": (raw) => raw.sendHeaders(1, { ":path": "" }),
  "§8.1.1 another length than was said": async (raw) => {
    await raw.sendHeaders(1, { ...PATH, "content-length": "3" });
    await raw.send(FRAME.data, END_STREAM, 1, Buffer.alloc(100));
  },
  "§8.1 trailers with a path": async (raw) => {
    await raw.sendHeaders(1, PATH);
    await raw.sendHeaders(1, PATH, END_HEADERS | END_STREAM);
  },
  "§5.5 a frame of an unknown type": (raw) => raw.send(0xee, 0xff, 3, Buffer.alloc(100)),
  "no frames at all": (raw) => raw.sendBytes(crypto.getRandomValues(new Uint8Array(4096))),
};
