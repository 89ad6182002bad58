/**
 * What the tests of the YAML files' face share.
 *
 * @module
 */

import assert from "node:assert/strict";
import { MemoryStore } from "../../tests/fakes/memory_store.ts";
import type { Write } from "../storage/store.ts";

/** Rewrites a YAML file as an operator with an editor does. */
export async function edit(path: string, change: (text: string) => string): Promise<string> {
  const before = await Deno.readTextFile(path);
  const after = change(before);
  assert.notEqual(after, before, "the edit changes something");
  await Deno.writeTextFile(path, after);
  return after;
}

/** Waits for something; throws where it doesn't come. */
export async function until(what: () => boolean | Promise<boolean>, timeoutMs = 20_000): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!await what()) {
    if (performance.now() > deadline) throw new Error(`Not within ${timeoutMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** A store that does something at the moment after a file's digest was committed, and before the file is renamed. */
export class InterruptedStore extends MemoryStore {
  afterDigest: (() => Promise<void>) | undefined;

  override async commit(writes: readonly Write[], expectedSequence: number): Promise<number> {
    const sequence = await super.commit(writes, expectedSequence);
    if (writes.length === 1 && writes[0]!.kind === "file") {
      const interrupt = this.afterDigest;
      this.afterDigest = undefined;
      await interrupt?.();
    }
    return sequence;
  }
}
