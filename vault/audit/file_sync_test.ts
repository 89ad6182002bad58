import { strict as assert } from "node:assert";
import { ManualTimers } from "../../tests/fakes/manual_timers.ts";
import type { ChainPosition } from "./chain.ts";
import { FileSync, type Written } from "./file_sync.ts";

/** A file, a file of keys and lines, as far as they are synced; times in milliseconds. */
class Synced implements Disposable {
  readonly timers: ManualTimers = ManualTimers.install();
  readonly file = { sync: () => this.#note("file") } as never;
  readonly keyFile = { write: (position: ChainPosition) => this.#write(position), close() {} };
  readonly times: { file: number[]; key: number[] } = { file: [], key: [] };
  /** What was handed out, and the first byte of each that was written. */
  readonly positions: ChainPosition[] = [];
  readonly keysWritten: number[] = [];
  readonly synced: number[] = [];
  failure: Error | undefined;
  written: Written = { sequence: 1, volatileEnd: 0 };
  readonly trouble = null;
  areVolatile = false;
  readonly sync: FileSync = new FileSync(this, this);

  copyPosition(): ChainPosition {
    const { sequence } = this.written;
    const position = { sequence, hash: "", key: new Uint8Array(32).fill(sequence) };
    this.positions.push(position);
    return position;
  }

  noteSynced({ sequence }: Written) {
    this.synced.push(sequence);
    this.areVolatile = false;
  }

  noteFailed(error: unknown) {
    if (error !== this.failure) throw error;
  }

  #write(position: ChainPosition): Promise<void> {
    this.keysWritten.push(position.key[0]!);
    return this.#note("key");
  }

  #note(what: "file" | "key"): Promise<void> {
    this.times[what].push(this.timers.now);
    return what === "file" || this.failure === undefined ? Promise.resolve() : Promise.reject(this.failure);
  }

  /** A line is written. */
  write(isInStore: boolean): void {
    this.written = { ...this.written, sequence: this.written.sequence + 1 };
    this.areVolatile = !isInStore;
    this.sync.plan();
  }

  [Symbol.dispose](): void {
    this.timers[Symbol.dispose]();
  }
}

Deno.test("lines that the store has are synced when the key moves on, others within 100 ms, also after the former", async () => {
  using it = new Synced();
  await it.sync.run();
  assert.equal(it.times.key.length, 1, "the first key is moved on at once");
  it.write(true);
  await it.timers.pass(959);
  assert.equal(it.times.file.length, 1);
  await it.timers.pass(1);
  assert.deepEqual(it.times, { file: [0, 960], key: [0, 960] }, "one sync for both");
  it.write(true);
  await it.timers.pass(500);
  it.write(false);
  await it.timers.pass(79);
  assert.equal(it.times.file.length, 2);
  await it.timers.pass(1);
  assert.deepEqual(it.times, { file: [0, 960, 1540], key: [0, 960] });
  assert.deepEqual(it.synced, [1, 2, 4]);
  await it.sync.close(true);
});

Deno.test("S24: after the last line the key moves on once more, and then all rests", async () => {
  using it = new Synced();
  await it.sync.run();
  it.write(false);
  await it.timers.pass(10_000);
  assert.deepEqual([it.times.file, it.times.key], [[0, 80, 1040], [0, 1040]]);
  assert.equal(it.timers.waiting, 0);
  await it.sync.close(true);
});

Deno.test("S24: a key is copied where it is written to disk alone, and the copy is wiped whatever becomes of it", async () => {
  using it = new Synced();
  await it.sync.run();
  for (let i = 0; i < 5; i++) {
    it.write(false);
    await it.timers.pass(80);
  }
  assert.equal(it.times.file.length, 6);
  assert.deepEqual([it.positions.length, it.keysWritten], [1, [1]], "five syncs in which the key stays");
  it.failure = new Error("no space");
  await it.timers.pass(1000);
  it.failure = undefined;
  await it.timers.pass(1000);
  it.write(true);
  await it.sync.close(false);
  assert.deepEqual(it.keysWritten, [1, 6, 6, 7], "at first, twice as the disk was full, and at the end");
  assert.equal(it.positions.length, 4);
  assert.ok(it.positions.every(({ key }) => key.every((byte) => byte === 0)), "all of them");
});
