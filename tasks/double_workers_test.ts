import { deepEqual } from "node:assert/strict";
import { temporaryFolder } from "../tests/started_server.ts";
import { doubleWorkers } from "./double_workers.ts";

Deno.test("a worker's name that another file has is found, wherever that lies", async () => {
  await using folder = await temporaryFolder();
  const write = async (path: string, text: string) => {
    await Deno.mkdir(`${folder.path}/${path.slice(0, path.lastIndexOf("/"))}`, { recursive: true });
    await Deno.writeTextFile(`${folder.path}/${path}`, text);
  };
  await write("a/starts.ts", 'new Worker(new URL("./the_worker.ts", import.meta.url).href, { type: "module" });');
  await write("a/the_worker.ts", "");
  await write("b/other.ts", "");
  await write("c/other.ts", "");
  deepEqual(await doubleWorkers(folder.path), []);
  await write("tests/fakes/the_worker.ts", "");
  deepEqual(await doubleWorkers(folder.path), [
    `${folder.path}/a/the_worker.ts`,
    `${folder.path}/tests/fakes/the_worker.ts`,
  ]);
});

Deno.test("no file of this repository has the name of a worker of the program", async () => {
  deepEqual(await doubleWorkers(new URL("../", import.meta.url).pathname.replace(/\/$/, "")), []);
});
