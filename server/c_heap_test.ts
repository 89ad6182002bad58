import { deepEqual } from "node:assert/strict";

const CHILD = new URL("./_c_heap_child.ts", import.meta.url).href;

async function ask(): Promise<unknown> {
  const args = ["run", "--quiet", "-A", CHILD];
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), { args }).output();
  const said = new TextDecoder().decode(stdout);
  return said === "" ? new TextDecoder().decode(stderr) : JSON.parse(said);
}

Deno.test({
  name: "blocks of the size of one read stand apart from the heap once the allocator was told, smaller ones in it",
  ignore: !Deno.build.target.endsWith("-linux-gnu"),
  fn: async () => {
    deepEqual(await ask(), { before: 0, after: 100, small: 0, events: [] });
  },
});
