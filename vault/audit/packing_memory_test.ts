import { deepEqual, ok } from "node:assert/strict";

const MEGABYTES = 128;

Deno.test("the thread that packs audit files, which is kept, keeps little of a file that it has packed", async () => {
  const child = new URL("./_packing_child.ts", import.meta.url).pathname;
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--cached-only", "-A", "--v8-flags=--expose-gc", child, String(MEGABYTES)],
  }).output();
  const { answer, more } = JSON.parse(new TextDecoder().decode(stdout)) as { answer: unknown; more: number };
  deepEqual(answer, {});
  ok(more < 25, `${more} MB more are resident after ${MEGABYTES} MB were packed`);
});
