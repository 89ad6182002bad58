/**
 * Where a backup is unpacked to be checked. Its keys are in clear there, so the folder goes however the process ends: with
 * its work, with a signal, and after a kill with the next check beside it.
 *
 * @module
 */

import { VaultError } from "../../vault/mod.ts";
import { takeDataFolder } from "../data_folder.ts";
import { removeTree } from "./staging.ts";

const PREFIX = ".runevault-check-";
/** 128 and their number is what a shell says of a program that they ended. */
const SIGNALS = [["SIGHUP", 129], ["SIGINT", 130], ["SIGTERM", 143]] as const;

/** A folder that goes when it is disposed of. */
export interface CheckFolder extends AsyncDisposable {
  readonly path: string;
}

/** Makes a folder below `parent`; removes those that killed checks left there. `config_invalid` where that is impossible. */
export async function takeCheckFolder(parent: string): Promise<CheckFolder> {
  await removeLeft(parent);
  const path = `${parent}/${PREFIX}${crypto.randomUUID()}`;
  const forget = onSignal(() => Deno.removeSync(path, { recursive: true }));
  const dispose = async () => {
    await removeTree(path);
    forget();
  };
  try {
    const { release } = await takeDataFolder(path);
    return { path, [Symbol.asyncDispose]: () => dispose().finally(release) };
  } catch (error) {
    await dispose();
    throw error;
  }
}

/** Those that another process still works in are locked. */
async function removeLeft(parent: string): Promise<void> {
  for await (const { name, isDirectory } of Deno.readDir(parent)) {
    if (!isDirectory || !name.startsWith(PREFIX)) continue;
    try {
      const { release } = await takeDataFolder(`${parent}/${name}`);
      await removeTree(`${parent}/${name}`).finally(release);
    } catch (error) {
      if (!(error instanceof VaultError)) throw error;
    }
  }
}

function onSignal(clean: () => void): () => void {
  const listeners = SIGNALS.map(([signal, code]) => {
    const end = () => {
      try {
        clean();
      } finally {
        Deno.exit(code);
      }
    };
    Deno.addSignalListener(signal, end);
    return () => Deno.removeSignalListener(signal, end);
  });
  return () => listeners.forEach((remove) => remove());
}
