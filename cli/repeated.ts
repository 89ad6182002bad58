/**
 * Options that may be given several times.
 *
 * @module
 */

/** Collects the values of one option. */
export function repeated(value: string, before: readonly string[]): string[] {
  return [...before, value];
}
