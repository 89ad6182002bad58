import { deepEqual, equal, notEqual } from "node:assert/strict";
import { createRequire } from "node:module";
import { argon2Verify } from "hash-wasm";
import { importJWK, jwtVerify } from "jose";

const CHILD = new URL("./_native_libraries_child.ts", import.meta.url).href;
const LIBRARY = createRequire(import.meta.url).resolve("@node-rs/jsonwebtoken-linux-x64-gnu");

function load(folder: string, ...args: string[]) {
  return loadIn(Deno.cwd(), folder, ...args);
}

async function loadIn(cwd: string, folder: string, ...args: string[]) {
  const command = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", "--no-prompt", CHILD, folder, ...args],
    cwd,
  });
  const { stdout } = await command.output();
  return JSON.parse(new TextDecoder().decode(stdout));
}

async function inFolder(use: (parent: string) => Promise<void>): Promise<void> {
  const parent = await Deno.makeTempDir({ prefix: "runevault-native-" });
  try {
    await Deno.copyFile(LIBRARY, `${parent}/planted.node`);
    await use(parent);
  } finally {
    await Deno.remove(parent, { recursive: true });
  }
}

Deno.test("the native libraries are loaded from a private folder, work, and nothing can be loaded after them", async () => {
  await inFolder(async (parent) => {
    const { token, hash, jwk, events, mayLoad, secondLoad } = await load(`${parent}/native`);
    const { payload, protectedHeader } = await jwtVerify(token, await importJWK(jwk, "ES256"));
    deepEqual([payload["sub"], protectedHeader], ["alice", { typ: "JWT", alg: "ES256", kid: "kid-1" }]);
    equal(await argon2Verify({ password: "pässword", hash }), true);
    equal(((await Deno.stat(`${parent}/native`)).mode ?? 0) & 0o777, 0o700);
    deepEqual([events, mayLoad, secondLoad === "loaded"], [[], false, false]);
  });
});

Deno.test("a data folder that is named by a relative path is the one below the present folder", async () => {
  await inFolder(async (parent) => {
    const { events, token, hash } = await loadIn(parent, "./native");
    deepEqual([events, token === null, hash === null], [[], false, false]);
  });
});

Deno.test("a file planted in the folder is replaced, never loaded", async () => {
  await inFolder(async (parent) => {
    await Deno.mkdir(`${parent}/native`, { mode: 0o700 });
    const path = `${parent}/native/jsonwebtoken.linux-x64-gnu.node`;
    await Deno.writeTextFile(path, "planted");
    notEqual((await load(`${parent}/native`)).token, null);
    equal((await Deno.stat(path)).size, (await Deno.stat(LIBRARY)).size);
  });
});

Deno.test("another library than the one of the build is not loaded, nor one in a folder that others may write", async () => {
  await inFolder(async (parent) => {
    const bytes = await Deno.readFile(LIBRARY);
    bytes[bytes.length - 1]! ^= 1;
    await Deno.writeFile(`${parent}/changed.node`, bytes);
    const changed = await load(`${parent}/native`, `${parent}/changed.node`);
    deepEqual([changed.token, changed.events, changed.mayLoad], [null, ["native_library_off"], false]);
    notEqual(changed.hash, null, "the other one is what it must be");
    const both = await load(`${parent}/native`, `${parent}/changed.node`, `${parent}/changed.node`);
    deepEqual([both.token, both.hash], [null, null]);
    await Deno.mkdir(`${parent}/open`);
    await Deno.chmod(`${parent}/open`, 0o777);
    const open = await load(`${parent}/open`);
    deepEqual([open.token, open.hash], [null, null]);
  });
});
