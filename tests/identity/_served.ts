/**
 * A vault that serves the identity API, and an operator's way to it.
 *
 * @module
 */

import { StartedServer, type StartOptions } from "../started_server.ts";

/** An answer, read. */
export interface Answered {
  readonly status: number;
  // deno-lint-ignore no-explicit-any -- tests look into whatever came
  readonly body: any;
}

/** A started vault whose identity API is called. */
export class ServedApi implements AsyncDisposable {
  readonly server: StartedServer;
  readonly address: string;
  readonly #socket: Deno.HttpClient;

  private constructor(server: StartedServer) {
    this.server = server;
    this.address = `http://${server.addresses.api}`;
    this.#socket = Deno.createHttpClient({ proxy: { transport: "unix", path: server.addresses.admin_socket! } });
  }

  /** Starts a vault. */
  static async start(options: StartOptions = {}): Promise<ServedApi> {
    return new ServedApi(await StartedServer.start(options));
  }

  /** Sends a request with a token, or without one. */
  async call(method: string, path: string, token?: string, body?: unknown): Promise<Answered> {
    const headers = { "x-vault-request": "true", ...(token === undefined ? {} : { "x-vault-token": token }) };
    const sent = body === undefined ? {} : { body: JSON.stringify(body) };
    return await read(await fetch(`${this.address}/v1/${path}`, { method, headers, ...sent }));
  }

  /** Sends a request over the admin socket, with the operator's rights. */
  async operator(method: string, path: string, body?: unknown): Promise<Answered> {
    const sent = body === undefined ? {} : { body: JSON.stringify(body) };
    return await read(await fetch(`http://localhost/v1/${path}`, { method, client: this.#socket, ...sent }));
  }

  /** Makes a root token, as `runevault operator init` does. */
  async rootToken(): Promise<string> {
    const init = { method: "POST", client: this.#socket, body: "{}", headers: { "content-type": "application/json" } };
    const { token } = await (await fetch("http://localhost/root-tokens", init)).json() as { token: string };
    return token;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.close();
    await this.server.stop();
  }
}

async function read(response: Response): Promise<Answered> {
  const text = await response.text();
  return { status: response.status, body: text === "" ? null : JSON.parse(text) };
}
