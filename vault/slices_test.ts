import assert from "node:assert/strict";
import { refused } from "./_test_support.ts";
import { Slices, Turns } from "./slices.ts";

/** Works without a pause for some milliseconds. */
function work(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

/** Whether something holds in one of a few tries: the machine may be busy with something else in any one of them. */
async function inSomeTry(holds: () => boolean | Promise<boolean>): Promise<boolean> {
  for (let i = 0; i < 10; i++) if (await holds()) return true;
  return false;
}

Deno.test("Slices is spent after a few milliseconds of work, and not before; a rest begins anew", async () => {
  assert.ok(await inSomeTry(() => !new Slices().spent));
  const slices = new Slices();
  work(6);
  assert.equal(slices.spent, true);
  assert.ok(await inSomeTry(async () => (await slices.rest(), !slices.spent)));
});

Deno.test("Slices.rest() lets everything else run that waits: timers, promises, what others queued", async () => {
  const ran: string[] = [];
  setTimeout(() => ran.push("timer"), 0);
  Promise.resolve().then(() => ran.push("promise"));
  work(3);
  const slices = new Slices();
  for (let i = 0; i < 3; i++) await slices.rest();
  assert.deepEqual(ran.sort(), ["promise", "timer"]);
});

Deno.test("Slices.rest() ends the work of a caller who has gone", async () => {
  const leaving = new AbortController();
  const slices = new Slices(leaving.signal);
  await slices.rest();
  leaving.abort();
  await assert.rejects(slices.rest(), refused("cancelled"));
});

Deno.test("who shares turns shares one slice of each: work that comes second in a turn is spent at once", async () => {
  const turns = new Turns();
  const first = new Slices(undefined, turns);
  work(6);
  assert.equal(first.spent, true);
  const second = new Slices(undefined, turns);
  assert.equal(second.spent, true, "though it has done nothing yet");
  assert.ok(await inSomeTry(() => !new Slices().spent), "others have turns of their own");
  const order: string[] = [];
  const turn = (name: string, slices: Slices) => slices.rest().then(() => (order.push(name), work(6)));
  await Promise.all([turn("first", first), turn("second", second), turn("first again", first)]);
  assert.deepEqual(order, ["first", "second", "first again"]);
});

Deno.test("no two who share turns work in the same turn of the event loop", async () => {
  const turns = new Turns();
  const worked: number[] = [];
  let turn = 0;
  const clock = setInterval(() => turn++, 0);
  const batch = async () => {
    const slices = new Slices(undefined, turns);
    for (let i = 0; i < 4; i++) {
      await slices.rest();
      work(5);
      worked.push(turn);
    }
  };
  await Promise.all([batch(), batch(), batch(), batch()]);
  clearInterval(clock);
  assert.equal(worked.length, 16);
  const most = Math.max(...[...new Set(worked)].map((one) => worked.filter((other) => other === one).length));
  assert.ok(most <= 3, `${most} slices before a timer that was due could run`);
});
