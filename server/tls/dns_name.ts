/**
 * Reads DNS host names, and says which ones a certificate authority's name constraint covers.
 *
 * @module
 */

const LABEL = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/;
const MAX_NAME_CHARS = 253;

/**
 * Reads a host name: lower case, without the trailing dot.
 *
 * Returns null for what is none: wildcards, non-ASCII names (the `xn--` form is wanted), labels over 63 characters,
 * and names that end in a number, which resolvers may take for an IPv4 address. `_` is accepted, since container
 * names have it.
 */
export function parseDnsName(text: string): string | null {
  if (text.length > MAX_NAME_CHARS + 1) return null;
  const name = text.toLowerCase().replace(/\.$/, "");
  const labels = name.split(".");
  if (name.length > MAX_NAME_CHARS || !labels.every((label) => LABEL.test(label))) return null;
  return /^(?:[0-9]+|0x[0-9a-f]*)$/.test(labels.at(-1) ?? "") ? null : name;
}

/** True when a permitted subtree covers the name: the name itself, or a name under it (RFC 5280 §4.2.1.10). */
export function isCoveredBy(name: string, permittedSubtrees: readonly string[]): boolean {
  return permittedSubtrees.some((base) => name === base || name.endsWith(`.${base}`));
}
