/**
 * Reads what configures a start: flags, environment, file. Secrets leave the environment once read.
 *
 * @module
 */

import { assertPrivate } from "../vault/storage/private_files.ts";
import { VaultError } from "../vault/mod.ts";
import { type Config, legacyTeamSecret, resolveConfig } from "./config.ts";
import { valuesFromEnvironment } from "./config_environment.ts";
import { holdsSecret, valuesFromFile } from "./config_file.ts";
import { SERVE_OPTIONS } from "./config_options.ts";
import type { RawValues } from "./config_values.ts";
import { defaultDataDir, userConfigFile } from "./data_dir.ts";
import { teamSecretBytes } from "./secret_files.ts";

/** The configuration with what goes beside it. */
export interface Sources {
  readonly config: Config;
  /** `$CREDENTIALS_DIRECTORY`. */
  readonly credentialsDir: string | undefined;
  /** The deprecated variable's text as a team secret, for a first start without one of its own. */
  readonly legacySecret: Uint8Array | undefined;
  /** The configuration file that was read, or null. */
  readonly configPath: string | null;
}

/** Joins the flags with environment and file; `config_invalid` for anything that isn't a setting or not of its form. */
export async function readSources(flags: RawValues): Promise<Sources> {
  const environment = valuesFromEnvironment((name) => Deno.env.get(name));
  forgetSecrets();
  const env = (name: string) => Deno.env.get(name);
  const fallback = defaultDataDir(env, Deno.uid());
  const dataDir = firstText(flags["data_dir"], environment["data_dir"]) ?? fallback;
  const credentialsDir = env("CREDENTIALS_DIRECTORY");
  const given = firstText(flags["config"], environment["config"]);
  // A user's own file is about the user's own vault.
  const own = dataDir === fallback ? userConfigFile(env, Deno.uid()) : undefined;
  const file = await readConfigFile(given === undefined ? usualFiles(dataDir, own) : [given], given, credentialsDir);
  const sources = [flags, environment, file?.values ?? {}];
  const legacy = legacyTeamSecret(sources);
  return {
    config: resolveConfig(sources, fallback),
    credentialsDir,
    legacySecret: legacy === undefined ? undefined : teamSecretBytes(legacy),
    configPath: file?.path ?? null,
  };
}

/** What runs under this process, or dumps its environment, finds no secret there (`/proc/<pid>/environ` keeps them). */
function forgetSecrets(): void {
  for (const option of SERVE_OPTIONS) {
    if (!option.secret) continue;
    for (const name of [option.env, option.legacyEnv]) if (name !== undefined) Deno.env.delete(name);
  }
}

/** Where the file is when nobody says; the first that is there counts. */
function usualFiles(dataDir: string | undefined, own: string | undefined): string[] {
  const inData = dataDir === undefined ? undefined : `${dataDir}/runevault.yml`;
  return [inData, own, "/etc/runevault/runevault.yml"].filter((path) => path !== undefined);
}

async function readConfigFile(
  paths: readonly string[],
  given: string | undefined,
  credentialsDir: string | undefined,
): Promise<{ path: string; values: RawValues } | null> {
  for (const path of paths) {
    const text = await textOf(path);
    if (text === undefined) continue;
    const values = valuesFromFile(path, text);
    if (holdsSecret(values)) await assertPrivate(path, credentialsDir);
    return { path, values };
  }
  if (given === undefined) return null;
  throw new VaultError("config_invalid", `There is no configuration file ${given}`);
}

async function textOf(path: string): Promise<string | undefined> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    const reason = error instanceof Error ? error.message : "unknown failure";
    throw new VaultError("config_invalid", `${path} cannot be read: ${reason}`, {
      hint: "run this as the user that the server runs as, or give another --data-dir",
      cause: error,
    });
  }
}

function firstText(...values: readonly unknown[]): string | undefined {
  return values.find((value) => typeof value === "string") as string | undefined;
}
