/**
 * Times as Go's clients read them.
 *
 * @module
 */

/** RFC 3339 in UTC, trailing zeros of the fraction dropped; from milliseconds since 1970. */
export function rfc3339(milliseconds: number): string {
  return new Date(milliseconds).toISOString().replace(/\.?0+Z$/, "Z");
}
