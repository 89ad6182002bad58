/**
 * Lines of the trail as syslog messages (RFC 5424): over UDP (RFC 5426), over TCP with their length before them (RFC 6587
 * §3.4.1), or to a unix socket such as /dev/log.
 *
 * @module
 */

import { removeIfThere } from "../../vault/storage/private_files.ts";
import type { LinePlace } from "./line_queue.ts";

/** Facility 13 (log audit), severity 6 (informational). */
const PRIORITY = 13 * 8 + 6;
/** What fits into a datagram of IPv4. */
const MAX_DATAGRAM_BYTES = 65_507;

/** Where syslog listens. */
export type SyslogTarget =
  | { readonly transport: "udp" | "tcp"; readonly hostname: string; readonly port: number }
  | { readonly transport: "unix"; readonly path: string };

/** What every message says of its sender. */
export interface SyslogSender {
  readonly hostname: string;
  readonly pid: number;
  /** A path in a private folder for the sending end of a unix socket. */
  readonly ownPath: string;
}

/** One line as a message. The line's own time is the message's. */
function syslogMessage(line: string, { hostname, pid }: SyslogSender): string {
  const time = /"time":"([0-9T:.Z-]+)"/.exec(line)?.[1] ?? "-";
  return `<${PRIORITY}>1 ${time} ${hostname || "-"} runevault ${pid} audit - ${line}`;
}

/** A place of messages. */
export function syslogPlace(target: SyslogTarget, sender: SyslogSender): LinePlace {
  return target.transport === "tcp" ? new TcpPlace(target, sender) : new DatagramPlace(target, sender);
}

class TcpPlace implements LinePlace {
  readonly #target: { hostname: string; port: number };
  readonly #sender: SyslogSender;
  #connection: Deno.TcpConn | undefined;

  constructor(target: { hostname: string; port: number }, sender: SyslogSender) {
    this.#target = target;
    this.#sender = sender;
  }

  async open(): Promise<void> {
    this.close();
    const { hostname, port } = this.#target;
    const connection = this.#connection = await Deno.connect({ hostname, port });
    connection.setKeepAlive(true);
    this.#watch(connection);
  }

  async send(line: string): Promise<void> {
    const connection = this.#connection;
    if (connection === undefined) throw new Error("the connection was closed");
    const message = new TextEncoder().encode(syslogMessage(line, this.#sender));
    const frame = new Uint8Array([...new TextEncoder().encode(`${message.length} `), ...message]);
    for (let done = 0; done < frame.length;) done += await connection.write(frame.subarray(done));
  }

  close(): void {
    const connection = this.#connection;
    this.#connection = undefined;
    try {
      connection?.close();
    } catch (error) {
      if (!(error instanceof Deno.errors.BadResource)) throw error;
    }
  }

  /** A server that goes away says so by ending what it sends; writes alone would learn of it too late. */
  async #watch(connection: Deno.TcpConn): Promise<void> {
    const buffer = new Uint8Array(512);
    try {
      while (await connection.read(buffer) !== null);
    } catch {
      // Broken is as good as ended.
    }
    if (this.#connection === connection) this.close();
  }
}

class DatagramPlace implements LinePlace {
  readonly #target: SyslogTarget;
  readonly #sender: SyslogSender;
  #socket: Deno.DatagramConn | undefined;

  constructor(target: SyslogTarget, sender: SyslogSender) {
    this.#target = target;
    this.#sender = sender;
  }

  async open(): Promise<void> {
    this.close();
    if (this.#target.transport !== "unix") {
      const hostname = this.#target.hostname.includes(":") ? "::" : "0.0.0.0";
      this.#socket = Deno.listenDatagram({ transport: "udp", hostname, port: 0 });
      return;
    }
    await Deno.stat(this.#target.path);
    await removeIfThere(this.#sender.ownPath);
    this.#socket = Deno.listenDatagram({ transport: "unixpacket", path: this.#sender.ownPath });
  }

  async send(line: string): Promise<void> {
    const message = new TextEncoder().encode(syslogMessage(line, this.#sender)).subarray(0, MAX_DATAGRAM_BYTES);
    await this.#socket!.send(message, this.#address());
  }

  close(): void {
    this.#socket?.close();
    this.#socket = undefined;
  }

  #address(): Deno.Addr {
    const target = this.#target;
    if (target.transport === "unix") return { transport: "unixpacket", path: target.path };
    return { transport: "udp", hostname: target.hostname, port: target.port };
  }
}
