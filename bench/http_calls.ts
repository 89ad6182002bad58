/**
 * Requests to a server, one after the other over one connection, without a client library in between: one would cost more than
 * what it measures.
 *
 * @module
 */

/** An answer, as far as the measurements need it. */
export interface Answer {
  readonly status: number;
  readonly body: string;
}

/** One connection that stays open. */
export class HttpCalls implements Disposable {
  readonly #connection: Deno.TcpConn;
  readonly #headers: string;
  readonly #buffer = new Uint8Array(65_536);
  readonly #decoder = new TextDecoder();

  private constructor(connection: Deno.TcpConn, headers: Readonly<Record<string, string>>) {
    this.#connection = connection;
    this.#headers = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`).join("");
  }

  /** Connects. @param headers That go with every request. */
  static async open(port: number, headers: Readonly<Record<string, string>>): Promise<HttpCalls> {
    const connection = await Deno.connect({ hostname: "127.0.0.1", port });
    connection.setNoDelay(true);
    return new HttpCalls(connection, headers);
  }

  /** Sends a request, and reads its answer; bodies are ASCII. */
  async ask(method: string, path: string, body = ""): Promise<Answer> {
    const length = body === "" ? "" : `content-length: ${body.length}\r\n`;
    const head = `${method} ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\n${this.#headers}${length}\r\n`;
    const bytes = new TextEncoder().encode(head + body);
    for (let at = 0; at < bytes.length;) at += await this.#connection.write(bytes.subarray(at));
    return await this.#answer();
  }

  async #answer(): Promise<Answer> {
    let text = "";
    for (;;) {
      const read = await this.#connection.read(this.#buffer);
      if (read === null) throw new Error("the server closed the connection");
      text += this.#decoder.decode(this.#buffer.subarray(0, read), { stream: true });
      const headEnd = text.indexOf("\r\n\r\n");
      if (headEnd === -1) continue;
      const length = Number(/\r\ncontent-length: (\d+)/i.exec(text)?.[1] ?? 0);
      const body = text.slice(headEnd + 4);
      if (body.length >= length) return { status: Number(text.slice(9, 12)), body };
    }
  }

  [Symbol.dispose](): void {
    this.#connection.close();
  }
}
