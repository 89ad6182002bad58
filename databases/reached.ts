/**
 * Whether a failure means that nobody was reached at all.
 *
 * @module
 */

const NOBODY = new Set([
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ENOENT",
  "CONNECT_TIMEOUT",
]);

/** Whether a driver's error says that there was no connection, so that nothing can have been asked. */
export function isUnreached(error: unknown): boolean {
  const { code, syscall } = error as { readonly code?: unknown; readonly syscall?: unknown };
  return syscall === "connect" || typeof code === "string" && NOBODY.has(code);
}
