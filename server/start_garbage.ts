/**
 * What a start leaves behind: the texts that it read users from, the libraries' bytes. With a million users that is 140 MB.
 *
 * @module
 */

/** The engine's own word, where it is told `--expose-gc`: the compiled program is, the source run by hand is not. */
interface CollectingGlobal {
  readonly gc?: (options: { readonly type: "major"; readonly flavor: "last-resort" }) => void;
}

/** By then whoever waited for the start has been answered. */
const AFTER_MS = 1000;

/**
 * Gives back what a start leaves, once, a second later. The engine would do so after twenty idle seconds or so, or never where
 * calls keep it busy. It holds calls up meanwhile: for some 70 ms, 140 ms with a million users.
 *
 * @returns What stops it.
 */
export function giveBackLater(): () => void {
  const { gc } = globalThis as CollectingGlobal;
  const timer = setTimeout(() => gc?.({ type: "major", flavor: "last-resort" }), AFTER_MS);
  return () => clearTimeout(timer);
}
