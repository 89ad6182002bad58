/**
 * From a command's options to the server's answer on the terminal.
 *
 * @module
 */

import { type AdminClient, connectAdmin } from "../admin/client.ts";
import { defaultDataDir } from "../server/data_dir.ts";
import { asVaultError, VaultError } from "../vault/errors.ts";
import { escapeControls } from "./format.ts";
import type { Io } from "./io.ts";
import type { GlobalOptions } from "./program.ts";

/** A question to the admin API. */
export interface Question {
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  readonly path: string;
  readonly body?: unknown;
  /** How long the answer may take; the client's own limit where absent. */
  readonly timeoutMs?: number;
}

/**
 * Asks the running server and prints: with `--json` the answer as it is, else what `show` makes of it.
 *
 * @throws {VaultError} what the server or the way to it refuses.
 */
export async function answer<T>(
  io: Io,
  globals: GlobalOptions,
  question: Question,
  show: (body: T) => string,
): Promise<void> {
  using client = await connect(io, globals, question.timeoutMs);
  const { method, path, body } = question;
  if (globals.json) await printJson(io, await client.bytes(method, path, body));
  else await io.out(show(await client.json<T>(method, path, body)));
}

/** As {@link answer}; what the answer warns of goes to the standard error. */
export async function answerWithWarnings<T extends { readonly warnings: readonly string[] }>(
  io: Io,
  globals: GlobalOptions,
  question: Question,
  show: (body: T) => string,
): Promise<void> {
  let warnings: readonly string[] = [];
  await answer<T>(io, globals, question, (body) => {
    warnings = body.warnings;
    return show(body);
  });
  for (const warning of warnings) await io.err(`Warning: ${escapeControls(warning)}\n`);
}

/**
 * As {@link answer}; where no server runs, this process opens the data folder itself and answers.
 *
 * @throws {VaultError} as {@link answer}, and `config_invalid` for a data folder that can't be opened.
 */
export async function answerAlsoOffline<T>(
  io: Io,
  globals: GlobalOptions,
  question: Question,
  show: (body: T) => string,
): Promise<void> {
  await alsoOffline(io, globals, (reached) => answer(io, reached, question, show));
}

/** Has `work` ask the running server; where none runs, this process opens the data folder itself for as long. */
export async function withClientAlsoOffline<T>(
  io: Io,
  globals: GlobalOptions,
  timeoutMs: number,
  work: (client: AdminClient) => Promise<T>,
): Promise<T> {
  return await alsoOffline(io, globals, async (reached) => {
    using client = await connect(io, reached, timeoutMs);
    return await work(client);
  });
}

async function alsoOffline<T>(
  io: Io,
  globals: GlobalOptions,
  work: (reached: GlobalOptions) => Promise<T>,
): Promise<T> {
  if (globals.adminAddr !== undefined || globals.adminSocket !== undefined || await isServing(io, globals)) {
    return await work(globals);
  }
  const { withOfflineVault } = await import("../server/offline.ts");
  const output = { error: (line: string) => void io.err(`${line}\n`) };
  return await withOfflineVault(dataDirOf(io, globals), output, (adminSocket) => work({ ...globals, adminSocket }));
}

/** Whether a server answers where these options say. */
export async function isServing(io: Io, globals: GlobalOptions): Promise<boolean> {
  try {
    using _client = await connect(io, globals);
    return true;
  } catch (error) {
    if (asVaultError(error).kind === "unreachable") return false;
    throw error;
  }
}

/**
 * Finds the server by the options of the command line, else by the data folder.
 *
 * @throws {VaultError} `usage` or `unreachable`.
 */
export async function connect(io: Io, globals: GlobalOptions, timeoutMs?: number): Promise<AdminClient> {
  const { adminAddr, adminSocket } = globals;
  if (adminAddr !== undefined && adminSocket !== undefined) {
    throw new VaultError("usage", "Give --admin-addr or --admin-socket, not both");
  }
  return await connectAdmin({
    dataDir: dataDirOf(io, globals),
    ...operatorOptions(io),
    ...(adminAddr === undefined ? {} : { adminAddr }),
    ...(adminSocket === undefined ? {} : { adminSocket }),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
  });
}

/** Who the operator is: a token of their own, and who they were before sudo. */
function operatorOptions(io: Io) {
  const operatorToken = io.env("RUNEVAULT_OPERATOR_TOKEN");
  const operatorTokenFile = io.env("RUNEVAULT_OPERATOR_TOKEN_FILE");
  const sudoUser = io.env("SUDO_USER");
  return {
    ...(operatorToken ? { operatorToken } : {}),
    ...(operatorTokenFile ? { operatorTokenFile } : {}),
    ...(sudoUser && /^[\x21-\x7e]{1,64}$/.test(sudoUser) ? { sudoUser } : {}),
  };
}

/** The data folder that the options, the environment or the defaults name; `usage` where none does. */
export function dataDirOf(io: Io, globals: GlobalOptions): string {
  const dataDir = globals.dataDir || io.env("RUNEVAULT_DATA_DIR") || defaultDataDir(io.env, io.uid);
  if (dataDir) return dataDir;
  throw new VaultError("usage", "The data folder is not known: HOME is not set", { hint: "give --data-dir" });
}

/** The answer as one line. Its JSON comes without line breaks, so what is escaped stands inside of its strings. */
async function printJson(io: Io, bytes: ReadableStream<Uint8Array>): Promise<void> {
  const decoder = new TextDecoder();
  for await (const chunk of bytes) await io.out(escapeControls(decoder.decode(chunk, { stream: true })));
  await io.out(`${escapeControls(decoder.decode())}\n`);
}
