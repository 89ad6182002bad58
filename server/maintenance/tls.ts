/**
 * What `runevault tls` does to the files of a vault that isn't running, and what it tells of those of one that is.
 *
 * @module
 */

import { VaultError } from "../../vault/mod.ts";
import { systemClock, systemRandom } from "../clock.ts";
import type { Config } from "../config.ts";
import type { RawValues } from "../config_values.ts";
import { assertOwnFolder, takeDataFolder } from "../data_folder.ts";
import { autoTlsOptions } from "../listener_tls.ts";
import { readSources } from "../sources.ts";
import {
  assertMatchingPair,
  autoTlsPaths,
  type CertificateReport,
  expiryWarning,
  permittedDnsNames,
  readAutoTlsFiles,
  readKeyFile,
  readPublicFile,
  renewServerPair,
  replaceAuthority,
  reportOf,
} from "../tls/mod.ts";

/** The certificates of a vault. */
export interface TlsReport {
  readonly mode: "auto" | "files" | "off";
  readonly server: CertificateReport | null;
  readonly ca: CertificateReport | null;
  /** The host names that the authority may sign, with those under them; null: no authority, or no limit. */
  readonly permitted: readonly string[] | null;
  /** What to do about an end that is near. */
  readonly warnings: readonly string[];
}

/**
 * Reads the certificates that a vault has, running or not.
 *
 * @param flags As for `serve`; `data_dir` at least.
 * @throws {VaultError} `config_invalid` for a configuration or files that can't be used.
 */
export async function tlsReport(flags: RawValues): Promise<TlsReport> {
  const { config, credentialsDir } = await readSources(flags);
  const report = await certificatesOf(config, { credentialsDir });
  const now = systemClock.now();
  const ends = [["server", report.server], ["ca", report.ca]] as const;
  const warnings = ends.map(([role, one]) => one === null ? null : expiryWarning(role, one.notAfter, now));
  return { ...report, warnings: warnings.filter((warning) => warning !== null) };
}

async function certificatesOf(config: Config, rule: { credentialsDir: string | undefined }) {
  const mode = config.tls === "off" ? config.apiTls : config.tls;
  if (mode === "off") return { mode, server: null, ca: null, permitted: null };
  if (mode === "files") {
    const pem = await readPublicFile(config.tlsCert!);
    const pair = assertMatchingPair(
      pem,
      await readKeyFile(config.tlsKey!, { ...rule, ownUid: Deno.uid() ?? undefined }),
    );
    return { mode, server: reportOf(pair.certificate), ca: null, permitted: null };
  }
  const { ca, server } = await readAutoTlsFiles(`${config.dataDir}/tls`, rule, systemClock.now());
  return {
    mode,
    server: server === null ? null : reportOf(server.certificate),
    ca: ca === null ? null : reportOf(ca.certificate),
    permitted: ca === null ? null : await permittedDnsNames(ca),
  };
}

/** The authority's certificate as PEM, to be given to agents; `not_found` where there is none. */
export async function caPem(flags: RawValues): Promise<string> {
  const { config } = await readSources(flags);
  const { caCert } = autoTlsPaths(`${config.dataDir}/tls`);
  try {
    return await Deno.readTextFile(caCert);
  } catch (cause) {
    if (!(cause instanceof Deno.errors.NotFound)) throw cause;
    throw new VaultError("not_found", `There is no ${caCert}`, {
      hint: "the first start of `runevault serve` with --tls auto makes it, and so does `runevault tls ca --new`",
    });
  }
}

/** Makes a new server certificate by the same authority; no server may be running on the folder. */
export async function issueServerCertificate(flags: RawValues): Promise<void> {
  await withTlsFolder(flags, renewServerPair);
}

/**
 * Makes a new authority and a server certificate; no server may be running on the folder.
 *
 * @returns Where the old ones are now; null where there were none.
 */
export async function makeAuthority(flags: RawValues): Promise<string | null> {
  return await withTlsFolder(flags, replaceAuthority);
}

async function withTlsFolder<T>(
  flags: RawValues,
  work: (options: ReturnType<typeof autoTlsOptions>) => Promise<T>,
): Promise<T> {
  Deno.umask(0o077);
  const { config, credentialsDir } = await readSources(flags);
  if (config.tls === "files") {
    throw new VaultError("precondition_failed", "With --tls files the certificate is its owner's to replace");
  }
  await assertOwnFolder(config.dataDir);
  const folder = await takeDataFolder(config.dataDir);
  try {
    const around = { clock: systemClock, random: systemRandom, logger: { log: () => {} }, credentialsDir };
    return await work(autoTlsOptions(config.dataDir, config.tlsHostnames, around));
  } finally {
    folder.release();
  }
}
