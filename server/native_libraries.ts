/**
 * Loads the native libraries that sign identity tokens and hash passwords (S26): from a private folder of ours, byte for
 * byte those that this program was built for, before any listener opens; after that nothing native can be loaded any more.
 *
 * Without one, on another platform say, the runtime does its work: slower, never otherwise.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { createRequire } from "node:module";
import { resolve } from "node:path";
import type { NativeJwt } from "../vault/oidc/native_jwt.ts";
import type { Logger } from "../vault/ports.ts";
import {
  assertPrivate,
  makePrivateFolder,
  removeIfThere,
  writeNewPrivateFile,
} from "../vault/storage/private_files.ts";
import { type Argon2Library, argon2Of, type NativeArgon2 } from "../vault/userpass/native_passwords.ts";

/** One library: its npm package, and the SHA-256 of its one file. */
interface LibraryFile {
  readonly specifier: string;
  readonly file: string;
  readonly sha256: string;
}

/** What can be loaded, by what it does. */
type LibraryName = "jwt" | "argon2";

const LIBRARIES: Readonly<Record<string, Readonly<Record<LibraryName, LibraryFile>>>> = {
  "x86_64-unknown-linux-gnu": {
    jwt: {
      specifier: "@node-rs/jsonwebtoken-linux-x64-gnu",
      file: "jsonwebtoken.linux-x64-gnu.node",
      sha256: "b060a40b6832e69fdaec07142b1fe5360a228176914565bbc3f2ff98e33e16ab",
    },
    argon2: {
      specifier: "@node-rs/argon2-linux-x64-gnu",
      file: "argon2.linux-x64-gnu.node",
      sha256: "c5765fe04df2e2bb2cf38916837164344339ec4954cce51dd45c7d6848bd1f95",
    },
  },
};

/** The libraries that are there. */
export interface NativeLibraries {
  readonly jwt?: NativeJwt;
  readonly argon2?: NativeArgon2;
}

/** Where the libraries are found, and what is said of them. */
export interface NativeSurroundings {
  /** `<data>/native`. */
  readonly folder: string;
  readonly logger: Logger;
  /** Other files to take libraries from, for tests. */
  readonly sources?: Readonly<Partial<Record<LibraryName, string>>>;
}

/**
 * Loads the libraries and gives up the permission to load anything else.
 *
 * @returns None where there are none for this platform, or where one isn't what it must be; the log says so.
 */
export async function loadNativeLibraries(surroundings: NativeSurroundings): Promise<NativeLibraries> {
  try {
    const [jwt, argon2] = [await tryLoad("jwt", surroundings), await tryLoad("argon2", surroundings)];
    return {
      ...(jwt === undefined ? {} : { jwt: jwtOf(jwt as JwtLibrary) }),
      ...(argon2 === undefined ? {} : { argon2: argon2Of(argon2 as Argon2Library) }),
    };
  } finally {
    await Deno.permissions.revoke({ name: "ffi" });
  }
}

async function tryLoad(name: LibraryName, surroundings: NativeSurroundings): Promise<unknown> {
  const { logger } = surroundings;
  const library = LIBRARIES[Deno.build.target]?.[name];
  if (library === undefined) {
    logger.log("info", "native_library_off", { library: name, reason: `there is none for ${Deno.build.target}` });
    return undefined;
  }
  try {
    return await load(library, surroundings.sources?.[name], surroundings.folder);
  } catch (error) {
    const reason = error instanceof Error ? error.message : "unknown";
    logger.log("warn", "native_library_off", { library: name, reason, hint: "the runtime does its work, slower" });
    return undefined;
  }
}

async function load(library: LibraryFile, source: string | undefined, folder: string): Promise<unknown> {
  const bytes = await Deno.readFile(source ?? locate(library.specifier, library.file));
  assertDigest(bytes, library.sha256);
  const path = await place(folder, library.file, bytes);
  // What is loaded is what lies there now, not what was meant to.
  assertDigest(await Deno.readFile(path), library.sha256);
  // A relative path would be taken for one beside this module.
  return createRequire(import.meta.url)(resolve(path));
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

/** What this program uses of the library that signs. */
interface JwtLibrary {
  signSync(claims: object, key: string, header: { algorithm: string; keyId: string }): string;
}

function jwtOf(library: JwtLibrary): NativeJwt {
  return {
    sign: (claims, privateKey, algorithm, keyId) => library.signSync(claims, privateKey, { algorithm, keyId }),
  };
}
