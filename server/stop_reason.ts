/**
 * Why a process stops: a signal asked for it, or something is gone without which it can't go on.
 *
 * @module
 */

/** The first reason counts. */
export class StopReason {
  readonly #first = Promise.withResolvers<number>();

  constructor() {
    // What goes wrong during a start is told once the start is over: unheard until then, it would end the process on the
    // spot, with another exit code than its own and nothing undone.
    this.#first.promise.catch(() => {});
  }

  /** Somebody wants the process to stop. */
  ask(exitCode: number): void {
    this.#first.resolve(exitCode);
  }

  /** Something is gone without which nothing can be promised any more. */
  fail(error: Error): void {
    this.#first.reject(error);
  }

  /** Resolves with the exit code that was asked for; rejects with what went wrong. */
  wait(): Promise<number> {
    return this.#first.promise;
  }
}
