import { deepEqual } from "node:assert/strict";
import { keepsBuffersOfIdleSockets } from "./c_heap.ts";

const CHILD = new URL("./_c_heap_child.ts", import.meta.url).href;

async function ask(): Promise<unknown> {
  const args = ["run", "--quiet", "-A", CHILD];
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), { args }).output();
  const said = new TextDecoder().decode(stdout);
  return said === "" ? new TextDecoder().decode(stderr) : JSON.parse(said);
}

Deno.test("runtimes before 2.8 hold a buffer for each idle socket, later ones don't", () => {
  const versions = ["1.46.3", "2.7.11", "2.7.14", "2.8.0", "2.8.3", "2.10.0", "3.0.0"];
  deepEqual(versions.filter(keepsBuffersOfIdleSockets), ["1.46.3", "2.7.11", "2.7.14"]);
});

Deno.test({
  name: "blocks of the size of one read stand apart from the heap once the allocator was told, smaller ones in it",
  ignore: !Deno.build.target.endsWith("-linux-gnu"),
  fn: async () => {
    deepEqual(await ask(), { before: 0, after: 100, small: 0, events: [] });
  },
});
