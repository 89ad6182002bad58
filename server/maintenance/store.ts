/**
 * The store of a vault, and what only the seal key shows of it.
 *
 * @module
 */

import { assertSealOpens } from "../../vault/bootstrap.ts";
import { openDetails } from "../../vault/database/connection_records.ts";
import { settingsOf } from "../../vault/database/connection_details.ts";
import { SHORT_SECRET_BYTES, TeamSecrets } from "../../vault/keys/team_secrets.ts";
import { agentIdOf } from "../../vault/state.ts";
import { SealKey, VaultError } from "../../vault/mod.ts";
import type { DatabaseConnectionRecord } from "../../vault/storage/database_records.ts";
import { RESTORED_KEY } from "../../vault/storage/restored_mark.ts";
import { checkDatabase } from "../../vault/storage/sqlite_copy.ts";
import { readRecords, type StoreFacts } from "../../vault/storage/store_facts.ts";
import { hashToken } from "../../vault/tokens/user_token.ts";
import { DATABASE_PLUGINS } from "../../databases/mod.ts";
import { systemRandom } from "../clock.ts";
import type { Config } from "../config.ts";
import { loadSealKey } from "../secret_files.ts";
import { type Finding, ok, problem, warning } from "./finding.ts";

/** A store with its key. */
export interface OpenedStore {
  readonly path: string;
  readonly facts: StoreFacts;
  readonly sealKey: SealKey;
}

/** The seal key, checked against the store; as a start does it. */
export async function openStore(
  config: Config,
  facts: StoreFacts,
  rules: { readonly credentialsDir: string | undefined },
): Promise<OpenedStore> {
  const sealKey = await loadSealKey(config.sealKeyFile, false, systemRandom, rules);
  assertSealOpens({ state: facts, sealKey });
  return { path: `${config.dataDir}/runevault.db`, facts, sealKey };
}

/** Reads the whole file, and looks for what a start would stop at. */
export async function examineStore(path: string, { sequence, meta }: StoreFacts): Promise<Finding[]> {
  const damage = await checkDatabase(path);
  if (damage !== null) return [problem("store", `it is damaged: ${damage}`, "restore a backup onto an empty folder")];
  const restored = meta.get(RESTORED_KEY);
  if (restored === undefined) return [ok("store", `it is sound; ${sequence} changes`)];
  const remedy = "`runevault serve --accept-rollback`, once, says what becomes of the tokens";
  return [warning("store", `it was restored from a backup of ${restored} and not yet accepted`, remedy)];
}

/** Whether the files of every FHE key set are there. */
export async function examineKeys(dataDir: string, { keyIds }: StoreFacts): Promise<Finding[]> {
  const missing: string[] = [];
  for (const keyId of keyIds) {
    const path = `${dataDir}/keys/${keyId}/SecKey.json`;
    await Deno.stat(path).catch(() => missing.push(path));
  }
  return missing.map((path) => problem("fhe keys", `${path} is missing`, "put the folder back from a backup"));
}

/** A first team secret that others know or can guess opens every version-1 envelope. */
export function examineTeamSecret({ path, facts, sealKey }: OpenedStore): Finding[] {
  const secrets = new TeamSecrets(facts, sealKey);
  if (!secrets.openable.includes(1)) return [ok("team secret", "version 1 is retired")];
  const secret = secrets.reveal(1);
  const remedy = "`runevault secret rotate`, then `rewrap` what was sealed before, then `secret retire 1`";
  const found: Finding[] = [];
  if (secret.length < SHORT_SECRET_BYTES) {
    found.push(warning("team secret", `version 1 has ${secret.length} bytes and can be guessed`, remedy));
  }
  const agentId = agentIdOf(hashToken(new TextDecoder().decode(secret)));
  if (readRecords(path, "user_token").some(({ tokenHash }) => agentIdOf(tokenHash) === agentId)) {
    found.push(warning("team secret", "version 1 is also a user's token, so that user knows it", remedy));
  }
  return found.length > 0 ? found : [ok("team secret", "it is long enough, and nobody's token")];
}

/** Accounts on database servers that should be gone. */
export function examineLeases({ path }: OpenedStore, now: number): Finding[] {
  const leases = readRecords(path, "lease");
  const stuck = leases.filter(({ state, failures }) => state === "ending" && (failures ?? 0) > 0);
  const late = leases.filter(({ state, expiresAt }) => state === "live" && expiresAt < now - GRACE_MS);
  const found = stuck.map(({ account, lastError }) =>
    problem(
      "leases",
      `the account ${account.username} on ${account.place} can't be taken away: ${lastError ?? "unknown"}`,
      "mend the connection: the vault tries again by itself; or drop the account and `runevault lease revoke` with force",
    )
  );
  if (late.length > 0) {
    const remedy = "start the server: it takes them away, unless --pause-revocation is given";
    found.push(warning("leases", `${late.length} accounts have expired and are still there`, remedy));
  }
  return found.length > 0 ? found : [ok("leases", `${leases.length} accounts, none left over`)];
}

/** The sweeper looks every minute. */
const GRACE_MS = 10 * 60_000;

/** Whether each database server can be reached and lets the vault in. */
export async function examineDatabases({ path, sealKey }: OpenedStore): Promise<Finding[]> {
  const found = await Promise.all(readRecords(path, "database_connection").map((one) => reach(one, sealKey)));
  return found.length > 0 ? found : [ok("databases", "there is no connection")];
}

async function reach(record: DatabaseConnectionRecord, sealKey: SealKey): Promise<Finding> {
  const plugin = DATABASE_PLUGINS.find(({ names }) => names.includes(record.pluginName));
  if (plugin === undefined) throw new VaultError("internal", `There is no plugin ${record.pluginName}`);
  const settings = settingsOf(openDetails(record, sealKey));
  const server = plugin.open(settings);
  const where = `${record.name} (${plugin.targetOf(settings).place})`;
  try {
    await server.ping();
    return ok("databases", `${where} lets the vault in`);
  } catch {
    // A driver's message may quote the password.
    const remedy = `look at the server and its network; \`runevault db\` shows the connection ${record.name}`;
    return problem("databases", `${where} can't be reached, or doesn't let the vault in`, remedy);
  } finally {
    await server.close();
  }
}
