/**
 * Hashing passwords in threads of their own.
 *
 * @module
 */

import { VaultError } from "../errors.ts";
import type { RandomSource } from "../ports.ts";
import type { PasswordAnswer, PasswordTask } from "./password_worker.ts";

/** Hashes and verifies passwords. */
export interface PasswordHasher {
  /** A new hash, in PHC form. */
  hash(password: string): Promise<string>;
  /** Whether a password fits a hash. */
  verify(password: string, hash: string): Promise<boolean>;
  /** Lets go of the threads. */
  close(): void;
}

/** Bytes of a hash's salt. */
export const SALT_BYTES = 16;
/** On two cores some five seconds of hashing natively, a minute of it in WebAssembly. */
export const MAX_WAITING = 500;

type Unnumbered<T> = T extends { readonly id: number } ? Omit<T, "id"> : never;

interface Job {
  readonly task: PasswordTask;
  resolve(result: string | boolean): void;
  reject(error: VaultError): void;
}

/** Threads that are started when they are needed. */
export class PasswordPool implements PasswordHasher {
  readonly #random: RandomSource;
  readonly #size: number;
  readonly #idle: Worker[] = [];
  readonly #busy = new Map<Worker, Job>();
  readonly #waiting: Job[] = [];
  #lastId = 0;
  #isClosed = false;

  /** @param size Threads at most. */
  constructor(random: RandomSource, size: number) {
    this.#random = random;
    this.#size = size;
  }

  async hash(password: string): Promise<string> {
    return await this.#ask({ password, salt: this.#random.bytes(SALT_BYTES) }) as string;
  }

  async verify(password: string, hash: string): Promise<boolean> {
    return await this.#ask({ password, hash }) as boolean;
  }

  close(): void {
    this.#isClosed = true;
    for (const worker of [...this.#idle, ...this.#busy.keys()]) worker.terminate();
    const left = [...this.#busy.values(), ...this.#waiting.splice(0)];
    this.#busy.clear();
    for (const job of left) job.reject(stopping());
  }

  #ask(task: Unnumbered<PasswordTask>): Promise<string | boolean> {
    if (this.#isClosed) return Promise.reject(stopping());
    if (this.#waiting.length >= MAX_WAITING) return Promise.reject(tooMany());
    return new Promise((resolve, reject) => {
      this.#waiting.push({ task: { ...task, id: ++this.#lastId } as PasswordTask, resolve, reject });
      this.#next();
    });
  }

  #next(): void {
    if (this.#waiting.length === 0) return;
    const worker = this.#idle.pop() ?? (this.#busy.size < this.#size ? this.#start() : undefined);
    if (worker === undefined) return;
    const job = this.#waiting.shift()!;
    this.#busy.set(worker, job);
    worker.postMessage(job.task);
  }

  #start(): Worker {
    const worker = new Worker(new URL("./password_worker.ts", import.meta.url).href, { type: "module" });
    worker.onmessage = ({ data }: MessageEvent<PasswordAnswer>) => this.#settle(worker, data);
    worker.onerror = (event) => {
      event.preventDefault();
      worker.terminate();
      this.#fail(this.#busy.get(worker));
      this.#busy.delete(worker);
      // A thread may also die while it has nothing to do; nobody must be given to it then.
      if (this.#idle.includes(worker)) this.#idle.splice(this.#idle.indexOf(worker), 1);
      this.#next();
    };
    return worker;
  }

  #settle(worker: Worker, { result }: PasswordAnswer): void {
    const job = this.#busy.get(worker);
    this.#busy.delete(worker);
    this.#idle.push(worker);
    if (result === null) this.#fail(job);
    else job?.resolve(result);
    this.#next();
  }

  #fail(job: Job | undefined): void {
    job?.reject(uncheckable());
  }
}

/** The refusal of a hasher that is closed. */
export function stopping(): VaultError {
  return new VaultError("not_ready", "The vault is stopping");
}

/** The refusal where {@link MAX_WAITING} wait already. */
export function tooMany(): VaultError {
  return new VaultError("not_ready", "too many logins at once", { hint: "try again in a while" });
}

/** The failure of a hash that is none. */
export function uncheckable(): VaultError {
  return new VaultError("internal", "The password could not be checked");
}
