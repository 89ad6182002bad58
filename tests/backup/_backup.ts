/**
 * Vaults that are backed up and come back, as an operator does it.
 *
 * @module
 */

import { equal } from "node:assert/strict";
import { type FilledFacts, fillVault } from "../filled_vault.ts";
import { ServedApi } from "../identity/_served.ts";
import { type Finished, runProgram, type StartOptions, temporaryFolder } from "../started_server.ts";

/** A passphrase that is long enough. */
export const PASSPHRASE = "five words for this test";

/** A folder for the folders of a test. */
export type Place = Awaited<ReturnType<typeof temporaryFolder>>;

/** A filled vault that runs in `<place>/data`. */
export async function startFilled(place: Place): Promise<{ api: ServedApi; facts: FilledFacts }> {
  const api = await ServedApi.start({ dataDir: `${place.path}/data` });
  return { api, facts: await fillVault(api) };
}

/** Runs a command on a data folder, with the passphrase in the environment unless `env` says otherwise. */
export function run(dataDir: string, args: readonly string[], env: Record<string, string> = withPassphrase()) {
  return runProgram([...args, "--data-dir", dataDir], { env });
}

/** As {@link run}; it must go well. */
export async function must(dataDir: string, args: readonly string[], env?: Record<string, string>): Promise<Finished> {
  const finished = await run(dataDir, args, env);
  equal(finished.code, 0, finished.stderr + finished.stdout);
  return finished;
}

/** The environment that holds the passphrase. */
export function withPassphrase(passphrase = PASSPHRASE): Record<string, string> {
  return { RUNEVAULT_BACKUP_PASSPHRASE: passphrase };
}

/** Starts a vault on a folder. */
export function serve(dataDir: string, args: StartOptions["args"] = []): Promise<ServedApi> {
  return ServedApi.start({ dataDir, args });
}
