/**
 * Loads the native library that signs identity tokens (S26): from a private folder of ours, byte for byte the one that
 * this program was built for, before any listener opens; after that nothing native can be loaded any more.
 *
 * Without it, on another platform say, the runtime signs: slower, never otherwise.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { createRequire } from "node:module";
import type { NativeJwt } from "../vault/oidc/native_jwt.ts";
import type { Logger } from "../vault/ports.ts";
import {
  assertPrivate,
  makePrivateFolder,
  removeIfThere,
  writeNewPrivateFile,
} from "../vault/storage/private_files.ts";

/** The library of each platform: its npm package and the SHA-256 of its one file. */
const LIBRARIES: Readonly<
  Record<string, { readonly specifier: string; readonly file: string; readonly sha256: string }>
> = {
  "x86_64-unknown-linux-gnu": {
    specifier: "@node-rs/jsonwebtoken-linux-x64-gnu",
    file: "jsonwebtoken.linux-x64-gnu.node",
    sha256: "b060a40b6832e69fdaec07142b1fe5360a228176914565bbc3f2ff98e33e16ab",
  },
};

/** What this program uses of the library. */
interface Library {
  signSync(claims: object, key: string, header: { algorithm: string; keyId: string }): string;
}

/** Where the library is found, and what is said of it. */
export interface NativeSurroundings {
  /** `<data>/native`. */
  readonly folder: string;
  readonly logger: Logger;
  /** Another file to take the library from, for tests. */
  readonly source?: string;
}

/**
 * Loads the library and gives up the permission to load anything else.
 *
 * @returns undefined where there is none for this platform, or it isn't the one that it must be; the log says so.
 */
export async function loadNativeJwt(surroundings: NativeSurroundings): Promise<NativeJwt | undefined> {
  try {
    return await load(surroundings);
  } catch (error) {
    const reason = error instanceof Error ? error.message : "unknown";
    surroundings.logger.log("warn", "native_signing_off", {
      reason,
      hint: "identity tokens are signed by the runtime",
    });
    return undefined;
  } finally {
    await Deno.permissions.revoke({ name: "ffi" });
  }
}

async function load({ folder, source, logger }: NativeSurroundings): Promise<NativeJwt | undefined> {
  const library = LIBRARIES[Deno.build.target];
  if (library === undefined) {
    logger.log("info", "native_signing_off", { reason: `no library for ${Deno.build.target}` });
    return undefined;
  }
  const bytes = await Deno.readFile(source ?? locate(library.specifier, library.file));
  assertDigest(bytes, library.sha256);
  const path = await place(folder, library.file, bytes);
  // What is loaded is what lies there now, not what was meant to.
  assertDigest(await Deno.readFile(path), library.sha256);
  return adapt(createRequire(import.meta.url)(path) as Library);
}

/** Beside the program where it was compiled; in npm's cache where it wasn't. */
function locate(specifier: string, file: string): string {
  if (Deno.build.standalone) return `${import.meta.dirname}/dist/native/${file}`;
  return createRequire(import.meta.url).resolve(specifier);
}

/** Whatever lay at this name before is nobody's word: the file is always written anew. */
async function place(folder: string, file: string, bytes: Uint8Array): Promise<string> {
  await makePrivateFolder(folder);
  await assertPrivate(folder);
  const path = `${folder}/${file}`;
  await removeIfThere(path);
  await writeNewPrivateFile(path, bytes);
  return path;
}

function assertDigest(bytes: Uint8Array, sha256: string): void {
  const found = createHash("sha256").update(bytes).digest("hex");
  if (found !== sha256) throw new Error(`the library has SHA-256 ${found}, not ${sha256}`);
}

function adapt(library: Library): NativeJwt {
  return {
    sign: (claims, privateKey, algorithm, keyId) => library.signSync(claims, privateKey, { algorithm, keyId }),
  };
}
