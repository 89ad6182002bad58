/**
 * Score decryption off the event loop: a few threads and a bounded queue before them.
 *
 * Threads start at the first ciphertext that finds none idle, so a vault that decrypts no scores pays for none. A
 * crashed thread fails the task it was running, which is not tried again: it may be what crashed it. The next task
 * starts another.
 *
 * @module
 */

import { VaultError } from "../errors.ts";
import type { ScoreDecryptor, ScoreKey } from "./score_decryptor.ts";
import { rankOf } from "./rows.ts";
import { MAX_BLOB_LENGTH } from "./score_message.ts";
import { ScoreThread, scoreWorkerUrl } from "./score_thread.ts";
import type { ScoreRow } from "./top_rows.ts";
import type { KeysMessage } from "./worker_messages.ts";

/** How a pool is set up. */
export interface ScoreWorkersOptions {
  /** The keys that indexes may be under, the newest first; none yet is fine. */
  readonly keys: readonly ScoreKey[];
  /** Threads at most: the number of cores. */
  readonly threads: number;
  /** Requests that may wait for a thread; default 256. */
  readonly maxQueuedRequests?: number;
  /** Characters of base64 that may wait in all; default 256 Mi. */
  readonly maxQueuedLength?: number;
  /** Another worker file, for tests. */
  readonly workerUrl?: string;
}

/** A request on its way through the queue and a thread. */
interface Job {
  readonly blobBase64: string;
  readonly topK: number;
  readonly stop: Int32Array<SharedArrayBuffer>;
  readonly resolve: (rows: ScoreRow[]) => void;
  readonly reject: (error: unknown) => void;
}

const DEFAULT_MAX_QUEUED_REQUESTS = 256;
const DEFAULT_MAX_QUEUED_LENGTH = 256 * 1024 * 1024;

function closedError(): VaultError {
  return new VaultError("not_ready", "Score decryption is stopping");
}

/** A dimension out of range is a programmer's mistake: it must show here and not in a thread. */
function assertDimensions(keys: readonly ScoreKey[]): void {
  for (const { dimension } of keys) rankOf(dimension);
}

function keysMessage(keys: readonly ScoreKey[]): KeysMessage {
  return {
    kind: "keys",
    keys: keys.map(({ secretKey, dimension }) => ({ coefficients: secretKey.coefficients(), dimension })),
  };
}

/** Checks that cost nothing and spare a thread the copy of a text. */
function assertRequest(blobBase64: string, topK: number, signal?: AbortSignal): void {
  if (signal?.aborted) throw new VaultError("cancelled", "The request was cancelled");
  if (!Number.isSafeInteger(topK) || topK < 1) {
    throw new VaultError("invalid_argument", `top_k must be at least 1, not ${topK}`);
  }
  if (blobBase64.length > MAX_BLOB_LENGTH) {
    throw new VaultError("invalid_argument", `The score ciphertext is longer than ${MAX_BLOB_LENGTH} characters`);
  }
}

/** The pool. Close it: live threads keep the process alive. */
export class ScoreWorkers implements ScoreDecryptor {
  readonly #options: Required<Omit<ScoreWorkersOptions, "keys">>;
  readonly #threads = new Set<ScoreThread>();
  readonly #idle: ScoreThread[] = [];
  readonly #queue: Job[] = [];
  #queuedLength = 0;
  #keys: readonly ScoreKey[];
  #closed = false;

