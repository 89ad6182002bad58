/**
 * A call that came in by another thread, as the handlers of this one see it.
 *
 * @module
 */

import type { OpenRight } from "../../../vault/mod.ts";
import { VaultError } from "../../../vault/errors.ts";
import type { CallHeaders, ToThread } from "./messages.ts";

/** Stands where grpc-js has its own call: with the members that `unary.ts` uses, and no others. */
export class ThreadCall {
  readonly request: object;
  readonly metadata: { get(name: string): readonly string[] };
  /** The message could not be delivered before its caller had gone. */
  cancelled = false;
  /** How many items the batch had that the thread worked on. */
  items = 0;
  /** Whether the thread made the answer, and it only has to be let go. */
  holdsAnswer = false;
  /** Whose envelopes the caller may open, while the thread opens some. */
  right: OpenRight | undefined;
  readonly #peer: string;
  readonly #id: number;
  readonly #post: (message: ToThread) => void;
  #onCancelled: (() => void) | undefined;
  #work: PromiseWithResolvers<number> | undefined;

  constructor(
    about: { id: number; request: object; headers: CallHeaders; peer: string },
    post: (message: ToThread) => void,
  ) {
    this.#id = about.id;
    this.#peer = about.peer;
    this.#post = post;
    this.request = about.request;
    this.metadata = { get: (name) => about.headers[name.toLowerCase() as keyof CallHeaders] ?? [] };
  }

  getPeer(): string {
    return this.#peer;
  }

  once(_event: "cancelled", listener: () => void): void {
    this.#onCancelled = listener;
  }

  /** Has the thread open the envelopes of the request; resolves with how many were of version 1. */
  async open(right: OpenRight): Promise<number> {
    this.right = right;
    return await this.#order(["open", this.#id]);
  }

  /** Has the thread seal the plaintexts of the request. */
  async seal(agentId: string, { keyVersion, key }: { keyVersion: number; key: Uint8Array }): Promise<void> {
    await this.#order(["seal", this.#id, agentId, keyVersion, key]);
  }

  /** The thread has done it. */
  done(version1: number, items: number): void {
    this.items = items;
    this.#work?.resolve(version1);
  }

  /** The thread could not do it. */
  failed(error: VaultError): void {
    this.#work?.reject(error);
  }

  /** The caller has gone. */
  cancel(): void {
    this.cancelled = true;
    this.#onCancelled?.();
    this.#work?.reject(new VaultError("cancelled", "The caller went away"));
  }

  async #order(order: ToThread): Promise<number> {
    this.#work = Promise.withResolvers();
    this.#post(order);
    const version1 = await this.#work.promise;
    this.right = undefined;
    this.holdsAnswer = true;
    return version1;
  }
}
