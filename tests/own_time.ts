/**
 * Time without what a thread waited for a processor: what a test may bound on a machine that has other work too.
 *
 * @module
 */

/** Of the thread that reads it: nanoseconds on a processor, nanoseconds of waiting for one, turns (Linux, sched-stats). */
const SCHEDULED = "/proc/thread-self/schedstat";

/**
 * Milliseconds like those of `performance.now()`, which stand still while this thread could run and another had the
 * processor. What it works, and what it waits for (a lock, a disk, a timer), counts. Elsewhere than on Linux all counts.
 */
export function ownNow(): number {
  return performance.now() - waitedForProcessorMs();
}

function waitedForProcessorMs(): number {
  try {
    return Number(Deno.readTextFileSync(SCHEDULED).split(" ")[1]) / 1e6;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return 0;
    throw error;
  }
}
