import { deepEqual, equal } from "node:assert/strict";
import { DueQueue } from "./due_queue.ts";

Deno.test("a queue gives what is due in the order of its moments, whatever the order of adding", () => {
  const queue = new DueQueue();
  const moments = Array.from({ length: 500 }, (_, i) => (i * 7919) % 500);
  for (const at of moments) queue.add(at, String(at));
  equal(queue.next, 0);
  deepEqual(queue.take(249, Infinity), Array.from({ length: 250 }, (_, i) => String(i)));
  deepEqual([queue.size, queue.next], [250, 250]);
  deepEqual(queue.take(1000, Infinity), Array.from({ length: 250 }, (_, i) => String(250 + i)));
  deepEqual([queue.size, queue.next], [0, undefined]);
});

Deno.test("a queue gives no more than it is asked for, and nothing before its moment", () => {
  const queue = new DueQueue();
  for (const key of ["a", "b", "c"]) queue.add(10, key);
  deepEqual(queue.take(9, 10), []);
  equal(queue.take(10, 2).length, 2);
  equal(queue.take(10, 2).length, 1);
  deepEqual(queue.take(10, 2), []);
});

Deno.test("a key may wait several times, and is given each time", () => {
  const queue = new DueQueue();
  queue.add(5, "a");
  queue.add(9, "a");
  deepEqual(queue.take(5, 10), ["a"]);
  deepEqual(queue.take(9, 10), ["a"]);
});
