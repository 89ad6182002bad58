/**
 * An installation of Rune-Vault: what is in its folder, and what of it becomes ours.
 *
 * @module
 */

import { basename } from "node:path";
import { VaultError } from "../../vault/mod.ts";
import { readFile } from "../../vault/files/read_file.ts";
import { makePrivateFolder, writeNewPrivateFile } from "../../vault/storage/private_files.ts";
import { removeTree } from "../backup/staging.ts";
import { assertOwnFolder } from "../data_folder.ts";
import { ImportMark, isImportMarked } from "../import_mark.ts";
import { assertMatchingPair } from "../tls/mod.ts";
import { parseEnvFile } from "./env_file.ts";

/** What would be taken over. */
export interface ImportPlan {
  readonly rolesFile: string | null;
  readonly tokensFile: string | null;
  readonly roles: number;
  readonly users: number;
  /** The folder of an FHE key set. */
  readonly keyFolder: string | null;
  /** Present where the team secret was found. It is never shown. */
  readonly teamSecret: string | null;
  /** Lines of `runevault.yml`. */
  readonly settings: ReadonlyMap<string, string>;
  readonly tls: { readonly cert: string; readonly key: string } | null;
  /** What is not taken over, or wants a decision. */
  readonly remarks: readonly string[];
}

/** Their variables that become settings of ours. */
const SETTINGS: Readonly<Record<string, string>> = {
  VAULT_INDEX_NAME: "index_name",
  ENVECTOR_ENDPOINT: "envector_endpoint",
  ENVECTOR_API_KEY: "envector_api_key",
  EMBEDDING_DIM: "embedding_dim",
};
const TAKEN = [
  "VAULT_TEAM_SECRET",
  "VAULT_ROLES_FILE",
  "VAULT_TOKENS_FILE",
  "VAULT_TLS_CERT",
  "VAULT_TLS_KEY",
  "VAULT_TLS_DISABLE",
  ...Object.keys(SETTINGS),
];
/** A folder of theirs has a handful of folders. */
const MAX_FOLDERS = 200;

/**
 * Looks at a folder and reads what would be taken over; changes nothing.
 *
 * @throws {VaultError} `invalid_argument` for a folder that is no such installation; `config_invalid` for files that can't
 *   be taken, naming path and line.
 */
export async function planImport(dir: string): Promise<ImportPlan> {
  const files = await filesIn(dir);
  const env = await readEnv(files);
  const rolesFile = find(files, env.get("VAULT_ROLES_FILE"), "vault-roles.yml");
  const tokensFile = find(files, env.get("VAULT_TOKENS_FILE"), "vault-tokens.yml");
  const secKey = files.find((path) => basename(path) === "SecKey.json");
  if (rolesFile === null && tokensFile === null && secKey === undefined && env.size === 0) {
    throw new VaultError("invalid_argument", `There is no Rune-Vault in ${dir}`, {
      hint: "give the folder that holds its vault-tokens.yml, .env or vault_keys",
    });
  }
  return {
    rolesFile,
    tokensFile,
    roles: rolesFile === null ? 0 : (await readFile("roles", rolesFile)).rows.length,
    users: tokensFile === null ? 0 : (await readFile("tokens", tokensFile)).rows.length,
    keyFolder: secKey === undefined ? null : secKey.slice(0, -"/SecKey.json".length),
    teamSecret: env.get("VAULT_TEAM_SECRET") || null,
    settings: settingsOf(env),
    tls: await tlsOf(files, env),
    remarks: remarksOf(env),
  };
}

async function filesIn(dir: string): Promise<string[]> {
  const found: string[] = [];
  const folders = [dir];
  for (let i = 0; i < folders.length && i < MAX_FOLDERS; i++) {
    for await (const { name, isFile, isDirectory } of readFolder(folders[i]!)) {
      const path = `${folders[i]}/${name}`;
      if (isDirectory && name !== "node_modules" && name !== ".git") folders.push(path);
      else if (isFile) found.push(path);
    }
  }
  return found;
}

async function* readFolder(dir: string): AsyncIterable<Deno.DirEntry> {
  try {
    yield* Deno.readDir(dir);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new VaultError("invalid_argument", `The folder ${dir} can't be read: ${why}`, { cause });
  }
}

async function readEnv(files: readonly string[]): Promise<Map<string, string>> {
  const path = files.find((one) => basename(one) === ".env");
  return path === undefined ? new Map() : parseEnvFile(path, await Deno.readTextFile(path));
}

/** Their paths are those inside of a container: what counts is the name. */
function find(files: readonly string[], named: string | undefined, usual: string): string | null {
  const name = named === undefined || named === "" ? usual : basename(named);
  return files.find((path) => basename(path) === name) ?? null;
}

function settingsOf(env: ReadonlyMap<string, string>): Map<string, string> {
  const settings = new Map<string, string>();
  for (const [name, key] of Object.entries(SETTINGS)) {
    const value = env.get(name);
    if (value) settings.set(key, value);
  }
  if (env.get("VAULT_TLS_DISABLE")?.toLowerCase() === "true") settings.set("tls", "off");
  return settings;
}

