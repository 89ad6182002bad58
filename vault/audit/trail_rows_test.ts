import { strict as assert } from "node:assert";
import type { Write } from "../storage/store.ts";
import { type RowsOfCommit, TrailRows } from "./trail_rows.ts";

const boxes = ({ writes }: RowsOfCommit, isGone: boolean): number[] =>
  writes.filter((it: Write) => it.kind === "audit_outbox" && (it.value === undefined) === isGone)
    .map(({ key }) => Number(key));

const commit = (rows: TrailRows, sequence: number, synced: number) =>
  rows.next({ sequence, hash: "" }, `line ${sequence}\n`, synced);

Deno.test("rows of lines that are durable leave the store a few a commit, the oldest first, and none before", () => {
  const rows = new TrailRows({ outbox: [3, 1, 2], opens: [] }, 3);
  for (let sequence = 4; sequence <= 100; sequence++) commit(rows, sequence, 0).committed();
  const first = commit(rows, 101, 60);
  assert.deepEqual([boxes(first, true), boxes(first, false)], [Array.from({ length: 32 }, (_, i) => i + 1), [101]]);
  first.abandoned();
  const again = commit(rows, 101, 60);
  assert.deepEqual(boxes(again, true), boxes(first, true), "what was not committed is still there");
  again.committed();
  const second = commit(rows, 102, 60);
  assert.deepEqual(boxes(second, true), Array.from({ length: 28 }, (_, i) => i + 33));
  second.committed();
  assert.deepEqual(boxes(commit(rows, 103, 60), true), []);
});