  /** @throws {RangeError} for a key with a dimension out of range. */
  constructor(options: ScoreWorkersOptions) {
    assertDimensions(options.keys);
    this.#keys = options.keys;
    this.#options = {
      threads: Math.max(1, options.threads),
      maxQueuedRequests: options.maxQueuedRequests ?? DEFAULT_MAX_QUEUED_REQUESTS,
      maxQueuedLength: options.maxQueuedLength ?? DEFAULT_MAX_QUEUED_LENGTH,
      workerUrl: options.workerUrl ?? scoreWorkerUrl(),
    };
  }

  /** Threads alive, for metrics and tests. */
  get threadCount(): number {
    return this.#threads.size;
  }

  /** Requests waiting for a thread. */
  get queuedCount(): number {
    return this.#queue.length;
  }

  /**
   * Replaces the keys: in force for every request that no thread has begun.
   *
   * @throws {RangeError} for a key with a dimension out of range.
   */
  setKeys(keys: readonly ScoreKey[]): void {
    assertDimensions(keys);
    this.#keys = keys;
    for (const thread of this.#threads) thread.setKeys(keysMessage(keys));
  }

  /** As {@link ScoreDecryptor.decryptScores} says. */
  async decryptScores(blobBase64: string, topK: number, signal?: AbortSignal): Promise<ScoreRow[]> {
    if (this.#closed) throw closedError();
    if (this.#keys.length === 0) throw new VaultError("precondition_failed", "The vault holds no FHE key");
    assertRequest(blobBase64, topK, signal);
    this.#assertRoom(blobBase64.length);
    const { promise, resolve, reject } = Promise.withResolvers<ScoreRow[]>();
    const job: Job = { blobBase64, topK, stop: new Int32Array(new SharedArrayBuffer(4)), resolve, reject };
    const abandon = () => this.#abandon(job);
    signal?.addEventListener("abort", abandon);
    this.#enqueue(job);
    try {
      return await promise;
    } finally {
      signal?.removeEventListener("abort", abandon);
    }
  }

  /** Refuses everything that waits or runs, and ends the threads. Safe to repeat. */
  close(): void {
    this.#closed = true;
    for (const job of this.#queue.splice(0)) job.reject(closedError());
    for (const thread of this.#threads) thread.end(closedError());
    this.#threads.clear();
    this.#idle.length = 0;
    this.#queuedLength = 0;
  }

  #assertRoom(length: number): void {
    const { maxQueuedRequests, maxQueuedLength, threads } = this.#options;
    const waits = this.#idle.length === 0 && this.#threads.size === threads;
    if (!waits) return;
    if (this.#queue.length >= maxQueuedRequests || this.#queuedLength + length > maxQueuedLength) {
      throw new VaultError("rate_limited", "Too many score requests are waiting", { data: { retryAfterSeconds: 1 } });
    }
  }

  #enqueue(job: Job): void {
    this.#queue.push(job);
    this.#queuedLength += job.blobBase64.length;
    this.#startNext();
  }

  #dequeue(index: number): Job | undefined {
    const [job] = this.#queue.splice(index, 1);
    this.#queuedLength -= job?.blobBase64.length ?? 0;
    return job;
  }

  #startNext(): void {
    if (this.#queue.length === 0) return;
    const thread = this.#takeIdle() ?? this.#newThread();
    const job = thread === null ? undefined : this.#dequeue(0);
    if (thread !== null && job !== undefined) void this.#run(thread, job);
  }

  /** An idle thread that is still alive; one that died idle is forgotten. */
  #takeIdle(): ScoreThread | null {
    for (let thread = this.#idle.pop(); thread !== undefined; thread = this.#idle.pop()) {
      if (thread.alive) return thread;
      this.#threads.delete(thread);
    }
    return null;
  }

  #newThread(): ScoreThread | null {
    if (this.#threads.size >= this.#options.threads) return null;
    const thread = new ScoreThread(this.#options.workerUrl);
    thread.setKeys(keysMessage(this.#keys));
    this.#threads.add(thread);
    return thread;
  }

  async #run(thread: ScoreThread, job: Job): Promise<void> {
    const { blobBase64, topK, stop } = job;
    try {
      job.resolve(await thread.run({ kind: "open", blobBase64, topK, stop }) as ScoreRow[]);
    } catch (error) {
      job.reject(error);
    }
    if (thread.alive) this.#idle.push(thread);
    else this.#threads.delete(thread);
    if (!this.#closed) this.#startNext();
  }

  #abandon(job: Job): void {
    Atomics.store(job.stop, 0, 1);
    const place = this.#queue.indexOf(job);
    if (place >= 0) this.#dequeue(place);
    job.reject(new VaultError("cancelled", "The request was cancelled"));
  }
}
