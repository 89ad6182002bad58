import { strict as assert } from "node:assert";
import type { ChainPosition } from "./chain.ts";
import { FileSync } from "./file_sync.ts";

/** A file, a file of keys and lines, as far as they are synced; times in milliseconds. */
class Synced {
  readonly file = { sync: () => Promise.resolve(this.#note("file")) } as never;
  readonly keyFile = { write: () => Promise.resolve(this.#note("key")), close() {} };
  readonly times: { file: number[]; key: number[] } = { file: [], key: [] };
  position: ChainPosition = { sequence: 1, hash: "", key: new Uint8Array(32) };
  readonly trouble = null;
  areVolatile = false;
  readonly sync: FileSync = new FileSync(this, this);
  noteSynced() {
    this.areVolatile = false;
  }
  noteFailed(error: unknown) {
    throw error;
  }

  #note(what: "file" | "key"): void {
    this.times[what].push(performance.now());
  }

  async until(what: "file" | "key", count: number): Promise<void> {
    while (this.times[what].length < count) await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

Deno.test("lines that the store has are synced when the key moves on, others within 100 ms, also after the former", async () => {
  const it = new Synced();
  await it.sync.run();
  assert.equal(it.times.key.length, 1, "the first key is moved on at once");
  const spans: { lazy: number; hurried: number }[] = [];
  // A machine with other work may come to a timer late; one of several is in time.
  while (!spans.some(({ lazy, hurried }) => lazy > 900 && lazy < 1100 && hurried < 100) && spans.length < 5) {
    const file: number = it.times.file.length;
    const key: number = it.times.key.length;
    const begun = performance.now();
    it.areVolatile = false;
    it.sync.plan();
    await it.until("key", key + 1);
    const lazy = it.times.file[file]! - begun;
    assert.equal(it.times.file.length, file + 1, "one sync for both");
    it.sync.plan();
    it.areVolatile = true;
    const hurriedAt = performance.now();
    it.sync.plan();
    await it.until("file", file + 2);
    spans.push({ lazy, hurried: it.times.file[file + 1]! - hurriedAt });
    await it.until("key", key + 2);
  }
  await it.sync.close(true);
  assert.ok(spans.some(({ lazy, hurried }) => lazy > 900 && lazy < 1100 && hurried < 100), JSON.stringify(spans));
});

Deno.test("S24: after the last line the key moves on once more, and then all rests", async () => {
  const it = new Synced();
  await it.sync.run();
  it.areVolatile = true;
  it.sync.plan();
  await it.until("key", 2);
  await new Promise((resolve) => setTimeout(resolve, 1200));
  assert.deepEqual([it.times.file.length, it.times.key.length], [3, 2]);
  await it.sync.close(true);
});
