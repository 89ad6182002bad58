import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { digestOf, prepareFile, snapshotOf } from "./disk.ts";

async function withPath(use: (path: string, names: () => Promise<string[]>) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "runevault-disk-" });
  const names = async () => (await Array.fromAsync(Deno.readDir(folder))).map((entry) => entry.name).sort();
  try {
    await use(`${folder}/vault-tokens.yml`, names);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

Deno.test("digestOf() is the SHA-256 of the bytes, also of many; null where there is no file", async () => {
  await withPath(async (path) => {
    assert.equal(await digestOf(path), null);
    assert.equal(await snapshotOf(path), null);
    const large = "é".repeat(700_000);
    await Deno.writeTextFile(path, large);
    assert.equal(await digestOf(path), sha256(large));
    assert.equal((await snapshotOf(path))?.digest, sha256(large));
  });
});

Deno.test("a prepared file is not in force before its commit, then replaces the old one with mode 0600", async () => {
  await withPath(async (path, names) => {
    await Deno.writeTextFile(path, "old", { mode: 0o644 });
    const prepared = await prepareFile(path, ["né", "w"]);
    assert.equal(prepared.digest, sha256("néw"));
    assert.equal(await Deno.readTextFile(path), "old");
    assert.equal(await prepared.commit(await snapshotOf(path)), true);
    assert.equal(await Deno.readTextFile(path), "néw");
    assert.equal((await Deno.stat(path)).mode! & 0o777, 0o600);
    assert.deepEqual(await names(), ["vault-tokens.yml"]);
  });
});

Deno.test("a prepared file can be thrown away", async () => {
  await withPath(async (path, names) => {
    await (await prepareFile(path, ["text"])).discard();
    assert.deepEqual(await names(), []);
  });
});

Deno.test("a commit puts nothing over a file that changed since it was looked at", async () => {
  const changes: ((path: string) => Promise<void>)[] = [
    (path) => Deno.writeTextFile(path, "edited in place, longer"),
    async (path) => {
      await Deno.writeTextFile(`${path}~`, "old");
      await Deno.rename(`${path}~`, path);
    },
    (path) => Deno.remove(path),
  ];
  for (const change of changes) {
    await withPath(async (path, names) => {
      await Deno.writeTextFile(path, "old");
      const before = await snapshotOf(path);
      const prepared = await prepareFile(path, ["ours"]);
      await change(path);
      const left = await digestOf(path);
      assert.equal(await prepared.commit(before), false);
      assert.equal(await digestOf(path), left);
      assert.ok(!(await names()).includes("vault-tokens.yml.new"));
    });
  }
});

Deno.test("a commit where no file was puts nothing over one that came meanwhile", async () => {
  await withPath(async (path) => {
    const prepared = await prepareFile(path, ["ours"]);
    await Deno.writeTextFile(path, "theirs");
    assert.equal(await prepared.commit(null), false);
    assert.equal(await Deno.readTextFile(path), "theirs");
  });
});

Deno.test("what a crash left beside the file is replaced, and a link in its place leads nowhere", async () => {
  await withPath(async (path, names) => {
    await Deno.writeTextFile(`${path}.new`, "half of an older te");
    await (await prepareFile(path, ["first"])).commit(null);
    await Deno.writeTextFile(`${path}.victim`, "not ours");
    await Deno.symlink(`${path}.victim`, `${path}.new`);
    assert.equal(await (await prepareFile(path, ["second"])).commit(await snapshotOf(path)), true);
    assert.equal(await Deno.readTextFile(path), "second");
    assert.equal(await Deno.readTextFile(`${path}.victim`), "not ours");
    assert.deepEqual(await names(), ["vault-tokens.yml", "vault-tokens.yml.victim"]);
  });
});

Deno.test("a text that can't be made leaves nothing behind", async () => {
  await withPath(async (path, names) => {
    function* failing(): Iterable<string> {
      yield "some";
      throw new Error("no space");
    }
    await assert.rejects(prepareFile(path, failing()), /no space/);
    assert.deepEqual(await names(), []);
  });
});

Deno.test("a file named without its folder lies in the working folder", async () => {
  const folder = await Deno.makeTempDir({ prefix: "runevault-disk-" });
  const before = Deno.cwd();
  try {
    Deno.chdir(folder);
    assert.equal(await (await prepareFile("vault-tokens.yml", ["text"])).commit(null), true);
    assert.equal(await Deno.readTextFile(`${folder}/vault-tokens.yml`), "text");
  } finally {
    Deno.chdir(before);
    await Deno.remove(folder, { recursive: true });
  }
});
