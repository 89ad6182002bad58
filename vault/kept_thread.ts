/**
 * A thread that does one piece of work after the other: started when it is first needed, and kept. Before Deno 2.7.13 the
 * runtime leaves two descriptors behind for each thread that has ended.
 *
 * @module
 */

/** A piece of work for a thread. */
export interface ThreadWork<Request, Answer, Result> {
  readonly request: Request;
  /** Given each answer; at the last, and only there, it returns the result or throws what the work comes to. */
  readonly take: (answer: Answer) => Result | undefined;
  /** Makes the error of a thread that died, by what it said. */
  readonly died: (reason: string) => Error;
  /** How long it may take, and the error of work that takes longer. Absent: any time. */
  readonly limit?: { readonly ms: number; readonly late: () => Error };
}

/** One thread. */
export class KeptThread<Request, Answer> {
  readonly #start: () => Worker;
  #worker: Worker | undefined;
  #work: Promise<void> = Promise.resolve();
  #fail: ((error: Error) => void) | undefined;

  /** @param start Starts the thread, with a script that answers each request by one or more messages. */
  constructor(start: () => Worker) {
    this.#start = start;
  }

  /** Whether there is a thread now. */
  get isRunning(): boolean {
    return this.#worker !== undefined;
  }

  /** Does a piece of work once those before it are done. A thread that died or took too long is replaced. */
  do<Result>(work: ThreadWork<Request, Answer, Result>): Promise<Result> {
    const result = this.#work.then(() => this.#do(work));
    this.#work = result.then(() => {}, () => {});
    return result;
  }

  /** Ends the thread, and with it what it does; the next work starts another. */
  end(): void {
    this.#worker?.terminate();
    this.#worker = undefined;
    this.#fail?.(new Error("The thread was ended"));
  }

  async #do<Result>({ request, take, died, limit }: ThreadWork<Request, Answer, Result>): Promise<Result> {
    const { promise, resolve, reject } = Promise.withResolvers<Result>();
    const worker = this.#worker ??= this.#start();
    this.#fail = reject;
    const fail = (error: Error) => {
      reject(error);
      this.end();
    };
    const timer = limit && setTimeout(() => fail(limit.late()), limit.ms);
    worker.onmessage = ({ data }: MessageEvent<Answer>) => {
      try {
        const result = take(data);
        if (result !== undefined) resolve(result);
      } catch (error) {
        reject(error);
      }
    };
    worker.onerror = (event) => {
      event.preventDefault();
      fail(died(event.message));
    };
    worker.postMessage(request);
    return await promise.finally(() => {
      clearTimeout(timer);
      this.#fail = undefined;
    });
  }
}
