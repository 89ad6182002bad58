import assert from "node:assert/strict";
import { join } from "node:path";
import { configError, withFolder } from "./_fixtures.ts";
import { assertPrivateFolder, readKeyFile, readPublicFile } from "./tls_file.ts";

async function keyFile(folder: string, mode: number, name = "server.key"): Promise<string> {
  const path = join(folder, name);
  await Deno.writeTextFile(path, "secret");
  await Deno.chmod(path, mode);
  return path;
}

Deno.test("readKeyFile() refuses a key that others may read and says the chmod", async () => {
  await withFolder(async (folder) => {
    for (const mode of [0o644, 0o640, 0o604, 0o660, 0o601, 0o777]) {
      const path = await keyFile(folder, mode);
      const error = await configError(() => readKeyFile(path, {}));
      assert.equal(error.hint, `chmod 600 ${path}`);
      assert.ok(error.message.includes(path) && error.message.includes(mode.toString(8)));
    }
    for (const mode of [0o600, 0o400]) assert.equal(await readKeyFile(await keyFile(folder, mode), {}), "secret");
  });
});

Deno.test("readKeyFile() quotes a path for the shell where it must", async () => {
  await withFolder(async (folder) => {
    const path = await keyFile(folder, 0o644, "it's; rm -rf x.key");
    const { hint } = await configError(() => readKeyFile(path, {}));
    assert.equal(hint, `chmod 600 '${folder}/it'\\''s; rm -rf x.key'`);
  });
});

Deno.test("readKeyFile() lets a service read what root lends to its group, and nothing wider", async () => {
  await withFolder(async (folder) => {
    const path = await keyFile(folder, 0o640);
    const owner = (await Deno.stat(path)).uid;
    const read = (ownUid: number) => readKeyFile(path, { ownUid });
    if (owner === 0) assert.equal(await read(1000), "secret");
    else await configError(() => read(1000));
    await configError(() => read(0));
    for (const mode of [0o660, 0o644, 0o650]) {
      await Deno.chmod(path, mode);
      await configError(() => read(1000));
    }
  });
});

Deno.test("readKeyFile() exempts systemd's credentials, and no link out of their folder", async () => {
  await withFolder(async (folder) => {
    const credentialsDir = join(folder, "credentials");
    await Deno.mkdir(credentialsDir);
    assert.equal(await readKeyFile(await keyFile(credentialsDir, 0o444), { credentialsDir }), "secret");
    assert.equal(
      await readKeyFile(join(credentialsDir, "server.key"), { credentialsDir: credentialsDir + "/" }),
      "secret",
    );
    const outside = await keyFile(folder, 0o644);
    await Deno.symlink(outside, join(credentialsDir, "link.key"));
    const beside = join(folder, "credentials-not");
    await Deno.mkdir(beside);
    const paths = [outside, join(credentialsDir, "link.key"), join(credentialsDir, "../server.key")];
    for (const path of [...paths, await keyFile(beside, 0o644)]) {
      await configError(() => readKeyFile(path, { credentialsDir }));
    }
    for (const missing of ["", join(folder, "absent")]) {
      await configError(() => readKeyFile(outside, { credentialsDir: missing }));
    }
  });
});

Deno.test("readPublicFile() names what is missing, no file, or too large", async () => {
  await withFolder(async (folder) => {
    const big = join(folder, "big.pem");
    await Deno.writeFile(big, new Uint8Array(1024 * 1024 + 1));
    const pipe = join(folder, "pipe");
    await new Deno.Command("mkfifo", { args: [pipe] }).output();
    for (const path of [join(folder, "absent.pem"), folder, big, pipe]) {
      assert.ok((await configError(() => readPublicFile(path))).message.includes(path));
    }
    await Deno.writeFile(big, new Uint8Array(1024 * 1024).fill(65));
    assert.equal((await readPublicFile(big)).length, 1024 * 1024);
  });
});

Deno.test("assertPrivateFolder() refuses a folder that others may enter", async () => {
  await withFolder(async (folder) => {
    await assertPrivateFolder(folder);
    for (const mode of [0o755, 0o770, 0o701]) {
      await Deno.chmod(folder, mode);
      assert.equal((await configError(() => assertPrivateFolder(folder))).hint, `chmod 700 ${folder}`);
    }
    await configError(() => assertPrivateFolder(join(folder, "absent")));
    await configError(async () => assertPrivateFolder(await keyFile(folder, 0o600)));
  });
});
