/**
 * One HTTP/2 connection of the load generator (RFC 9113), with just enough of the protocol for unary gRPC calls.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { frameOf } from "../server/grpc/_raw_http2.ts";
import type { LoadPlan } from "./grpc_load.ts";

const DATA = 0, HEADERS = 1, RST_STREAM = 3, SETTINGS = 4, PING = 6, GOAWAY = 7, WINDOW_UPDATE = 8;
const ACK = 1, END_STREAM = 1, END_HEADERS = 4;
const MAX_WINDOW = 0x7fffffff;
const INITIAL_WINDOW = 65535;
/** A server may refuse longer frames, and this program does not split a request. */
const MAX_FRAME_BYTES = 16384;

/** Keeps `inFlight` calls running; each that ends is replaced by the next. */
export class LoadConnection {
  latenciesMs: number[] = [];
  failures = 0;
  readonly #socket: Deno.Conn;
  readonly #plan: LoadPlan;
  readonly #request: Buffer;
  readonly #responseBytes: number;
  readonly #startedAt = new Map<number, number>();
  readonly #received = new Map<number, number>();
  #nextStream = 1;
  /** Bytes received since the server last got window for them. */
  #windowUsed = 0;
  /** Bytes the server is willing to take. */
  #sendWindow = INITIAL_WINDOW;
  /** Calls to start as soon as the server's window allows. */
  #due: number;
  #closing = false;

  private constructor(socket: Deno.Conn, plan: LoadPlan, request: Buffer, responseBytes: number) {
    this.#socket = socket;
    this.#plan = plan;
    this.#due = plan.inFlight;
    const framed = grpcFrame(request);
    if (framed.length > MAX_FRAME_BYTES) throw new RangeError(`The request has more than ${MAX_FRAME_BYTES} bytes`);
    this.#request = frameOf(DATA, END_STREAM, 0, framed);
    this.#responseBytes = responseBytes + 5;
  }

  static async open(plan: LoadPlan, request: Buffer, responseBytes: number): Promise<LoadConnection> {
    const colon = plan.address.lastIndexOf(":");
    const hostname = plan.address.slice(0, colon).replace(/^\[|\]$/g, "");
    const socket = await Deno.connect({ hostname, port: Number(plan.address.slice(colon + 1)) });
    socket.setNoDelay(true);
    return new LoadConnection(socket, plan, request, responseBytes);
  }

  /** Calls until {@link close}. Rejects when the server ends the connection before. */
  async run(): Promise<void> {
    await this.#write(Buffer.concat([preface(), ...this.#startCalls()]));
    const chunk = new Uint8Array(256 * 1024);
    let rest = Buffer.alloc(0);
    while (!this.#closing) {
      const length = await this.#socket.read(chunk).catch(() => null);
      if (length === null) break;
      const bytes = rest.length === 0
        ? Buffer.from(chunk.buffer, 0, length)
        : Buffer.concat([rest, chunk.subarray(0, length)]);
      const { taken, replies } = this.#takeFrames(bytes);
      rest = Buffer.from(bytes.subarray(taken));
      if (replies.length > 0) await this.#write(Buffer.concat(replies));
    }
    if (!this.#closing) throw new Error("the server closed the connection");
  }

  /** Drops what was measured so far. */
  forget(): void {
    this.latenciesMs = [];
    this.failures = 0;
  }

  close(): void {
    this.#closing = true;
    this.#socket.close();
  }

  async #write(bytes: Uint8Array): Promise<void> {
    for (let sent = 0; sent < bytes.length && !this.#closing;) {
      sent += await this.#socket.write(bytes.subarray(sent)).catch(() => bytes.length);
    }
  }

  #startCalls(): Buffer[] {
    const calls: Buffer[] = [];
    const bytes = this.#request.length - 9;
    for (; this.#due > 0 && this.#sendWindow >= bytes; this.#due--) {
      this.#sendWindow -= bytes;
      calls.push(this.#newCall());
    }
    return calls;
  }

