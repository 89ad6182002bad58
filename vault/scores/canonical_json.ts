/**
 * JSON as key files have it: one line, no blanks, the keys of every object sorted.
 *
 * `JSON.stringify` cannot write them: the modulus P is above 2^53, and the scales are written `24.0`. A number whose
 * text matters is given as {@link NumberText}.
 *
 * @module
 */

/** A number by its text. */
export class NumberText {
  constructor(readonly text: string) {}
}

/** What can be written. */
export type CanonicalValue =
  | string
  | number
  | null
  | NumberText
  | readonly CanonicalValue[]
  | { readonly [key: string]: CanonicalValue };

function isList(value: CanonicalValue): value is readonly CanonicalValue[] {
  return Array.isArray(value);
}

/** Writes a value. Keys are sorted by code unit; those of key files are ASCII, where every order agrees. */
export function canonicalJson(value: CanonicalValue): string {
  if (value instanceof NumberText) return value.text;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  if (isList(value)) return `[${value.map(canonicalJson).join(",")}]`;
  const members = Object.keys(value).sort().map((key) => `${JSON.stringify(key)}:${canonicalJson(value[key]!)}`);
  return `{${members.join(",")}}`;
}
