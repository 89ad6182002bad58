import { deepEqual, equal } from "node:assert/strict";
import { Progress } from "./progress.ts";

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** A progress line that ticks every 20 ms, on a clock that goes a second a look. */
function progress(width = 80) {
  const written: string[] = [];
  let now = 0;
  const line = new Progress({ width, tickMs: 20, write: (text) => void written.push(text), now: () => now += 1000 });
  return { line, written };
}

Deno.test("what ends before the first tick shows nothing", async () => {
  const { line, written } = progress();
  line.tell("token list");
  line.tell(null);
  await pause(60);
  deepEqual(written, []);
});

Deno.test("what takes longer is shown with its time, and taken away at the end", async () => {
  const { line, written } = progress();
  line.tell("backup");
  while (written.length === 0) await pause(5);
  line.tell("backup: 3 MB");
  for (const before = written.length; written.length === before;) await pause(5);
  line.tell(null);
  equal(written[0], "\r\x1b[Kbackup … 1 s");
  equal(written.at(-2)!.startsWith("\r\x1b[Kbackup: 3 MB … "), true);
  equal(written.at(-1), "\r\x1b[K");
});

Deno.test("other output takes the line away first, once; while somebody types there is none", async () => {
  const { line, written } = progress();
  line.tell("x");
  while (written.length === 0) await pause(5);
  await line.aside(async () => {
    equal(written.at(-1), "\r\x1b[K");
    const before = written.length;
    await pause(60);
    line.clear();
    equal(written.length, before);
  });
  line.tell(null);
});

Deno.test("a line is never longer than the terminal", async () => {
  const { line, written } = progress(10);
  line.tell("a very long description");
  while (written.length === 0) await pause(5);
  line.tell(null);
  equal(written[0], "\r\x1b[Ka very lo");
});
