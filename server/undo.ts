/**
 * What a start did, so that a stop can take it back.
 *
 * @module
 */

/** Takes something back that a start did. */
export type Undo = () => void | Promise<void>;

/** Takes everything back, last first. */
export async function undoAll(undo: Undo[]): Promise<void> {
  for (const step of undo.reverse()) await step();
}
