/**
 * `runevault doctor`: looks at everything that a vault depends on, changes nothing, and says what to do.
 *
 * @module
 */

import { readStoreFacts, type StoreFacts } from "../../vault/storage/store_facts.ts";
import { systemClock } from "../clock.ts";
import type { RawValues } from "../config_values.ts";
import { readSeriesKey } from "../offline_audit.ts";
import { readSources, type Sources } from "../sources.ts";
import { daysLeft } from "../tls/mod.ts";
import { examineFirstKey, examineTrail } from "./audit.ts";
import { examine, type Finding, ok, problem, warning } from "./finding.ts";
import { examineClock, examineDisk, examineModes } from "./host.ts";
import { examinePorts } from "./ports.ts";
import {
  examineDatabases,
  examineKeys,
  examineLeases,
  examineStore,
  examineTeamSecret,
  type OpenedStore,
  openStore,
} from "./store.ts";
import { tlsReport } from "./tls.ts";

/**
 * Examines a vault, running or stopped.
 *
 * @param flags As for `serve`; `data_dir` at least.
 * @param isRunning Whether a server answers.
 * @param auditKeys Files with first keys of the audit trail, to check its MACs with.
 * @throws {VaultError} `config_invalid` for a configuration that can't be read, `not_found` or `invalid_argument` for a key that
 *   can't; everything else is a finding.
 */
export async function doctor(
  flags: RawValues,
  isRunning: boolean,
  auditKeys: readonly string[] = [],
): Promise<Finding[]> {
  const keys = await Promise.all(auditKeys.map(readSeriesKey));
  const sources = await readSources(flags);
  const { config } = sources;
  const found = [
    await examine("modes", () => examineModes(config.dataDir)),
    await examine("ports", () => examinePorts(config, isRunning)),
    await examine("tls", () => examineTls(flags)),
    await examine("store", () => examineAllOfStore(sources)),
    await examine("audit", () => examineTrail(config.auditFile, `${config.dataDir}/runevault.db`, keys)),
    await examine("audit", () => examineFirstKey(config.dataDir)),
  ];
  return found.flat();
}

async function examineAllOfStore({ config, credentialsDir }: Sources): Promise<Finding[]> {
  const path = `${config.dataDir}/runevault.db`;
  const facts = readStoreFacts(path);
  const now = systemClock.now();
  const found = [
    await examine("clock", () => examineClock(facts, now)),
    await examine("disk", () => examineDisk(config.dataDir)),
    await examine("store", () => examineStore(path, facts)),
    await examine("fhe keys", () => examineKeys(config.dataDir, facts)),
    await examine("seal key", async () => await examineSealed(config, facts, credentialsDir)),
  ];
  return found.flat();
}

async function examineSealed(
  config: Sources["config"],
  facts: StoreFacts,
  credentialsDir: string | undefined,
): Promise<Finding[]> {
  const store: OpenedStore = await openStore(config, facts, { credentialsDir });
  const found = [
    [ok("seal key", `${store.sealKey.fingerprint} opens the store`)],
    await examine("team secret", () => examineTeamSecret(store)),
    await examine("leases", () => examineLeases(store, systemClock.now())),
    await examine("databases", () => examineDatabases(store)),
  ];
  return found.flat();
}

async function examineTls(flags: RawValues): Promise<Finding[]> {
  const { mode, server, ca, warnings } = await tlsReport(flags);
  if (mode === "off") return [warning("tls", "it is off", "take --tls off away where other machines reach the vault")];
  if (server === null) return [ok("tls", "there is no certificate yet: a start with TLS makes it")];
  const now = systemClock.now();
  const left = `the server certificate has ${daysLeft(server.notAfter, now)} days left` +
    (ca === null ? "" : `, the CA that signed it ${daysLeft(ca.notAfter, now)}`);
  if (warnings.length === 0) return [ok("tls", left)];
  const isOver = server.notAfter <= now;
  return warnings.map((remedy) => isOver ? problem("tls", left, remedy) : warning("tls", left, remedy));
}
