/**
 * The threads that serve gRPC beside the main one, from start to stop.
 *
 * @module
 */

import { VaultError } from "../../../vault/errors.ts";
import type { Logger, RandomSource } from "../../../vault/ports.ts";
import { DESCRIPTORS_LEFT_TO_OTHERS, FIRST_PLACES, MOST_PLACES } from "../connection_table.ts";
import type { TlsMaterial } from "../credentials.ts";
import { spareDescriptors } from "../descriptors.ts";
import { type HealthReporter, MAX_WATCHERS } from "../health.ts";
import { MAX_STREAMS } from "../reflection.ts";
import { SharedHoldings } from "../shared_holdings.ts";
import type { BudgetLimits } from "../unauthenticated_budget.ts";
import type { FromThread, ThreadPlan, ToThread } from "./messages.ts";
import { Outbox } from "./outbox.ts";
import { type CallParts, type Methods, ThreadCalls, unaryMethods } from "./thread_calls.ts";

/** What a listener may accept before it is told that there is no place, what it closes, and a thread's own descriptors. */
const DESCRIPTORS_OF_A_THREAD = 192;
/** A little longer than a server takes to cut what is left. */
const STOP_MS = 12_000;

/** Each thread's share of what one server may have. */
export interface Shares {
  readonly threads: number;
  /** Connections. */
  readonly places: number;
  readonly holdings: SharedArrayBuffer;
}

/** What the threads are made of. */
export interface GrpcThreadsOptions extends CallParts {
  readonly shares: Shares;
  /** What strangers may hold, on all threads together. */
  readonly limits: BudgetLimits;
  /** The address on which this thread listens. */
  readonly address: string;
  /** Null: plaintext. */
  readonly tls: { readonly material: TlsMaterial; readonly clientCaPem: string | undefined } | null;
  readonly health: HealthReporter;
  readonly logger: Logger;
  /** Has the server of this thread make room. */
  readonly makeRoom: (peer: string | null) => void;
  /** Told when a thread died: its connections are lost, and its share of the port is answered by nobody. */
  readonly onDeath: (reason: string) => void;
  readonly makeWorker?: () => Worker;
}

/**
 * Divides what one server may have. Descriptors are counted now, before anybody connects: counting them uses them up
 * for a moment, and a listener that can't accept at that moment accepts nothing any more.
 *
 * @param threads How many there are with the main one.
 */
export function divide(threads: number, random: RandomSource, spare = spareDescriptors): Shares {
  const left = DESCRIPTORS_LEFT_TO_OTHERS + DESCRIPTORS_OF_A_THREAD * (threads - 1);
  const places = Math.max(FIRST_PLACES, spare(MOST_PLACES + left) - left);
  const key = new DataView(random.bytes(4).buffer).getInt32(0);
  return { threads, places: Math.floor(places / threads), holdings: SharedHoldings.memory(threads, key) };
}

/** Open threads. */
export class GrpcThreads {
  readonly #threads: OpenThread[] = [];
  readonly #options: GrpcThreadsOptions;

  private constructor(options: GrpcThreadsOptions) {
    this.#options = options;
  }