  #newCall(): Buffer {
    const streamId = this.#nextStream;
    this.#nextStream += 2;
    this.#startedAt.set(streamId, performance.now());
    const headerBlock = streamId === 1 ? firstHeaderBlock(this.#plan) : HEADER_BLOCK;
    const data = Buffer.from(this.#request);
    data.writeUInt32BE(streamId, 5);
    return Buffer.concat([frameOf(HEADERS, END_HEADERS, streamId, headerBlock), data]);
  }

  #takeFrames(bytes: Buffer): { taken: number; replies: Buffer[] } {
    const replies: Buffer[] = [];
    let at = 0;
    while (bytes.length - at >= 9) {
      const length = bytes.readUIntBE(at, 3);
      if (bytes.length - at < 9 + length) break;
      const reply = this.#take(
        bytes[at + 3]!,
        bytes[at + 4]!,
        bytes.readUInt32BE(at + 5),
        length,
        bytes.subarray(at + 9),
      );
      if (reply !== undefined) replies.push(reply);
      at += 9 + length;
    }
    if (this.#windowUsed > 1 << 20) replies.push(this.#giveWindowBack());
    replies.push(...this.#startCalls());
    return { taken: at, replies };
  }

  /** Takes one frame in and returns what is to be sent because of it. */
  #take(type: number, flags: number, streamId: number, length: number, payload: Buffer): Buffer | undefined {
    switch (type) {
      case DATA:
        this.#windowUsed += length;
        this.#received.set(streamId, (this.#received.get(streamId) ?? 0) + length);
        if ((flags & END_STREAM) !== 0) this.#endCall(streamId);
        return undefined;
      case HEADERS:
        if ((flags & END_STREAM) !== 0) this.#endCall(streamId);
        return undefined;
      case RST_STREAM:
        this.#endCall(streamId);
        return undefined;
      case WINDOW_UPDATE:
        if (streamId === 0) this.#sendWindow += payload.readUInt32BE(0);
        return undefined;
      case SETTINGS:
        return flags === ACK ? undefined : frameOf(SETTINGS, ACK, 0);
      case PING:
        return flags === ACK ? undefined : frameOf(PING, ACK, 0, payload.subarray(0, 8));
      case GOAWAY:
        throw new Error("the server said goodbye");
    }
  }

  #endCall(streamId: number): void {
    const startedAt = this.#startedAt.get(streamId);
    if (startedAt === undefined) return;
    this.latenciesMs.push(performance.now() - startedAt);
    if (this.#received.get(streamId) !== this.#responseBytes) this.failures++;
    this.#startedAt.delete(streamId);
    this.#received.delete(streamId);
    this.#due++;
  }

  #giveWindowBack(): Buffer {
    const used = this.#windowUsed;
    this.#windowUsed = 0;
    return windowUpdate(used);
  }
}

/** Preface, a stream window that never fills, and a connection window that seldom does. */
function preface(): Buffer {
  const initialWindowSize = Buffer.from([0, 4, 0x7f, 0xff, 0xff, 0xff]);
  const opening = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
  return Buffer.concat([
    opening,
    frameOf(SETTINGS, 0, 0, initialWindowSize),
    windowUpdate(MAX_WINDOW - INITIAL_WINDOW),
  ]);
}

function windowUpdate(bytes: number): Buffer {
  const payload = Buffer.alloc(4);
  payload.writeUInt32BE(bytes, 0);
  return frameOf(WINDOW_UPDATE, 0, 0, payload);
}

/**
 * RFC 7541: the first call adds four fields to the connection's table, newest first at 62; later calls name them. So
 * does every real client, and the server spends no more on a header block than with one.
 */
function firstHeaderBlock(plan: LoadPlan): Buffer {
  const added = [[":path", plan.path], [":authority", plan.address], ["content-type", "application/grpc"], [
    "te",
    "trailers",
  ]];
  const fields = added.map(([name, value]) => Buffer.concat([Buffer.of(0x40), literal(name!), literal(value!)]));
  return Buffer.concat([METHOD_AND_SCHEME, ...fields]);
}

/** `:method: POST` and `:scheme: http` from the static table. */
const METHOD_AND_SCHEME = Buffer.of(0x83, 0x86);
const HEADER_BLOCK = Buffer.concat([METHOD_AND_SCHEME, Buffer.of(0x80 | 65, 0x80 | 64, 0x80 | 63, 0x80 | 62)]);

function literal(text: string): Buffer {
  const bytes = Buffer.from(text);
  if (bytes.length > 126) throw new RangeError(`"${text}" is too long`);
  return Buffer.concat([Buffer.of(bytes.length), bytes]);
}

function grpcFrame(message: Buffer): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}
