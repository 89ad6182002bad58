/**
 * What a start leaves behind: the texts that it read users from, the libraries' bytes. With a million users that is 140 MB.
 *
 * @module
 */

import { collectAll } from "../vault/garbage.ts";

/** By then whoever waited for the start has been answered. */
const AFTER_MS = 1000;

/**
 * Gives back what a start leaves, once, a second later. The engine would do so after twenty idle seconds or so, or never where
 * calls keep it busy. It holds calls up meanwhile: for some 70 ms, 140 ms with a million users.
 *
 * @returns What stops it.
 */
export function giveBackLater(): () => void {
  const timer = setTimeout(collectAll, AFTER_MS);
  return () => clearTimeout(timer);
}
