/**
 * A score worker that does what a test tells it through the ciphertext: `crash`, `late crash`, `wait` until stopped,
 * or answer with the keys that it holds.
 *
 * @module
 */

import type { FromWorker, ToWorker } from "../../vault/scores/worker_messages.ts";

interface WorkerScope {
  onmessage: ((event: MessageEvent<ToWorker>) => void) | null;
  postMessage(message: FromWorker): void;
}

const scope = globalThis as unknown as WorkerScope;
let dimensions: number[] = [];

function answer(score: number): void {
  scope.postMessage({
    kind: "done",
    value: dimensions.map((dimension, i) => ({ shardIndex: i, rowIndex: dimension, score })),
  });
}

/** Looks for the stop as the real worker does. Without one for two seconds, all later answers are empty. */
function waitForStop(stop: Int32Array<SharedArrayBuffer>): void {
  const pause = new Int32Array(new SharedArrayBuffer(4));
  for (let i = 0; i < 400; i++) {
    if (Atomics.load(stop, 0) !== 0) return;
    Atomics.wait(pause, 0, 0, 5);
  }
  dimensions = [];
}

scope.onmessage = ({ data }) => {
  if (data.kind === "keys") dimensions = data.keys.map(({ dimension }) => dimension);
  else if (data.kind !== "open" || data.blobBase64 === "crash") throw new Error("told to crash");
  else if (data.blobBase64 === "late crash") {
    answer(0);
    setTimeout(() => {
      throw new Error("told to crash later");
    }, 0);
  } else if (data.blobBase64 === "wait") {
    waitForStop(data.stop);
    answer(1);
  } else answer(0);
};
