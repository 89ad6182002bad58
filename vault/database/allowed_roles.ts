/**
 * Which roles a connection serves.
 *
 * @module
 */

/** Whether a name matches one of a connection's `allowed_roles`; a `*` anywhere stands for anything. Case counts. */
export function isAllowedRole(allowed: readonly string[], name: string): boolean {
  return allowed.some((pattern) => matches(pattern, name));
}

function matches(pattern: string, name: string): boolean {
  const parts = pattern.split("*");
  if (parts.length === 1) return pattern === name;
  const [first, last] = [parts[0]!, parts.at(-1)!];
  if (!name.startsWith(first) || !name.endsWith(last) || name.length < first.length + last.length) return false;
  let at = first.length;
  for (const part of parts.slice(1, -1)) {
    const found = name.indexOf(part, at);
    if (found === -1 || found + part.length > name.length - last.length) return false;
    at = found + part.length;
  }
  return true;
}
