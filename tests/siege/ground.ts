/**
 * A started server under attack, and the clients whose calls must be answered meanwhile.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { ChannelCredentials, status } from "@grpc/grpc-js";
import { RawHttp2 } from "../../server/grpc/_raw_http2.ts";
import { AdminHttp, sleep, VaultClient } from "../clients.ts";
import { StartedServer, type StartOptions } from "../started_server.ts";
import { must, type Siege } from "./attack.ts";

/** The doors of a server. */
export type Door = "grpc" | "api" | "admin" | "admin_socket" | "metrics";

const PROBE_EVERY_MS = 100;
/** Under an attack a call may be late; a machine with other work has some share in that. */
const PROBE_MS = 20_000;
const WARMING_CALLS = 1000;
/** The runtime collects garbage some seconds after the last call. */
const REST_MS = 2000;
const WAIT_FOR_MEMORY_MS = 90_000;
/** How much more memory may be left to the server than before an attack. The short form has no time for a rest. */
const MEMORY_MARGIN = { long: 1.2, short: 2 };

/** What callers saw while an attack went on. */
export interface Besieged {
  readonly calls: number;
  readonly slowestMs: number;
}

/** One server, one attack. */
export class Ground implements AsyncDisposable {
  readonly server: StartedServer;
  readonly vault: VaultClient;
  readonly admin: AdminHttp;
  readonly token: string;
  readonly #caPem: string | null;
  readonly #margin: number;
  #ended = false;

  private constructor(server: StartedServer, admin: AdminHttp, token: string, caPem: string | null, isLong: boolean) {
    this.server = server;
    this.admin = admin;
    this.token = token;
    this.#caPem = caPem;
    this.#margin = isLong ? MEMORY_MARGIN.long : MEMORY_MARGIN.short;
    this.vault = this.#connect();
  }

  /** Starts a server and issues a token whose calls no window ends. */
  static async start({ isTls, isLong }: Siege, options: StartOptions = {}): Promise<Ground> {
    const args = [...isTls ? ["--tls", "auto"] : [], ...options.args ?? []];
    const server = await StartedServer.start({ ...options, args });
    const admin = AdminHttp.of(server);
    await admin.createRole("besieged", ["get_public_key", "decrypt_metadata"]);
    const token = await admin.issue("besieged", "besieged");
    const caPem = isTls ? await Deno.readTextFile(`${server.dataDir}/tls/ca.pem`) : null;
    return new Ground(server, admin, token, caPem, isLong);
  }

  /** Connects to a door, through TLS where it speaks it. */
  async connect(door: Door): Promise<Deno.Conn> {
    const port = Number(this.server.addresses[door]!.split(":").at(-1));
    if (door === "admin_socket") return await Deno.connect({ transport: "unix", path: this.server.addresses[door]! });
    if (this.#caPem === null || door === "admin" || door === "metrics") {
      return await Deno.connect({ hostname: "127.0.0.1", port });
    }
    const alpnProtocols = [door === "grpc" ? "h2" : "http/1.1"];
    return await Deno.connectTls({ hostname: "localhost", port, caCerts: [this.#caPem], alpnProtocols });
  }

  /** An HTTP/2 conversation on the gRPC port: preface and settings are sent. */
  async converse(): Promise<RawHttp2> {
    return await RawHttp2.over(await this.connect("grpc"));
  }

  /** Makes a valid call; throws unless it is answered. */
  call(): Promise<void> {
    return this.#callOn(this.vault);
  }

  /** The same on a connection of its own. */
  async callAnew(): Promise<void> {
    using vault = this.#connect();
    await this.#callOn(vault);
  }

  #connect(): VaultClient {
    const address = this.server.addresses.grpc!;
    if (this.#caPem === null) return new VaultClient(address);
    const secure = ChannelCredentials.createSsl(Buffer.from(this.#caPem));
    return new VaultClient(`localhost:${address.split(":").at(-1)}`, {}, secure);
  }

  async #callOn(vault: VaultClient): Promise<void> {
    const { code, details } = await vault.manifest(this.token, { deadlineMs: PROBE_MS });
    must(code === status.OK, `a valid call ended with ${status[code]}: ${details}\n${this.#lastLog()}`);
  }

  /** Attacks, with a valid call after the other all the while; throws where one is not answered, or the server ended. */
  async besiege(attack: () => Promise<void>): Promise<Besieged> {
    let [calls, slowestMs, isOver] = [0, 0, false];
    const calling = (async () => {
      while (!isOver || calls < 3) {
        const began = performance.now();
        await this.call();
        calls++;
        slowestMs = Math.max(slowestMs, performance.now() - began);
        await sleep(PROBE_EVERY_MS);
      }
    })();
    await Promise.all([attack().finally(() => isOver = true), calling]);
    must(!this.server.hasEnded, `the server ended\n${this.#lastLog()}`);
    return { calls, slowestMs };
  }

  /** Resident memory, in bytes. */
  resident(): Promise<number> {
    return this.#memory("VmRSS");
  }

  /** The most that was ever resident, in bytes. */
  mostResident(): Promise<number> {
    return this.#memory("VmHWM");
  }

  async #memory(name: "VmRSS" | "VmHWM"): Promise<number> {
    const status = await Deno.readTextFile(`/proc/${this.server.pid}/status`);
    return Number(new RegExp(`${name}:\\s+(\\d+) kB`).exec(status)![1]) * 1024;
  }

  /**
   * The same attack, laid first in a small form and among many calls, so that what it makes the runtime load, compile and
   * reserve is in memory, then in its full one. Resident memory must come back to within 20 % of what it was in between.
   *
   * @param warmth The share that warms up.
   */
  async besiegeTwice(attack: (share: number) => Promise<void>, warmth = 0.2): Promise<string> {
    await this.besiege(() => attack(warmth));
    await crowd(WARMING_CALLS, 10, () => this.call());
    await sleep(REST_MS);
    const before = await this.resident();
    const { calls, slowestMs } = await this.besiege(() => attack(1));
    const peak = await this.resident();
    const after = await this.#calmed(before);
    const mb = (bytes: number) => Math.round(bytes / 1e6);
    const memory = `memory ${mb(before)} MB before, ${mb(peak)} right after, ${mb(after)} in the end`;
    must(after <= before * this.#margin, memory);
    return `${calls} valid calls answered, slowest ${slowestMs.toFixed(0)} ms; ${memory}`;
  }

  /** Waits for memory to come back: the runtime collects garbage some seconds after the last call. */
  async #calmed(before: number): Promise<number> {
    const until = performance.now() + WAIT_FOR_MEMORY_MS;
    let after = await this.resident();
    while (after > before * this.#margin && performance.now() < until) {
      await sleep(500);
      after = await this.resident();
    }
    return after;
  }

  #lastLog(): string {
    return this.server.log.split("\n").slice(-6).join("\n");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    this.vault[Symbol.dispose]();
    this.admin[Symbol.dispose]();
    await this.server.stop();
  }
}

/** Runs something for each of many, a few at a time. */
export async function crowd(total: number, atOnce: number, one: (index: number) => Promise<void>): Promise<void> {
  let next = 0;
  await Promise.all(Array.from({ length: Math.min(atOnce, total) }, async () => {
    for (let index = next++; index < total; index = next++) await one(index);
  }));
}
