import { ok } from "node:assert/strict";
import { ownNow } from "./own_time.ts";

/** Computes without a pause until this thread itself has had so much time; returns the time on the wall. */
function work(ownMs: number): number {
  const [wall, own] = [performance.now(), ownNow()];
  while (ownNow() < own + ownMs);
  return performance.now() - wall;
}

Deno.test("ownNow() counts work, blocking and sleep", async () => {
  ok(work(50) >= 50);
  const [wall, own] = [performance.now(), ownNow()];
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50);
  await new Promise((resolve) => setTimeout(resolve, 50));
  const counted = ownNow() - own;
  ok(counted > 90 && counted <= performance.now() - wall, `${counted} ms`);
});

Deno.test({
  name: "ownNow() does not count what others take of the processors",
  ignore: Deno.build.os !== "linux",
  fn: () => {
    const others = Array.from({ length: 2 * navigator.hardwareConcurrency }, busyThread);
    try {
      // The share that the others take is large, and the kernel's to give: one of some rounds shows it.
      let longest = 0;
      for (let i = 0; i < 50 && longest < 75; i++) longest = Math.max(longest, work(50));
      ok(longest >= 75, `${longest} ms on the wall for 50 of our own`);
    } finally {
      for (const one of others) one.terminate();
    }
  },
});

function busyThread(): Worker {
  const code = "const until = Date.now() + 10000; while (Date.now() < until);";
  return new Worker(`data:text/javascript,${encodeURIComponent(code)}`, { type: "module" });
}
