/**
 * Garbage that the engine would keep for longer than is good.
 *
 * @module
 */

/** The engine's own word, where it is told `--expose-gc`: the compiled program is, the source run by hand is not. */
interface CollectingGlobal {
  readonly gc?: (options: { readonly type: "major" | "minor"; readonly flavor?: "last-resort" }) => void;
}

/** Gives back all that this thread no longer needs, down to the pages. Nothing else runs in it meanwhile. */
export function collectAll(): void {
  (globalThis as CollectingGlobal).gc?.({ type: "major", flavor: "last-resort" });
}

/** Gives back what this thread needed a moment ago; a millisecond or so. */
export function collectRecent(): void {
  (globalThis as CollectingGlobal).gc?.({ type: "minor" });
}
