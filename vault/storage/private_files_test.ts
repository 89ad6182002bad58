import assert from "node:assert/strict";
import { refused } from "../_test_support.ts";
import { assertPrivate, assertPrivateIfThere, makePrivateFolder, removeIfThere } from "./private_files.ts";
import { writeNewPrivateFile } from "./private_files.ts";

async function withFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "runevault-private-" });
  try {
    await use(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function modeOf(path: string): Promise<number> {
  return (await Deno.stat(path)).mode! & 0o777;
}

Deno.test("writeNewPrivateFile() makes a file that its owner alone may read, and leaves nothing besides", async () => {
  await withFolder(async (folder) => {
    await writeNewPrivateFile(`${folder}/seal.key`, new Uint8Array([1, 2, 3]));
    assert.deepEqual([...await Deno.readFile(`${folder}/seal.key`)], [1, 2, 3]);
    assert.equal(await modeOf(`${folder}/seal.key`), 0o600);
    assert.equal((await Array.fromAsync(Deno.readDir(folder))).length, 1);
  });
});

Deno.test("writeNewPrivateFile() never replaces a file", async () => {
  await withFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/seal.key`, "the old one");
    await assert.rejects(writeNewPrivateFile(`${folder}/seal.key`, new Uint8Array(32)), Deno.errors.AlreadyExists);
    assert.equal(await Deno.readTextFile(`${folder}/seal.key`), "the old one");
    assert.equal((await Array.fromAsync(Deno.readDir(folder))).length, 1);
  });
});

Deno.test("writeNewPrivateFile() says that it could not make the file, not that there was none to remove", async () => {
  await withFolder(async (folder) => {
    const made = writeNewPrivateFile(`${folder}/no such folder/seal.key`, new Uint8Array(1));
    await assert.rejects(made, (error: unknown) => error instanceof Error && /\bopen\b/.test(error.message));
  });
});

Deno.test("assertPrivate() refuses what others may read or write, and says the chmod", async () => {
  await withFolder(async (folder) => {
    const file = `${folder}/admin.token`;
    await Deno.writeTextFile(file, "x");
    for (const mode of [0o640, 0o604, 0o620, 0o602, 0o610, 0o601, 0o666]) {
      await Deno.chmod(file, mode);
      await assert.rejects(assertPrivate(file), (error: unknown) => {
        assert.ok(refused("config_invalid", new RegExp(mode.toString(8)))(error));
        assert.equal((error as { hint?: string }).hint, `chmod 600 ${file}`);
        return true;
      });
    }
    for (const mode of [0o600, 0o400, 0o700]) {
      await Deno.chmod(file, mode);
      await assertPrivate(file);
    }
    await Deno.chmod(folder, 0o750);
    await assert.rejects(assertPrivate(folder), (error: unknown) => {
      return (error as { hint?: string }).hint === `chmod 700 ${folder}`;
    });
    await Deno.chmod(folder, 0o700);
  });
});

Deno.test("assertPrivate() leaves systemd's credentials folder to systemd, and no other whose name begins so", async () => {
  await withFolder(async (folder) => {
    await Deno.mkdir(`${folder}/creds`);
    await Deno.mkdir(`${folder}/creds-of-mine`);
    for (const name of ["creds", "creds-of-mine"]) {
      await Deno.writeTextFile(`${folder}/${name}/secret`, "x");
      await Deno.chmod(`${folder}/${name}/secret`, 0o644);
    }
    await assertPrivate(`${folder}/creds/secret`, `${folder}/creds`);
    const mine = `${folder}/creds-of-mine/secret`;
    await assert.rejects(assertPrivate(mine, `${folder}/creds`), refused("config_invalid"));
    await assert.rejects(assertPrivate(mine, ""), refused("config_invalid"));
  });
});

Deno.test("assertPrivateIfThere() minds no file that isn't there, and every one that is", async () => {
  await withFolder(async (folder) => {
    await assertPrivateIfThere(`${folder}/none`);
    await Deno.writeTextFile(`${folder}/some`, "x");
    await Deno.chmod(`${folder}/some`, 0o644);
    await assert.rejects(assertPrivateIfThere(`${folder}/some`), refused("config_invalid"));
  });
});

Deno.test("makePrivateFolder() makes it for its owner alone, and removeIfThere() minds no file that isn't there", async () => {
  await withFolder(async (folder) => {
    await makePrivateFolder(`${folder}/a/b`);
    assert.equal(await modeOf(`${folder}/a/b`), 0o700);
    await removeIfThere(`${folder}/none`);
    await Deno.writeTextFile(`${folder}/some`, "x");
    await removeIfThere(`${folder}/some`);
    await assert.rejects(Deno.stat(`${folder}/some`), Deno.errors.NotFound);
  });
});
