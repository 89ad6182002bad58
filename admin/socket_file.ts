/**
 * The file of a unix socket: taken over from a process that died, never from one that answers.
 *
 * @module
 */

import { VaultError } from "../vault/errors.ts";

/** A server that is too busy to accept is still there. */
const CONNECT_TIMEOUT_MS = 1000;

/**
 * Makes room for a socket at `path`.
 *
 * @throws {VaultError} `config_invalid` when something else has that name, or a process answers on it.
 */
export async function clearStaleSocket(path: string): Promise<void> {
  const file = await lstatFile(path);
  if (file === null) return;
  if (!file.isSocket) {
    throw new VaultError("config_invalid", `${path} exists and is not a socket`, {
      hint: "give another --admin-socket, or move the file away",
    });
  }
  if (await answers(path)) {
    throw new VaultError("config_invalid", `Another process answers on ${path}`, {
      hint: "stop that process, or give another --admin-socket",
    });
  }
  await removeSocket(path);
}

/** Removes a socket's file; safe when it is gone. */
async function removeSocket(path: string): Promise<void> {
  try {
    await Deno.remove(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

async function lstatFile(path: string): Promise<Deno.FileInfo | null> {
  try {
    return await Deno.lstat(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}

async function answers(path: string): Promise<boolean> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<"late">((resolve) => timer = setTimeout(() => resolve("late"), CONNECT_TIMEOUT_MS));
  const connected = connect(path);
  const outcome = await Promise.race([connected, late]);
  clearTimeout(timer);
  if (outcome === "late") void connected.then((late) => late?.close());
  else outcome?.close();
  return outcome !== null;
}

/** A connection, or null when nobody listens. */
async function connect(path: string): Promise<Deno.Conn | null> {
  try {
    return await Deno.connect({ transport: "unix", path });
  } catch (error) {
    if (error instanceof Deno.errors.ConnectionRefused || error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}
