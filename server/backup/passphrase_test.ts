import { deepEqual, equal, rejects, throws } from "node:assert/strict";
import { VaultError } from "../../vault/mod.ts";
import { assertStrong, type PassphraseSources, readPassphrase } from "./passphrase.ts";

/** Sources with an environment of their own. */
function sources(env: Record<string, string>, file?: string): PassphraseSources & { left: () => string[] } {
  const variables = new Map(Object.entries(env));
  return {
    file,
    env: (name) => variables.get(name),
    forget: (name) => void variables.delete(name),
    ask: () => Promise.resolve("asked for"),
    left: () => [...variables.keys()],
  };
}

async function withFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "runevault-passphrase-" });
  try {
    await use(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const VARIABLE = "RUNEVAULT_BACKUP_PASSPHRASE";

Deno.test("S26: the variable leaves the environment once read, whichever source is taken", async () => {
  await withFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/file`, "of the file\n", { mode: 0o600 });
    const fromVariable = sources({ [VARIABLE]: "of the variable", OTHER: "x" });
    equal(await readPassphrase(fromVariable, "?"), "of the variable");
    deepEqual(fromVariable.left(), ["OTHER"]);
    const fromFile = sources({ [VARIABLE]: "of the variable" }, `${folder}/file`);
    equal(await readPassphrase(fromFile, "?"), "of the file");
    deepEqual(fromFile.left(), []);
  });
});

Deno.test("a file comes before a credential, that before the variable, that before whoever is asked", async () => {
  await withFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/backup-passphrase`, "of the credential\n", { mode: 0o644 });
    const env = { [VARIABLE]: "of the variable", CREDENTIALS_DIRECTORY: folder };
    equal(await readPassphrase(sources(env), "?"), "of the credential", "systemd guards its folder");
    equal(await readPassphrase(sources({ [VARIABLE]: "of the variable" }), "?"), "of the variable");
    equal(await readPassphrase(sources({}), "?"), "asked for");
  });
});

Deno.test("a file that others may read, none, an empty one and a huge one are refused", async () => {
  await withFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/loose`, "x", { mode: 0o640 });
    await Deno.writeTextFile(`${folder}/empty`, "\n", { mode: 0o600 });
    await Deno.writeTextFile(`${folder}/huge`, "x".repeat(5000), { mode: 0o600 });
    for (const name of ["loose", "none", "empty", "huge"]) {
      await rejects(readPassphrase(sources({}, `${folder}/${name}`), "?"), VaultError, name);
    }
  });
});

Deno.test("twelve characters are counted as people count them", () => {
  assertStrong("twelve chars");
  throws(() => assertStrong("eleven char"), VaultError);
  throws(() => assertStrong("🔑".repeat(11)), VaultError);
});
