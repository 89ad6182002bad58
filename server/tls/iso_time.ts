/**
 * Moments as people read them in messages and logs.
 *
 * @module
 */

/** A moment in ms since 1970 as ISO 8601 in UTC; certificates can hold times that no date can express. */
export function isoTime(ms: number): string {
  const date = new Date(ms);
  return Number.isNaN(date.getTime()) ? "an unreadable date" : date.toISOString();
}
