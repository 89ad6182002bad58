/**
 * Batches of envelopes: item after item in slices, one bad item failing its whole batch under its index.
 *
 * @module
 */

import { VaultError } from "../errors.ts";
import type { Slices } from "../slices.ts";

/**
 * Does `work` for each item, in order.
 *
 * @param firstIndex What the first item counts as, where the items are a part of a larger batch.
 * @throws {VaultError} What `work` throws, with `data.index`; `cancelled`.
 */
export async function eachItem<Item, T>(
  items: readonly Item[],
  slices: Slices,
  work: (item: Item, index: number) => T | Promise<T>,
  firstIndex = 0,
): Promise<T[]> {
  const results: T[] = [];
  for (const [index, item] of items.entries()) {
    try {
      const result = work(item, index);
      // Awaiting only what is really pending keeps a batch of cached keys free of microtask turns.
      results.push(result instanceof Promise ? await result : result);
    } catch (error) {
      throw withIndex(error, firstIndex + index);
    }
    if (slices.spent) await slices.rest();
  }
  return results;
}

function withIndex(error: unknown, index: number): unknown {
  if (!(error instanceof VaultError)) return error;
  const { kind, message, data, cause } = error;
  return new VaultError(kind, `Item ${index}: ${message}`, { data: { ...data, index }, cause });
}
