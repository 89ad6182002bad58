/**
 * Times as Go's clients read them.
 *
 * @module
 */

/** Where the fraction begins, after its point. */
const SECONDS_END = "2026-11-24T00:00:00.".length;

/** RFC 3339 in UTC, trailing zeros of the fraction dropped; from milliseconds since 1970. */
export function rfc3339(milliseconds: number): string {
  const text = new Date(milliseconds).toISOString();
  let end = text.length - 1;
  while (text[end - 1] === "0" && end > SECONDS_END) end--;
  return `${text.slice(0, text[end - 1] === "." ? end - 1 : end)}Z`;
}
