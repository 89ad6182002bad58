import { equal, ok } from "node:assert/strict";
import { LoopDelay } from "./loop_delay.ts";

Deno.test("LoopDelay tells the longest pause since it was asked, once", async () => {
  const watched = new LoopDelay(() => performance.now());
  try {
    await new Promise((resolve) => setTimeout(resolve, 50));
    watched.takeSeconds();
    const until = performance.now() + 150;
    while (performance.now() < until);
    await new Promise((resolve) => setTimeout(resolve, 1));
    const paused = watched.takeSeconds();
    ok(paused > 0.1, `${paused} s`);
    const after = watched.takeSeconds();
    ok(after < paused, `${after} s`);
  } finally {
    watched.stop();
  }
});

Deno.test("LoopDelay reads nothing but the clock that it is given", () => {
  let now = 1000;
  const watched = new LoopDelay(() => now);
  now += 20;
  equal(watched.takeSeconds(), 0);
  now += 300;
  equal(watched.takeSeconds(), 0.3);
  watched.stop();
});
