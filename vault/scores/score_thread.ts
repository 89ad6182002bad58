/**
 * One thread of the score domain, as its owner sees it.
 *
 * @module
 */

import { VaultError } from "../errors.ts";
import type { KeyProgress } from "./key_generation.ts";
import { fromFailure, type FromWorker, type KeysMessage, type Task } from "./worker_messages.ts";

/**
 * Where the thread's code is.
 *
 * The literal is what `deno compile --bundle` looks for: it bundles the file with all that it imports, embeds it, and
 * rewrites this line. A variable in its place, or `import.meta.resolve`, would point at a file that no binary has.
 */
export function scoreWorkerUrl(): string {
  return new URL("./score_worker.ts", import.meta.url).href;
}

interface Pending {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: VaultError) => void;
  readonly onProgress: KeyProgress;
}

/** A worker that runs one task at a time. Once it has crashed it stays dead. */
export class ScoreThread {
  readonly #worker: Worker;
  #pending: Pending | null = null;
  #alive = true;

  constructor(workerUrl: string) {
    this.#worker = new Worker(workerUrl, { type: "module" });
    this.#worker.onmessage = (event: MessageEvent<FromWorker>) => this.#receive(event.data);
    this.#worker.onmessageerror = () => this.#crash("An answer could not be read");
    this.#worker.onerror = (event) => {
      // Otherwise the worker's error ends the whole process.
      event.preventDefault();
      this.#crash(event.message);
    };
  }

  /** False once the worker has crashed or was ended. */
  get alive(): boolean {
    return this.#alive;
  }

  /** Hands over keys for all later tasks. */
  setKeys(message: KeysMessage): void {
    this.#worker.postMessage(message);
  }

  /** Runs a task; the thread must be idle. Rejects with a VaultError, `internal` when the worker crashes. */
  run(task: Task, onProgress: KeyProgress = () => {}): Promise<unknown> {
    if (!this.#alive) throw new TypeError("A task was given to a thread that has ended");
    return new Promise((resolve, reject) => {
      this.#pending = { resolve, reject, onProgress };
      this.#worker.postMessage(task);
    });
  }

  /** Ends the worker at once; a task it was running is refused with `error`. */
  end(error: VaultError): void {
    this.#alive = false;
    this.#worker.terminate();
    this.#settle((pending) => pending.reject(error));
  }

  #receive(message: FromWorker): void {
    if (message.kind === "progress") this.#pending?.onProgress(message.done, message.total);
    else if (message.kind === "done") this.#settle((pending) => pending.resolve(message.value));
    else this.#settle((pending) => pending.reject(fromFailure(message.failure)));
  }

  #crash(cause: string): void {
    this.end(new VaultError("internal", "The score worker ended unexpectedly", { cause }));
  }

  #settle(settle: (pending: Pending) => void): void {
    const pending = this.#pending;
    this.#pending = null;
    if (pending !== null) settle(pending);
  }
}
