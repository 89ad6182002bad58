import { deepEqual, equal, rejects } from "node:assert/strict";
import { writeWhole } from "./whole_file.ts";

async function withFolder(test: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await test(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function namesIn(folder: string): Promise<string[]> {
  return (await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => name).sort();
}

Deno.test("writeWhole() replaces a file when all was written, for its owner alone", async () => {
  await withFolder(async (folder) => {
    const path = `${folder}/out.jsonl`;
    await Deno.writeTextFile(path, "old", { mode: 0o644 });
    await writeWhole(path, async (write) => {
      await write("one\n");
      equal(await Deno.readTextFile(path), "old", "not before the end");
      await write("two\n");
    });
    equal(await Deno.readTextFile(path), "one\ntwo\n");
    equal((await Deno.stat(path)).mode! & 0o777, 0o600);
    deepEqual(await namesIn(folder), ["out.jsonl"]);
  });
});

Deno.test("writeWhole() leaves nothing behind when its work fails", async () => {
  await withFolder(async (folder) => {
    const path = `${folder}/out.jsonl`;
    const failing = writeWhole(path, async (write) => {
      await write("half\n");
      throw new Error("bad line");
    });
    await rejects(failing, /bad line/);
    deepEqual(await namesIn(folder), []);
    await rejects(writeWhole(`${folder}/none/out`, () => Promise.resolve()), { kind: "invalid_argument" });
    await Deno.mkdir(`${folder}/dir`);
    await rejects(writeWhole(`${folder}/dir`, (write) => write("x")));
    deepEqual(await namesIn(folder), ["dir"]);
  });
});
