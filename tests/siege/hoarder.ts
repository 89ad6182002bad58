/**
 * A stranger who sends a large message but for its last byte, as fast as the server's windows let it (RFC 9113, §5.2).
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { once } from "node:events";
import { connect as connectTcp, type Socket } from "node:net";
import { type Connection, FRAME, type Frame, frameOf, RawHttp2 } from "../../server/grpc/_raw_http2.ts";
import type { Ground } from "./ground.ts";

const PATH = { ":path": "/rune.vault.v1.VaultService/DecryptMetadata" };
/** The largest frame that every server takes. */
const FRAME_BYTES = 16_384;
const FRAMES_AT_ONCE = 64;
const FIRST_WINDOW = 65_535;
const INITIAL_WINDOW_SIZE = 4;
/** Longer than all take together on a machine with other work; who is neither done nor refused then is stuck. */
const SENDING_MS = 120_000;

const FRAMES = Buffer.concat(
  Array.from({ length: FRAMES_AT_ONCE }, () => frameOf(FRAME.data, 0, 1, Buffer.alloc(FRAME_BYTES))),
);

/** What became of a message: all but its last byte is there, the server wanted no more of it, or closed the connection. */
export type Ended = "held" | "refused" | "closed";

/** One of them, on a connection of its own. */
export class Hoarder implements Disposable {
  readonly #raw: RawHttp2;
  readonly #windows = { connection: FIRST_WINDOW, stream: FIRST_WINDOW };
  #isRefused = false;

  private constructor(raw: RawHttp2) {
    this.#raw = raw;
  }

  /** Connects from an address of loopback, and begins a call without a token. */
  static async open(ground: Ground, localAddress: string): Promise<Hoarder> {
    const raw = await RawHttp2.over(await connect(ground, localAddress));
    await raw.sendHeaders(1, PATH);
    return new Hoarder(raw);
  }

  /** Sends a message of a length but for its last byte; throws where it is neither taken nor refused in time. */
  async send(bytes: number): Promise<Ended> {
    const until = performance.now() + SENDING_MS;
    const head = Buffer.alloc(5);
    head.writeUInt32BE(bytes, 1);
    await this.#sendData(frameOf(FRAME.data, 0, 1, head), head.length);
    for (let left = bytes - 1; left > 0;) {
      if (performance.now() > until) throw new Error(`${left} bytes of a message are neither taken nor refused`);
      this.#look();
      if (this.#raw.closed) return "closed";
      if (this.#isRefused) return "refused";
      const sent = await this.#sendSome(left);
      if (sent === 0) await this.#raw.waitFor(() => true, 1000);
      left -= sent;
    }
    return "held";
  }

  /** As many frames as the windows let through; none where they are too small for one. */
  async #sendSome(left: number): Promise<number> {
    const room = Math.min(this.#windows.connection, this.#windows.stream);
    if (left < FRAME_BYTES) {
      return room < left ? 0 : await this.#sendData(frameOf(FRAME.data, 0, 1, Buffer.alloc(left)), left);
    }
    const frames = Math.min(FRAMES_AT_ONCE, Math.floor(Math.min(room, left) / FRAME_BYTES));
    return await this.#sendData(FRAMES.subarray(0, frames * (FRAME_BYTES + 9)), frames * FRAME_BYTES);
  }

  async #sendData(frames: Uint8Array, length: number): Promise<number> {
    this.#windows.connection -= length;
    this.#windows.stream -= length;
    await this.#raw.sendBytes(frames);
    return length;
  }

  /** Takes in what the server said since. */
  #look(): void {
    for (const frame of this.#raw.received.splice(0)) this.#take(frame);
  }

  #take({ type, streamId, payload }: Frame): void {
    if (streamId === 1 && (type === FRAME.headers || type === FRAME.rstStream)) this.#isRefused = true;
    if (type === FRAME.windowUpdate) this.#windows[streamId === 0 ? "connection" : "stream"] += payload.readUInt32BE(0);
    if (type !== FRAME.settings) return;
    for (let at = 0; at < payload.length; at += 6) {
      if (payload.readUInt16BE(at) === INITIAL_WINDOW_SIZE) {
        this.#windows.stream += payload.readUInt32BE(at + 2) - FIRST_WINDOW;
      }
    }
  }

  [Symbol.dispose](): void {
    this.#raw[Symbol.dispose]();
  }
}

/** `Deno.connect` can't choose the address that it comes from. */
async function connect({ server }: Ground, localAddress: string) {
  const port = Number(server.addresses.grpc!.split(":").at(-1));
  const tcp = connectTcp({ host: "127.0.0.1", port, localAddress });
  await once(tcp, "connect");
  tcp.setNoDelay(true);
  return connectionOf(tcp);
}

function connectionOf(socket: Socket): Connection {
  const arrived: Buffer[] = [];
  let wake = Promise.withResolvers<void>();
  let isOver = false;
  const tell = (): void => {
    wake.resolve();
    wake = Promise.withResolvers();
  };
  socket.on("data", (part: Buffer) => (arrived.push(part), tell())).on("error", () => {});
  socket.on("close", () => (isOver = true, tell()));
  return {
    async read(into) {
      while (arrived.length === 0 && !isOver) await wake.promise;
      const part = arrived.shift();
      if (part === undefined) return null;
      into.set(part.subarray(0, into.length));
      if (part.length > into.length) arrived.unshift(part.subarray(into.length));
      return Math.min(part.length, into.length);
    },
    write: (bytes) =>
      new Promise((resolve, reject) => {
        if (isOver) return reject(new Error("closed"));
        socket.once("close", reject);
        socket.write(bytes, (error) => {
          socket.off("close", reject);
          error ? reject(error) : resolve(bytes.length);
        });
      }),
    closeWrite: () => Promise.resolve(),
    close: () => void socket.destroy(),
  };
}
