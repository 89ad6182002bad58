import { deepEqual, equal, rejects } from "node:assert/strict";
import { KeptThread } from "./kept_thread.ts";

type Answer = { readonly part: number } | { readonly made: number };

/** A thread that counts what it did; it dies of `0`, and is silent on `-1`. */
const SCRIPT = `let made = 0;
onmessage = ({ data }) => {
  if (data === 0) throw new Error("died of nothing");
  if (data === -1) return;
  for (let part = 0; part < data; part++) postMessage({ part });
  postMessage({ made: ++made });
};`;

function setUp() {
  let started = 0;
  const thread = new KeptThread<number, Answer>(() => {
    started++;
    return new Worker(`data:text/javascript,${encodeURIComponent(SCRIPT)}`, { type: "module" });
  });
  const ask = (request: number, limit?: { ms: number; late: () => Error }) => {
    const parts: number[] = [];
    return thread.do({
      request,
      take: (answer) => {
        if ("part" in answer) return void parts.push(answer.part);
        if (parts.length > 2) throw new Error("too many parts");
        return { made: answer.made, parts };
      },
      died: (reason) => new Error(`died: ${reason}`),
      ...(limit === undefined ? {} : { limit }),
    });
  };
  return { thread, ask, started: () => started, [Symbol.dispose]: () => thread.end() };
}

Deno.test("KeptThread does one work after the other in one thread, which starts with the first", async () => {
  using it = setUp();
  deepEqual([it.started(), it.thread.isRunning], [0, false]);
  const [one, two] = await Promise.all([it.ask(1), it.ask(2)]);
  deepEqual([one, two, it.started()], [{ made: 1, parts: [0] }, { made: 2, parts: [0, 1] }, 1]);
});

Deno.test("KeptThread starts another thread after one that died, took too long or was ended", async () => {
  using it = setUp();
  await rejects(it.ask(0), /^Error: died: .*died of nothing/);
  equal((await it.ask(1)).made, 1);
  await rejects(it.ask(-1, { ms: 20, late: () => new Error("late") }), /^Error: late$/);
  equal((await it.ask(1)).made, 1);
  const never = it.ask(-1);
  setTimeout(() => it.thread.end(), 20);
  await rejects(never, /ended/);
  equal((await it.ask(1)).made, 1);
  equal(it.started(), 4);
});

Deno.test("KeptThread goes on after work whose answer was refused", async () => {
  using it = setUp();
  await rejects(it.ask(3), /too many parts/);
  deepEqual([(await it.ask(1)).made, it.started()], [2, 1]);
});
