import { deepEqual } from "node:assert/strict";
import fc from "fast-check";
import { TopRows } from "./top_rows.ts";

/** A stable sort of everything: what the heap must agree with. */
function sortedAll(scores: number[], limit: number) {
  return scores.map((score, rowIndex) => ({ shardIndex: 7, rowIndex, score }))
    .toSorted((left, right) => right.score - left.score || left.rowIndex - right.rowIndex).slice(0, limit);
}

Deno.test("TopRows keeps what a stable sort of all rows would put first", () => {
  // Few distinct scores, so that most runs are about ties.
  const scores = fc.array(fc.oneof(fc.integer({ min: -2, max: 2 }), fc.float({ noNaN: true })), { maxLength: 200 });
  fc.assert(
    fc.property(scores, fc.integer({ min: 1, max: 60 }), (all, limit) => {
      const top = new TopRows(limit);
      all.forEach((score, rowIndex) => top.offer(7, rowIndex, score));
      // -0 and 0 are equal scores; what is compared is the order.
      deepEqual(top.sorted().map(({ rowIndex }) => rowIndex), sortedAll(all, limit).map(({ rowIndex }) => rowIndex));
    }),
    { numRuns: 500 },
  );
});

Deno.test("TopRows gives all rows when there are fewer than the limit", () => {
  const top = new TopRows(10);
  deepEqual(top.sorted(), []);
  top.offer(3, 5, 0.5);
  top.offer(4, 6, 0.75);
  deepEqual(top.sorted(), [{ shardIndex: 4, rowIndex: 6, score: 0.75 }, { shardIndex: 3, rowIndex: 5, score: 0.5 }]);
});
