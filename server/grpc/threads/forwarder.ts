/**
 * Calls that came in by this thread. It reads and writes them; who may do what is decided in the main thread, by the
 * same handlers that serve its own calls.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { Metadata, type sendUnaryData, type ServerUnaryCall } from "@grpc/grpc-js";
import { asVaultError, VaultError } from "../../../vault/errors.ts";
import type { Logger, RandomSource } from "../../../vault/ports.ts";
import { type AskKeys, ThreadBatches } from "./batch.ts";
import type { FromThread, Refusal, ToThread } from "./messages.ts";

/** What goes to the main thread of a call. */
export interface ForwardedRequest {
  readonly path: string;
  readonly bytes: Uint8Array;
  /** Opens or seals what stayed here, once the caller may; absent: the main thread answers by itself. */
  readonly work?: BatchWork;
}

/** The part of a call that is done in this thread; returns the encoded answer. */
export type BatchWork = (order: BatchOrder, batches: ThreadBatches, signal: AbortSignal) => Promise<BatchDone>;

/** The answer that may leave when the main thread says so. */
export interface BatchDone {
  readonly bytes: Uint8Array;
  readonly version1: number;
  /** How many there are in it. */
  readonly items: number;
}

/** What the main thread allows: to open with keys asked for one by one, or to seal with a key. */
export type BatchOrder =
  | { readonly askKeys: AskKeys }
  | { readonly agentId: string; readonly keyVersion: number; readonly key: Uint8Array };

type ReceivedCall = Pick<ServerUnaryCall<unknown, unknown>, "cancelled" | "getPeer" | "metadata" | "once">;

/** A call that waits for the main thread. */
interface Waiting {
  readonly respond: sendUnaryData<Uint8Array>;
  readonly work: BatchWork | undefined;
  readonly abort: AbortController | undefined;
  /** What the work made, until it may leave. */
  answer: Uint8Array | undefined;
  keys: PromiseWithResolvers<readonly (Uint8Array | Refusal)[]> | undefined;
}

/** The calls of one thread that are under way. */
export class Forwarder {
  readonly #post: (message: FromThread) => void;
  readonly #logger: Logger;
  readonly #batches: ThreadBatches;
  readonly #waiting = new Map<number, Waiting>();
  readonly #questions = new Map<number, (isLive: boolean) => void>();
  #lastId = 0;

  constructor(post: (message: FromThread) => void, logger: Logger, random: RandomSource) {
    this.#post = post;
    this.#logger = logger;
    this.#batches = new ThreadBatches(random);
  }

  /** Whether a token would be let in now; counts nothing. */
  isLive(token: string): Promise<boolean> {
    const question = ++this.#lastId;
    this.#post(["live", question, token]);
    return new Promise((resolve) => this.#questions.set(question, resolve));
  }

  /** Has the main thread answer a call. */
  forward(call: ReceivedCall, { path, bytes, work }: ForwardedRequest, respond: sendUnaryData<Uint8Array>): void {
    const id = ++this.#lastId;
    const abort = work === undefined ? undefined : new AbortController();
    this.#waiting.set(id, { respond, work, abort, answer: undefined, keys: undefined });
    const sent = (name: string) => call.metadata.get(name).map(String);
    const headers = { authorization: sent("authorization"), traceparent: sent("traceparent") };
    this.#post(["call", id, path, bytes, headers, call.getPeer()]);
    // Said after every call, answered ones too.
    if (call.cancelled) this.#cancel(id);
    else call.once("cancelled", () => this.#cancel(id));
  }

  /** Takes what the main thread says of a call; false: the message is about something else. */
  receive(message: ToThread): boolean {
    switch (message[0]) {
      case "answer":
        this.#settle(message[1], (it) => it.respond(null, joined(message[2])));
        return true;
      case "send":
        this.#settle(message[1], (it) => it.respond(null, it.answer));
        return true;
      case "refuse":
        this.#settle(message[1], (it) => it.respond(statusOf(message)));
        return true;
      case "open":
        this.#work(message[1], { askKeys: (heads) => this.#askKeys(message[1], heads) });
        return true;
      case "seal":
        this.#work(message[1], { agentId: message[2], keyVersion: message[3], key: message[4] });
        return true;
      case "keys":
        this.#waiting.get(message[1])?.keys?.resolve(message[2]);
        return true;
      case "live":
        this.#questions.get(message[1])?.(message[2]);
        this.#questions.delete(message[1]);
        return true;
      default:
        return false;
    }
  }

  #settle(id: number, answer: (waiting: Waiting) => void): void {
    const waiting = this.#waiting.get(id);
    if (waiting === undefined) return;
    this.#waiting.delete(id);
    try {
      answer(waiting);
    } catch (failure) {
      // Nothing may escape: a throw from here would end the whole process.
      this.#logger.log("error", "grpc_answer_failed", { error: failure instanceof Error ? failure.name : "unknown" });
    }
  }

  #cancel(id: number): void {
    const waiting = this.#waiting.get(id);
    if (waiting === undefined) return;
    this.#waiting.delete(id);
    const gone = new VaultError("cancelled", "The caller went away");
    waiting.abort?.abort(gone);
    waiting.keys?.reject(gone);
    this.#post(["cancel", id]);
  }

  async #work(id: number, order: BatchOrder): Promise<void> {
    const waiting = this.#waiting.get(id);
    if (waiting?.work === undefined || waiting.abort === undefined) return;
    try {
      const { bytes, version1, items } = await waiting.work(order, this.#batches, waiting.abort.signal);
      waiting.answer = bytes;
      this.#post(["done", id, version1, items]);
    } catch (thrown) {
      const { kind, message, cause } = asVaultError(thrown);
      if (kind === "internal") {
        this.#logger.log("error", "grpc_batch_failed", { error: cause instanceof Error ? cause.name : "unknown" });
      }
      this.#post(["failed", id, kind, message]);
    }
  }

  #askKeys(id: number, heads: Parameters<AskKeys>[0]): ReturnType<AskKeys> {
    const waiting = this.#waiting.get(id);
    if (waiting === undefined) return Promise.reject(new VaultError("cancelled", "The caller went away"));
    waiting.keys = Promise.withResolvers();
    this.#post(["keys", id, heads]);
    return waiting.keys.promise;
  }
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  return parts.length === 1 ? parts[0]! : Buffer.concat(parts);
}

function statusOf([, , code, details, pairs]: Extract<ToThread, readonly ["refuse", ...unknown[]]>) {
  const metadata = new Metadata();
  for (const [name, value] of pairs) metadata.set(name, value);
  return { code, details, metadata };
}
