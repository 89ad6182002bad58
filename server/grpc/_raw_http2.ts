/**
 * An HTTP/2 client (RFC 9113) that sends frames as they are given, valid or not. Only for tests.
 *
 * @module
 */

import { Buffer } from "node:buffer";

/** Frame types, RFC 9113 §6. */
export const FRAME = {
  data: 0,
  headers: 1,
  rstStream: 3,
  settings: 4,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;

export const END_STREAM = 1;
export const ACK = 1;
export const END_HEADERS = 4;

export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly streamId: number;
  readonly payload: Buffer;
}

const PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/** What it needs of a socket. */
export type Connection = Pick<Deno.Conn, "read" | "write" | "close" | "closeWrite">;

/** One connection. Everything received is kept in `received`. */
export class RawHttp2 implements Disposable {
  readonly received: Frame[] = [];
  /** True once the server has closed the connection. */
  closed = false;
  readonly #socket: Connection;
  #pending = Buffer.alloc(0);
  #wake = Promise.withResolvers<void>();

  constructor(socket: Connection) {
    this.#socket = socket;
    this.#read();
  }

  /** Connects and sends preface and settings. */
  static async open(address: string): Promise<RawHttp2> {
    const port = Number(address.split(":").at(-1));
    return await RawHttp2.over(await Deno.connect({ hostname: "127.0.0.1", port }));
  }

  /** The same on a connection that is there, through TLS or not. */
  static async over(socket: Connection): Promise<RawHttp2> {
    const client = new RawHttp2(socket);
    // At once: an acknowledgement of the server's settings, sent in between, would be no preface (RFC 9113, §3.4).
    await client.sendBytes(Buffer.concat([Buffer.from(PREFACE), frameOf(FRAME.settings, 0, 0)]));
    return client;
  }

  async sendBytes(bytes: Uint8Array): Promise<void> {
    for (let sent = 0; sent < bytes.length;) {
      sent += await this.#socket.write(bytes.subarray(sent)).catch(() => bytes.length);
    }
  }

  send(type: number, flags: number, streamId: number, payload: Uint8Array = new Uint8Array()): Promise<void> {
    return this.sendBytes(frameOf(type, flags, streamId, payload));
  }

  /** Sends a request's headers; `extra` replaces or adds, `encoded` follows. Values go out as latin1 bytes. */
  sendHeaders(
    streamId: number,
    extra: Record<string, string>,
    flags = END_HEADERS,
    encoded: Uint8Array = new Uint8Array(),
  ): Promise<void> {
    const pseudo = { ":method": "POST", ":scheme": "http", ":authority": "x", ":path": "/" };
    const fields = Object.entries({ ...pseudo, "content-type": "application/grpc", te: "trailers", ...extra });
    const block = fields.map(([name, value]) => Buffer.concat([Buffer.of(0), text(name), text(value)]));
    return this.send(FRAME.headers, flags, streamId, Buffer.concat([...block, encoded]));
  }

  /** Waits for a frame that fits; undefined when the server closes first or time is up. */
  async waitFor(fits: (frame: Frame) => boolean, timeoutMs = 20_000): Promise<Frame | undefined> {
    const until = Date.now() + timeoutMs;
    while (true) {
      const found = this.received.find(fits);
      const left = until - Date.now();
      if (found !== undefined || this.closed || left <= 0) return found;
      const { promise: late, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(resolve, left);
      await Promise.race([this.#wake.promise, late]);
      clearTimeout(timer);
    }
  }

  /** Goes away. A socket that is being read is not closed by `close()` alone before something comes in. */
  [Symbol.dispose](): void {
    this.#socket.closeWrite().catch(() => {}).then(() => this.#close());
  }

  #close(): void {
    try {
      this.#socket.close();
    } catch {
      // The server may have closed it already.
    }
  }

  async #read(): Promise<void> {
    const chunk = new Uint8Array(65536);
    while (true) {
      const length = await this.#socket.read(chunk).catch(() => null);
      if (length === null) break;
      this.#pending = Buffer.concat([this.#pending, chunk.subarray(0, length)]);
      this.#takeFrames();
      this.#notify();
    }
    this.closed = true;
    this.#close();
    this.#notify();
  }

  #takeFrames(): void {
    while (this.#pending.length >= 9) {
      const length = this.#pending.readUIntBE(0, 3);
      if (this.#pending.length < 9 + length) return;
      const payload = this.#pending.subarray(9, 9 + length);
      const [type, flags, streamId] = [this.#pending[3]!, this.#pending[4]!, this.#pending.readUInt32BE(5)];
      this.received.push({ type, flags, streamId, payload });
      this.#pending = this.#pending.subarray(9 + length);
      if (type === FRAME.settings && flags !== ACK) this.send(FRAME.settings, ACK, 0);
    }
  }

  #notify(): void {
    this.#wake.resolve();
    this.#wake = Promise.withResolvers();
  }
}

/** The bytes of a frame, RFC 9113 §4.1. */
export function frameOf(type: number, flags: number, streamId: number, payload: Uint8Array = new Uint8Array()): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(streamId, 5);
  return Buffer.concat([head, payload]);
}

/** One field of 4,000 bytes, which the server has to remember (RFC 7541, §6.2.1). */
export const REMEMBERED = Buffer.concat([
  Buffer.from([0x40, 2]),
  Buffer.from("xx"),
  Buffer.from([0x7f, 0xa1, 0x1e]),
  Buffer.alloc(4000, "v"),
]);

/** Names it again some times, by a byte each (§6.1). */
export function named(times: number): Buffer {
  return Buffer.alloc(times, 0xbe);
}

/** An HPACK string literal without Huffman coding, RFC 7541 §5.2, with a length of up to 16,383 or so. */
function text(value: string): Buffer {
  const bytes = Buffer.from(value, "latin1");
  if (bytes.length < 127) return Buffer.concat([Buffer.of(bytes.length), bytes]);
  const rest = bytes.length - 127;
  const length = rest < 128 ? [127, rest] : [127, (rest & 127) | 128, rest >> 7];
  return Buffer.concat([Buffer.from(length), bytes]);
}
