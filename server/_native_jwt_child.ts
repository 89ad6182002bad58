/**
 * Loads the native library in a process of its own, for `native_jwt_test.ts`: the permission that is given up at the end
 * would be missing to every other test. Arguments: the folder, and the file to take the library from.
 *
 * @module
 */

import { generateKeyPairSync } from "node:crypto";
import { createRequire } from "node:module";
import { MemoryLogger } from "../tests/fakes/ports.ts";
import { loadNativeJwt } from "./native_jwt.ts";

const [folder = "", source] = Deno.args;
const logger = new MemoryLogger();
const native = await loadNativeJwt({ folder, logger, ...(source === undefined ? {} : { source }) });
const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
const pem = privateKey.export({ type: "pkcs8", format: "pem" }) as string;
const result = {
  token: native?.sign({ sub: "alice", n: 1 }, pem, "ES256", "kid-1") ?? null,
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
