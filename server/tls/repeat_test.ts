import assert from "node:assert/strict";
import { pause, until } from "./_fixtures.ts";
import { repeat } from "./repeat.ts";

Deno.test("repeat() runs the task again after each interval, never twice at once, and stops", async () => {
  let [runs, under_way, most] = [0, 0, 0];
  const repetition = repeat(0.002, async () => {
    most = Math.max(most, ++under_way);
    await pause(8);
    under_way--;
    runs++;
  });
  await until(() => runs >= 3, "three runs");
  await until(() => under_way === 1, "a run under way");
  await repetition.stop();
  assert.equal(under_way, 0, "stop() waits for the run under way");
  const runsAtStop = runs;
  await pause(30);
  assert.equal(runs, runsAtStop);
  assert.equal(most, 1);
  await repetition.stop();
});

Deno.test("repeat() does not keep the process alive", async () => {
  const module = new URL("./repeat.ts", import.meta.url).href;
  const code = `import { repeat } from ${JSON.stringify(module)}; repeat(3600, () => Promise.resolve());`;
  const child = new Deno.Command(Deno.execPath(), { args: ["eval", code] }).spawn();
  const timer = setTimeout(() => child.kill("SIGKILL"), 10_000);
  const { code: exit } = await child.status;
  clearTimeout(timer);
  assert.equal(exit, 0);
});