  /**
   * Starts the threads and waits until each listens.
   *
   * @throws {VaultError} `precondition_failed` when one can't.
   */
  static async start(options: GrpcThreadsOptions): Promise<GrpcThreads> {
    const threads = new GrpcThreads(options);
    const methods = unaryMethods(options.services);
    for (let i = 1; i < options.shares.threads; i++) threads.#threads.push(threads.#open(methods));
    try {
      await Promise.all(threads.#threads.map((thread) => thread.listening));
    } catch (error) {
      threads.#threads.forEach((thread) => thread.end());
      throw error;
    }
    return threads;
  }

  /** Has every other thread make room for callers of the main one. */
  makeRoom(peer: string | null): void {
    for (const thread of this.#threads) thread.post(["make_room", peer]);
  }

  /** Refuses new calls, waits for those in flight, then ends the threads. */
  async stop(): Promise<void> {
    await Promise.all(this.#threads.map((thread) => thread.stop()));
  }

  #open(methods: Methods): OpenThread {
    const wantRoom = (peer: string | null, asking: OpenThread) => {
      this.#options.makeRoom(peer);
      for (const thread of this.#threads) if (thread !== asking) thread.post(["make_room", peer]);
    };
    return new OpenThread(this.#options, methods, wantRoom);
  }
}

/** One thread, seen from the main one. */
class OpenThread {
  readonly #worker: Worker;
  readonly #outbox: Outbox<ToThread>;
  readonly #calls: ThreadCalls;
  readonly #options: GrpcThreadsOptions;
  readonly #wantRoom: (peer: string | null, asking: OpenThread) => void;
  readonly #listening = Promise.withResolvers<void>();
  readonly #stopped = Promise.withResolvers<void>();
  readonly #unfollow: () => void;

  constructor(
    options: GrpcThreadsOptions,
    methods: Methods,
    wantRoom: (peer: string | null, asking: OpenThread) => void,
  ) {
    this.#options = options;
    this.#wantRoom = wantRoom;
    this.#worker = (options.makeWorker ?? makeWorker)();
    this.#outbox = new Outbox((messages) => this.#worker.postMessage(messages));
    this.#calls = new ThreadCalls(options, methods, (message) => this.post(message));
    this.#worker.onmessage = ({ data }: MessageEvent<readonly FromThread[]>) => {
      for (const message of data) this.#receive(message);
      this.#outbox.flush();
    };
    this.#worker.onerror = (event) => {
      event.preventDefault();
      this.#died(event.message);
    };
    this.post(["serve", planOf(options)]);
    options.health.follow((serving) => this.post(["serving", serving]));
    this.#unfollow = options.tls?.material.onChange((pair) => this.post(["certificate", pair])) ?? (() => {});
  }

  /** Resolves once it listens. */
  get listening(): Promise<void> {
    return this.#listening.promise;
  }

  post(message: ToThread): void {
    this.#outbox.add(message);
  }

  async stop(): Promise<void> {
    this.post(["stop"]);
    const timer = setTimeout(() => this.#stopped.resolve(), STOP_MS);
    await this.#stopped.promise;
    clearTimeout(timer);
    this.end();
  }

  end(): void {
    this.#unfollow();
    this.#worker.terminate();
  }

  #receive(message: FromThread): void {
    if (this.#calls.receive(message)) return;
    if (message[0] === "unhandled") this.#options.onUnhandled(message[1]);
    else if (message[0] === "log") this.#options.logger.log(message[1], message[2], message[3]);
    else if (message[0] === "want_room") this.#wantRoom(message[1], this);
    else if (message[0] === "listening") this.#listening.resolve();
    else if (message[0] === "stopped") this.#stopped.resolve();
    else if (message[0] === "cannot_listen") {
      this.#listening.reject(new VaultError("precondition_failed", "A thread can't listen", { cause: message[1] }));
    }
  }

  #died(reason: string): void {
    this.#listening.reject(new VaultError("internal", "A thread that serves gRPC died", { cause: reason }));
    this.#stopped.resolve();
    this.#options.onDeath(reason);
  }
}

function planOf({ address, tls, shares, limits }: GrpcThreadsOptions): ThreadPlan {
  const { threads, places, holdings } = shares;
  return {
    address,
    tls: tls === null ? null : { pair: tls.material.current(), clientCaPem: tls.clientCaPem },
    places,
    limits,
    holdings,
    maxWatchers: Math.ceil(MAX_WATCHERS / threads),
    maxReflections: Math.ceil(MAX_STREAMS / threads),
  };
}

function makeWorker(): Worker {
  return new Worker(new URL("./grpc_thread.ts", import.meta.url).href, { type: "module", name: "grpc" });
}
