/**
 * Runs a task again and again without overlap, and without keeping the process alive.
 *
 * @module
 */

import { clearTimeout, setTimeout } from "node:timers";

/** A task that is being repeated. */
export interface Repetition {
  /** No run begins after this; resolves when the one under way, if any, has ended. Safe to repeat. */
  stop(): Promise<void>;
}

/**
 * Runs `task` after each interval, counted from the end of the run before.
 *
 * @param task Must not reject: nobody is there to handle it.
 */
export function repeat(intervalSeconds: number, task: () => Promise<void>): Repetition {
  let stopped = false;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let running: Promise<void> = Promise.resolve();
  const arm = () => {
    if (stopped) return;
    timer = setTimeout(() => running = task().then(arm), intervalSeconds * 1000).unref();
  };
  arm();
  return {
    stop: async () => {
      stopped = true;
      clearTimeout(timer);
      await running;
    },
  };
}
