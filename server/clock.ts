/**
 * The real clock and the real randomness, for {@link Clock} and {@link RandomSource}.
 *
 * @module
 */

import type { Clock, RandomSource } from "../vault/mod.ts";

/** The system's clocks. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
};

/** The system's CSPRNG. */
export const systemRandom: RandomSource = {
  bytes: (length) => crypto.getRandomValues(new Uint8Array(length)),
};
