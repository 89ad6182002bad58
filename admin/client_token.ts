/**
 * Whose token a client sends: an operator's own where one is given, else that of the data folder.
 *
 * @module
 */

import { VaultError } from "../vault/errors.ts";
import { parseOperatorToken } from "./admin_token.ts";

/** Anything longer is no token. */
const MAX_CHARS = 200;

/** Where an operator keeps their token. */
export interface OperatorTokenOptions {
  /** A file with the token on one line. */
  readonly operatorTokenFile?: string;
  /** The token itself. */
  readonly operatorToken?: string;
}

/**
 * The operator's own token; undefined where none is given.
 *
 * @throws {VaultError} `token_invalid` for a file that can't be read or holds none; the text never shows it.
 */
export async function ownToken(options: OperatorTokenOptions): Promise<string | undefined> {
  const { operatorToken: given, operatorTokenFile: path } = options;
  if (given !== undefined) return checked(given, "RUNEVAULT_OPERATOR_TOKEN");
  return path === undefined ? undefined : checked(await readToken(path), path);
}

/** The token in `<data>/admin.token`, for those who may read it; undefined for others. */
export async function folderToken(dataDir: string): Promise<string | undefined> {
  try {
    return parseOperatorToken(await Deno.readTextFile(`${dataDir}/admin.token`));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.PermissionDenied) return undefined;
    throw error;
  }
}

/**
 * Refuses to send a token to a socket that somebody else could have put there while the server was away: its folder must
 * belong to root, to the caller or to the owner of the data folder, and nobody else may write to it.
 *
 * @throws {VaultError} `unreachable`.
 */
export async function assertOwnFolder(socketPath: string, dataDir: string): Promise<void> {
  const folder = socketPath.includes("/") ? socketPath.slice(0, socketPath.lastIndexOf("/")) || "/" : ".";
  const { mode, uid } = await Deno.stat(folder);
  if (((mode ?? 0) & 0o022) !== 0) {
    throw new VaultError("unreachable", `Others may write to ${folder}, where the admin socket is`, {
      hint: "the token was not sent; have the server listen in a folder that is its own: --admin-socket",
    });
  }
  if (uid === null || uid === 0 || uid === Deno.uid() || uid === await ownerOf(dataDir)) return;
  throw new VaultError("unreachable", `${folder}, where the admin socket is, belongs to user ${uid}`, {
    hint: "the token was not sent; if that is the server's user, name the data folder too, which is the same user's: " +
      "--data-dir",
  });
}

/** The owner of a folder; null where there is none, or none that may be looked at. */
async function ownerOf(path: string): Promise<number | null> {
  try {
    return (await Deno.stat(path)).uid;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.PermissionDenied) return null;
    throw error;
  }
}

function checked(text: string, place: string): string {
  const token = parseOperatorToken(text.slice(0, MAX_CHARS));
  if (token !== undefined) return token;
  throw new VaultError("token_invalid", `${place} holds no operator's token`, {
    hint: "a token begins with opr_; `runevault operator add` makes one",
  });
}

async function readToken(path: string): Promise<string> {
  try {
    return await Deno.readTextFile(path);
  } catch (cause) {
    throw new VaultError("token_invalid", `The operator's token in ${path} can't be read`, { cause });
  }
}
