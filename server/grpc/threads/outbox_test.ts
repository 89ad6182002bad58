import { deepEqual, equal } from "node:assert/strict";
import { setImmediate } from "node:timers";
import { Outbox } from "./outbox.ts";

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

Deno.test("Outbox posts together what was added in one turn, in order", async () => {
  const posts: (readonly number[])[] = [];
  const outbox = new Outbox<number>((messages) => void posts.push(messages));
  for (const message of [1, 2, 3]) outbox.add(message);
  equal(posts.length, 0);
  await turn();
  outbox.add(4);
  await turn();
  deepEqual(posts, [[1, 2, 3], [4]]);
});

Deno.test("Outbox posts no more at once than is read without holding anybody up", async () => {
  const posts: (readonly number[])[] = [];
  const outbox = new Outbox<number>((messages) => void posts.push(messages));
  for (let message = 0; message < 300; message++) outbox.add(message);
  await turn();
  deepEqual(posts.map(({ length }) => length), [64, 64, 64, 64, 44]);
  deepEqual(posts.flat(), Array.from({ length: 300 }, (_, message) => message));
});
