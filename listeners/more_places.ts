/**
 * The question how many more connections there are descriptors for, asked by another thread. Counting them uses them up
 * for a moment, in which no listener may accept: so the main thread counts, and the one that asks stands still.
 *
 * @module
 */

/** The main thread may be busy, but not for that long. */
const PATIENCE_MS = 2000;
const [STATE, PLACES] = [0, 1];
const [NOBODY, ASKED, COUNTING, ANSWERED] = [0, 1, 2, 3];

/** Memory for one question at a time. */
export function memoryForPlaces(): SharedArrayBuffer {
  return new SharedArrayBuffer(2 * Int32Array.BYTES_PER_ELEMENT);
}

/** Asks by `ask` and waits; 0 where nobody begins to answer. */
export function awaitPlaces(memory: SharedArrayBuffer, ask: () => void, patienceMs = PATIENCE_MS): number {
  const cells = new Int32Array(memory);
  Atomics.store(cells, STATE, ASKED);
  ask();
  Atomics.wait(cells, STATE, ASKED, patienceMs);
  // Taken back: whoever counted now would take the descriptors of connections that are being accepted.
  if (Atomics.compareExchange(cells, STATE, ASKED, NOBODY) === ASKED) return 0;
  Atomics.wait(cells, STATE, COUNTING);
  return Atomics.load(cells, PLACES);
}

/** Answers what the other thread waits for, by `count`; where it waits no more, nothing is counted. */
export function answerPlaces(memory: SharedArrayBuffer, count: () => number): void {
  const cells = new Int32Array(memory);
  if (Atomics.compareExchange(cells, STATE, ASKED, COUNTING) !== ASKED) return;
  let places = 0;
  try {
    places = count();
  } finally {
    Atomics.store(cells, PLACES, places);
    Atomics.store(cells, STATE, ANSWERED);
    Atomics.notify(cells, STATE);
  }
}
