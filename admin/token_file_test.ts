import { equal, match, notEqual, rejects } from "node:assert/strict";
import { countingRandom } from "../tests/fakes/ports.ts";
import { ADMIN_TOKEN_FILE, ensureAdminToken } from "./token_file.ts";

async function withFolder(test: (folder: string, path: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await test(folder, `${folder}/${ADMIN_TOKEN_FILE}`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("ensureAdminToken() makes a token of mode 0600 once, and reads it afterwards", async () => {
  await withFolder(async (folder, path) => {
    const random = countingRandom();
    const made = await ensureAdminToken(folder, random);
    match(made, /^adm_[0-9a-f]{64}$/);
    equal((await Deno.stat(path)).mode! & 0o777, 0o600);
    equal(await ensureAdminToken(folder, random), made);
    await Deno.remove(path);
    notEqual(await ensureAdminToken(folder, random), made);
  });
});

Deno.test("ensureAdminToken() finishes what a crash in the middle of making one left", async () => {
  await withFolder(async (folder, path) => {
    await Deno.writeTextFile(`${path}.new`, "adm_12", { mode: 0o644 });
    const made = await ensureAdminToken(folder, countingRandom());
    equal(await Deno.readTextFile(path), `${made}\n`);
    equal((await Deno.stat(path)).mode! & 0o777, 0o600);
  });
});

Deno.test("ensureAdminToken() refuses a token that others may read, with the chmod to run", async () => {
  await withFolder(async (folder, path) => {
    await ensureAdminToken(folder, countingRandom());
    for (const mode of [0o640, 0o604, 0o620]) {
      await Deno.chmod(path, mode);
      await rejects(ensureAdminToken(folder, countingRandom()), {
        kind: "config_invalid",
        hint: `run: chmod 600 ${path}`,
      });
    }
  });
});

Deno.test("ensureAdminToken() refuses a file that holds something else, and doesn't overwrite it", async () => {
  await withFolder(async (folder, path) => {
    for (const text of ["", "adm_short\n", `adm_${"0".repeat(64)}\nmore\n`]) {
      await Deno.writeTextFile(path, text, { mode: 0o600 });
      await rejects(ensureAdminToken(folder, countingRandom()), { kind: "config_invalid" });
      equal(await Deno.readTextFile(path), text);
    }
    await Deno.remove(path);
    await Deno.mkdir(path, { mode: 0o700 });
    await rejects(ensureAdminToken(folder, countingRandom()), { kind: "config_invalid" });
  });
});
