/**
 * The entry of a thread of the score domain. Started by `score_thread.ts`, never imported.
 *
 * Randomness cannot be handed over between threads, so this entry takes the system's, as the program's own entry does.
 *
 * @module
 */

import { type FromWorker, type ToWorker } from "./worker_messages.ts";
import { WorkerTasks } from "./worker_tasks.ts";

/** What this file uses of a worker's global scope; the program is checked with a window's. */
interface WorkerScope {
  onmessage: ((event: MessageEvent<ToWorker>) => void) | null;
  postMessage(message: FromWorker): void;
}

const scope = globalThis as unknown as WorkerScope;
const random = { bytes: (length: number) => crypto.getRandomValues(new Uint8Array(length)) };
const tasks = new WorkerTasks(random, (message) => scope.postMessage(message));
scope.onmessage = (event) => tasks.receive(event.data);
