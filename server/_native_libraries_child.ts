/**
 * Loads the native libraries in a process of its own, for `native_libraries_test.ts`: the permission that is given up at the end
 * would be missing to every other test. Arguments: the folder, and the files to take the libraries from.
 *
 * @module
 */

import { generateKeyPairSync } from "node:crypto";
import { createRequire } from "node:module";
import { MemoryLogger } from "../tests/fakes/ports.ts";
import { loadNativeLibraries } from "./native_libraries.ts";

const [folder = "", jwtSource, argon2Source] = Deno.args;
const logger = new MemoryLogger();
const sources = {
  ...(jwtSource ? { jwt: jwtSource } : {}),
  ...(argon2Source ? { argon2: argon2Source } : {}),
};
const { jwt, argon2 } = await loadNativeLibraries({ folder, logger, sources });
const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
const pem = privateKey.export({ type: "pkcs8", format: "pem" }) as string;
const result = {
  token: jwt?.sign({ sub: "alice", n: 1 }, pem, "ES256", "kid-1") ?? null,
  hash: await argon2?.hash("pässword", new Uint8Array(16).fill(7)) ?? null,
  jwk: publicKey.export({ format: "jwk" }),
  events: logger.names(),
  mayLoad: (await Deno.permissions.query({ name: "ffi" })).state === "granted",
  secondLoad: loadAgain(`${folder}/../planted.node`),
};
Deno.stdout.writeSync(new TextEncoder().encode(JSON.stringify(result)));

/** What an attacker who can write files would try next. */
function loadAgain(path: string): string {
  try {
    createRequire(import.meta.url)(path);
    return "loaded";
  } catch (error) {
    return error instanceof Error ? error.name : "unknown";
  }
}
