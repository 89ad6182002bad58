/**
 * What a thread does with the messages it receives; `score_worker.ts` only connects it.
 *
 * @module
 */

import type { RandomSource } from "../ports.ts";
import { generateKeySet } from "./key_generation.ts";
import { inspectKeySet } from "./key_files.ts";
import { ScoreOpener } from "./score_opener.ts";
import { type FromWorker, type Task, toFailure, type ToWorker } from "./worker_messages.ts";

/** The state of one thread: the opener for the keys that it was last given. */
export class WorkerTasks {
  #opener: ScoreOpener | null = null;

  constructor(readonly random: RandomSource, readonly send: (message: FromWorker) => void) {}

  /** Takes one message; a task is answered before this returns. */
  receive(message: ToWorker): void {
    if (message.kind === "keys") {
      this.#opener = new ScoreOpener(message.keys);
      return;
    }
    try {
      this.send({ kind: "done", value: this.#work(message) });
    } catch (thrown) {
      this.send({ kind: "failed", failure: toFailure(thrown) });
    }
  }

  #work(task: Task): unknown {
    if (task.kind === "inspect") return inspectKeySet(task.files);
    if (task.kind === "generate") {
      return generateKeySet(task.request, this.random, (done, total) => this.send({ kind: "progress", done, total }));
    }
    if (this.#opener === null) throw new TypeError("The worker was given a ciphertext before any key");
    return this.#opener.open(task.blobBase64, task.topK, () => Atomics.load(task.stop, 0) !== 0);
  }
}
