/**
 * How long to wait before something is tried again that another server, or the disk, did not take.
 *
 * @module
 */

const FIRST_MS = 1000;
/** The longest delay, in milliseconds. */
export const LONGEST_RETRY_MS = 300_000;

/** Milliseconds until the next try: a second after the first failure, twice as long after each, five minutes at most. */
export function retryDelayMs(failures: number): number {
  return Math.min(FIRST_MS * 2 ** Math.min(failures - 1, 20), LONGEST_RETRY_MS);
}
