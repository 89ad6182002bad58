/**
 * The question how many more connections there are descriptors for, asked by another thread. Counting them uses them up
 * for a moment, in which no listener may accept: so the main thread counts, and the one that asks stands still.
 *
 * @module
 */

/** The main thread may be busy, but not for that long. */
const PATIENCE_MS = 2000;
const [STATE, PLACES] = [0, 1];
const [ASKED, ANSWERED] = [0, 1];

/** Memory for one question at a time. */
export function memoryForPlaces(): SharedArrayBuffer {
  return new SharedArrayBuffer(2 * Int32Array.BYTES_PER_ELEMENT);
}

/** Asks by `ask` and waits; 0 where no answer comes. */
export function awaitPlaces(memory: SharedArrayBuffer, ask: () => void): number {
  const cells = new Int32Array(memory);
  Atomics.store(cells, STATE, ASKED);
  ask();
  if (Atomics.wait(cells, STATE, ASKED, PATIENCE_MS) === "timed-out") return 0;
  return Atomics.load(cells, PLACES);
}

/** Answers what the other thread waits for. */
export function answerPlaces(memory: SharedArrayBuffer, places: number): void {
  const cells = new Int32Array(memory);
  Atomics.store(cells, PLACES, places);
  Atomics.store(cells, STATE, ANSWERED);
  Atomics.notify(cells, STATE);
}
