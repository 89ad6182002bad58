import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { configError, withFolder } from "./_fixtures.ts";
import { makePrivateFolder, recoverFileSet, writeFileSet } from "./file_set.ts";

const FILES = [{ name: "a.key", text: "new key", mode: 0o600 }, { name: "a.pem", text: "new cert", mode: 0o644 }];

async function contents(folder: string): Promise<Record<string, string>> {
  const names = (await Array.fromAsync(Deno.readDir(folder))).map((entry) => entry.name).sort();
  return Object.fromEntries(
    await Promise.all(names.map(async (name) => [name, await Deno.readTextFile(join(folder, name))])),
  );
}

async function put(path: string, text: string): Promise<void> {
  await Deno.mkdir(dirname(path), { recursive: true });
  await Deno.writeTextFile(path, text);
}

async function withOldFiles(body: (folder: string) => Promise<void>): Promise<void> {
  await withFolder(async (folder) => {
    await put(join(folder, "a.key"), "old key");
    await put(join(folder, "a.pem"), "old cert");
    await body(folder);
  });
}

Deno.test("writeFileSet() replaces all files, with their modes, and leaves nothing besides", async () => {
  await withOldFiles(async (folder) => {
    await writeFileSet(folder, FILES);
    assert.deepEqual(await contents(folder), { "a.key": "new key", "a.pem": "new cert" });
    assert.equal((await Deno.stat(join(folder, "a.key"))).mode! & 0o777, 0o600);
  });
});

Deno.test("recoverFileSet() throws away a set that a crash left unfinished", async () => {
  await withOldFiles(async (folder) => {
    await put(join(folder, ".staging", "a.key"), "new k");
    await recoverFileSet(folder);
    assert.deepEqual(await contents(folder), { "a.key": "old key", "a.pem": "old cert" });
    await recoverFileSet(folder);
    await writeFileSet(folder, FILES);
  });
});

Deno.test("recoverFileSet() finishes a set that was committed, wherever the crash hit", async () => {
  for (const moved of [[], ["a.key"], ["a.pem"], ["a.key", "a.pem"]]) {
    await withOldFiles(async (folder) => {
      await Deno.mkdir(join(folder, ".commit"));
      for (const { name, text } of FILES) {
        await put(join(folder, moved.includes(name) ? name : join(".commit", name)), text);
      }
      await recoverFileSet(folder);
      assert.deepEqual(await contents(folder), { "a.key": "new key", "a.pem": "new cert" });
    });
  }
});

Deno.test("writeFileSet() and recoverFileSet() say which folder cannot be written", async () => {
  await withFolder(async (folder) => {
    const absent = join(folder, "absent");
    assert.ok((await configError(() => writeFileSet(absent, FILES))).message.includes(absent));
    await put(join(folder, "file"), "");
    assert.ok((await configError(() => recoverFileSet(join(folder, "file")))).message.includes("file"));
    // A place that is taken by a folder: the set stays committed, and is finished when the place is free.
    await Deno.mkdir(join(folder, "a.pem", "x"), { recursive: true });
    await configError(() => writeFileSet(folder, FILES));
    await Deno.remove(join(folder, "a.pem"), { recursive: true });
    await recoverFileSet(folder);
    assert.deepEqual(await contents(folder), { "a.key": "new key", "a.pem": "new cert", file: "" });
  });
});

Deno.test("makePrivateFolder() makes a folder for its owner alone, and keeps one that is there", async () => {
  await withFolder(async (folder) => {
    const made = join(folder, "tls");
    await makePrivateFolder(made);
    assert.equal((await Deno.stat(made)).mode! & 0o777, 0o700);
    await put(join(made, "x"), "kept");
    await makePrivateFolder(made);
    assert.deepEqual(await contents(made), { x: "kept" });
    await configError(() => makePrivateFolder(join(folder, "absent", "tls")));
  });
});