async function tlsOf(files: readonly string[], env: ReadonlyMap<string, string>): Promise<ImportPlan["tls"]> {
  const [certName, keyName] = [env.get("VAULT_TLS_CERT"), env.get("VAULT_TLS_KEY")];
  if (!certName || !keyName || env.get("VAULT_TLS_DISABLE")?.toLowerCase() === "true") return null;
  const [cert, key] = [find(files, certName, ""), find(files, keyName, "")];
  if (cert === null || key === null) {
    throw new VaultError(
      "invalid_argument",
      `There is no ${basename(cert === null ? certName : keyName)} in the folder`,
      {
        hint: "put the certificate and its key beside .env, or take VAULT_TLS_CERT and VAULT_TLS_KEY out of it",
      },
    );
  }
  assertMatchingPair(await Deno.readTextFile(cert), await Deno.readTextFile(key), {
    cert: `"${cert}"`,
    key: `"${key}"`,
  });
  return { cert, key };
}

function remarksOf(env: ReadonlyMap<string, string>): string[] {
  const unknown = [...env.keys()].filter((name) => !TAKEN.includes(name));
  const remarks = unknown.map((name) => `${name} is not taken over`);
  if (env.get("VAULT_TLS_DISABLE")?.toLowerCase() === "true") {
    remarks.push(
      "plaintext off loopback must be asked for: add `allow_plaintext: true` to runevault.yml, or turn TLS on",
    );
  }
  return remarks;
}

/**
 * Puts the files of a plan into a data folder that holds no vault yet; the first start takes them in.
 *
 * @returns What says that it is done, or undoes it.
 * @throws {VaultError} `precondition_failed` for a folder that holds a vault, or one of the files.
 */
export async function placeImport(plan: ImportPlan, dataDir: string): Promise<PlacedImport> {
  Deno.umask(0o077);
  await assertOwnFolder(dataDir);
  const files = await contentOf(plan, dataDir);
  const isNew = await isAbsent(dataDir);
  // Before the folder is touched: a vault in it may be serving.
  if (!await isImportMarked(dataDir)) await assertNoVault(files, dataDir);
  await makePrivateFolder(dataDir);
  const mark = await ImportMark.take(dataDir);
  const undo = async () => {
    await mark.undo();
    if (isNew) await removeTree(dataDir);
  };
  try {
    await assertNoVault(files, dataDir);
    if (plan.tls !== null) await makePrivateFolder(`${dataDir}/${TLS_FOLDER}`);
    for (const [path, content] of files) await writeNewPrivateFile(path, content);
    return { done: () => mark.done(), undo };
  } catch (error) {
    await undo();
    throw error;
  }
}

/** Files that are in place. */
export interface PlacedImport {
  /** The vault has taken them in. */
  done(): Promise<void>;
  /** Takes them, and what a first start made of them, away again. */
  undo(): Promise<void>;
}

const TLS_FOLDER = "tls-imported";

async function contentOf(plan: ImportPlan, dataDir: string): Promise<Map<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>();
  const settings = new Map(plan.settings);
  if (plan.rolesFile !== null) files.set(`${dataDir}/vault-roles.yml`, await Deno.readFile(plan.rolesFile));
  if (plan.tokensFile !== null) files.set(`${dataDir}/vault-tokens.yml`, await Deno.readFile(plan.tokensFile));
  if (plan.tls !== null) {
    const [cert, key] = [`${dataDir}/${TLS_FOLDER}/server.pem`, `${dataDir}/${TLS_FOLDER}/server.key`];
    files.set(cert, await Deno.readFile(plan.tls.cert));
    files.set(key, await Deno.readFile(plan.tls.key));
    settings.set("tls", "files").set("tls_cert", cert).set("tls_key", key);
  }
  // A JSON text is a double-quoted scalar of YAML.
  const lines = [...settings].map(([key, value]) => `${key}: ${JSON.stringify(value)}\n`);
  if (lines.length > 0) files.set(`${dataDir}/runevault.yml`, new TextEncoder().encode(lines.join("")));
  return files;
}

async function assertNoVault(files: ReadonlyMap<string, unknown>, dataDir: string): Promise<void> {
  for (const path of [`${dataDir}/runevault.db`, ...files.keys()]) await assertAbsent(path, dataDir);
}

async function assertAbsent(path: string, dataDir: string): Promise<void> {
  if (await isAbsent(path)) return;
  throw new VaultError("precondition_failed", `The data folder ${dataDir} has a ${basename(path)} already`, {
    hint:
      "an installation is taken over by a folder without a vault: move this one away if nobody used it, or give another " +
      "--data-dir",
  });
}

async function isAbsent(path: string): Promise<boolean> {
  try {
    await Deno.lstat(path);
    return false;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return true;
    throw error;
  }
}
