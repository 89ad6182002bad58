/**
 * What systemd is to a service: a datagram socket that takes its states (sd_notify(3)).
 *
 * @module
 */

import { sleep } from "./clients.ts";

/** Listens in systemd's place and keeps what it is told. */
export class NotifySocket {
  readonly path: string;
  readonly states: string[] = [];
  readonly #socket: Deno.DatagramConn;
  readonly #reading: Promise<void>;

  /** @param folder A folder of the test's own. */
  constructor(folder: string) {
    this.path = `${folder}/systemd.sock`;
    this.#socket = Deno.listenDatagram({ transport: "unixpacket", path: this.path });
    this.#reading = this.#read();
  }

  /** How often a state was sent so far. */
  count(state: string): number {
    return this.states.filter((one) => one === state).length;
  }

  /** Resolves when a state has been sent that many times; throws after twenty seconds. */
  async saw(state: string, times = 1): Promise<void> {
    for (let waited = 0; this.count(state) < times; waited += 20) {
      if (waited > 20_000) throw new Error(`"${state}" was not sent ${times} times: ${this.states}`);
      await sleep(20);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.close();
    await this.#reading;
  }

  async #read(): Promise<void> {
    for await (const [bytes] of this.#socket) this.states.push(new TextDecoder().decode(bytes));
  }
}
