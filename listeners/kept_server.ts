/**
 * A `Deno.serve` that comes back. When the process runs out of file descriptors, accepting fails and the server ends
 * itself: without this, whoever opens enough idle connections would switch it off for good.
 *
 * @module
 */

import type { Logger, LogLevel } from "../vault/ports.ts";

const FIRST_WAIT_MS = 50;
const LONGEST_WAIT_MS = 1000;

/** Opens the listener; called again after a failure. */
export type OpenServer<A extends Deno.Addr> = (signal: AbortSignal) => Deno.HttpServer<A>;

/** Keeps a server open until {@link KeptServer.shutdown}. */
export class KeptServer<A extends Deno.Addr> {
  readonly #open: OpenServer<A>;
  readonly #logger: Logger;
  readonly #name: string;
  #server: Deno.HttpServer<A> | null = null;
  #abort = new AbortController();
  #isStopping = false;
  #wake: () => void = () => {};
  #watching: Promise<void> = Promise.resolve();

  /** @param name What the log calls this listener. */
  constructor(open: OpenServer<A>, logger: Logger, name = "http") {
    this.#open = open;
    this.#logger = logger;
    this.#name = name;
  }

  /** Opens the listener for the first time; what makes that impossible is thrown. */
  start(): A {
    const server = this.#serve();
    this.#watching = this.#watch(server);
    return server.addr;
  }

  /**
   * Accepts no more connections and waits for the calls in flight, `graceMs` at most; those that take longer end with
   * the process. Never rejects.
   */
  async shutdown(graceMs: number): Promise<void> {
    this.#isStopping = true;
    this.#wake();
    const stopped = Promise.all([this.#server?.shutdown(), this.#watching]);
    let timer: ReturnType<typeof setTimeout> | undefined;
    const grace = new Promise<"late">((resolve) => timer = setTimeout(() => resolve("late"), graceMs));
    if (await Promise.race([stopped, grace]) === "late") this.#log("warn", "calls_cut", { grace_ms: graceMs });
    clearTimeout(timer);
  }

  #serve(): Deno.HttpServer<A> {
    this.#abort = new AbortController();
    return this.#server = this.#open(this.#abort.signal);
  }

  async #watch(first: Deno.HttpServer<A>): Promise<void> {
    for (let server: Deno.HttpServer<A> | null = first; server !== null;) {
      const failure = await failureOf(server);
      if (failure === null || this.#isStopping) return;
      this.#server = null;
      this.#log("error", "listener_failed", { reason: messageOf(failure) });
      this.#abort.abort();
      server = await this.#reopen();
    }
  }

  /** Tries until it works; null when stopped meanwhile. */
  async #reopen(): Promise<Deno.HttpServer<A> | null> {
    for (let waitMs = FIRST_WAIT_MS; !this.#isStopping; waitMs = Math.min(waitMs * 2, LONGEST_WAIT_MS)) {
      await this.#pause(waitMs);
      const server = this.#isStopping ? null : this.#tryServe();
      if (server !== null) return server;
    }
    return null;
  }

  #tryServe(): Deno.HttpServer<A> | null {
    try {
      const server = this.#serve();
      this.#log("info", "listener_restored");
      return server;
    } catch (error) {
      this.#log("debug", "listener_not_yet_restored", { reason: messageOf(error) });
      return null;
    }
  }

  #log(level: LogLevel, event: string, fields: Readonly<Record<string, unknown>> = {}): void {
    this.#logger.log(level, event, { listener: this.#name, ...fields });
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

async function failureOf(server: Deno.HttpServer<Deno.Addr>): Promise<unknown> {
  try {
    await server.finished;
    return null;
  } catch (error) {
    return error ?? new Error("The listener ended");
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
