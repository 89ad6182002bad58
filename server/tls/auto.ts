/**
 * `--tls auto`: an authority and a server certificate of our own, made at the first start and kept in order after it.
 *
 * @module
 */

import { asVaultError, VaultError } from "../../vault/errors.ts";
import type { Clock, Logger, RandomSource } from "../../vault/ports.ts";
import {
  type AutoTlsPaths,
  autoTlsPaths,
  caFiles,
  readAutoTlsFiles,
  serverFiles,
  startAgainHint,
} from "./auto_files.ts";
import { isCoveredBy } from "./dns_name.ts";
import { makePrivateFolder, recoverFileSet, writeFileSet } from "./file_set.ts";
import { watchTlsFiles } from "./files.ts";
import { parseIpAddress } from "./ip_address.ts";
import type { TlsMaterial } from "./material.ts";
import type { TlsNames, WantedTlsNames } from "./names.ts";
import { assertMatchingPair, type MatchingPair } from "./pair.ts";
import { createPrivateCa, issueServerCertificate, permittedDnsNames, SERVER_LIFETIME_MS } from "./private_ca.ts";
import { repeat } from "./repeat.ts";
import { assertPrivateFolder, type KeyModeRule } from "./tls_file.ts";

/** What the certificates are made from, and where they are kept. */
export interface AutoTlsOptions {
  /** The folder, `<data>/tls`; the one above it must exist. */
  readonly dir: string;
  readonly names: WantedTlsNames;
  readonly clock: Clock;
  readonly random: RandomSource;
  readonly logger: Logger;
  readonly keyMode?: KeyModeRule | undefined;
  /** How often to look for files that an operator replaced; 2 unless given. */
  readonly reloadIntervalSeconds?: number | undefined;
  /** How often to look whether the server certificate is near its end; an hour unless given. */
  readonly renewalIntervalSeconds?: number | undefined;
}

/** Certificates that are ready for use, and stay so until `material` is closed. */
export interface AutoTls {
  readonly material: TlsMaterial;
  readonly paths: AutoTlsPaths;
  /** What agents must trust. */
  readonly caPem: string;
  /** SHA-256 of the authority's certificate, as `openssl x509 -noout -fingerprint -sha256` prints it: `AB:CD:…`. */
  readonly caFingerprint: string;
  /** When the authority expires, in ms since 1970. */
  readonly caNotAfter: number;
  /** True when the authority was made just now, so that agents have yet to be told. */
  readonly isNew: boolean;
  /** Replaces the server certificate now, whether or not it is due; see {@link renewServerPair}. */
  renew(): Promise<void>;
}

const HOUR_SECONDS = 60 * 60;
/** So early that an operator who reads a warning once a month is in time if renewal fails. */
const RENEW_BEFORE_MS = 30 * 24 * HOUR_SECONDS * 1000;

/**
 * Makes what is missing in `dir`, replaces a server certificate that is near its end or lacks a name, and keeps doing
 * so while the process runs.
 *
 * The authority is made once and never replaced, for every agent trusts it. Its name constraint therefore decides
 * which host names the server certificate can have: one that was asked for and does not fit is an error, one that was
 * merely found on the host is left out and logged.
 *
 * @throws {VaultError} `config_invalid` naming the file and what to do.
 */
export async function ensureAutoTls(options: AutoTlsOptions): Promise<AutoTls> {
  await makePrivateFolder(options.dir);
  await assertPrivateFolder(options.dir);
  const { ca, isNew, names } = await bringUpToDate(options, makeAll);
  logLeftOut(options, names);
  const turns = new Turns();
  return {
    material: await keepUpToDate(options, turns),
    renew: () => turns.take(() => renewServerPair(options)),
    paths: autoTlsPaths(options.dir),
    caPem: ca.certPem,
    caFingerprint: ca.certificate.fingerprint256,
    caNotAfter: ca.notAfter,
    isNew,
  };
}

function logLeftOut(options: AutoTlsOptions, kept: TlsNames): void {
  const hint = `A new host name needs a new CA: ${startAgainHint(options.dir)}`;
  const leftOut = options.names.detected.dnsNames.filter((name) => !kept.dnsNames.includes(name));
  for (const name of leftOut) options.logger.log("warn", "tls_host_name_left_out", { name, hint });
}

/** Serves what lies in the folder, and renews it in time. */
async function keepUpToDate(options: AutoTlsOptions, turns: Turns): Promise<TlsMaterial> {
  const { serverCert, serverKey } = autoTlsPaths(options.dir);
  const { clock, logger, keyMode, reloadIntervalSeconds } = options;
  const files = await watchTlsFiles({
    certPath: serverCert,
    keyPath: serverKey,
    intervalSeconds: reloadIntervalSeconds,
    keyMode,
    clock,
    logger,
  });
  const renewal = repeat(options.renewalIntervalSeconds ?? HOUR_SECONDS, () => turns.take(() => renew(options)));
  return {
    current: () => files.current(),
    onChange: (listener) => files.onChange(listener),
    get notAfter() {
      return files.notAfter;
    },
    close: async () => {
      await renewal.stop();
      await files.close();
    },
  };
}

/** Lets one writer of the folder wait for the other. */
class Turns {
  #last: Promise<unknown> = Promise.resolve();

  take<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.#last.then(work);
    this.#last = mine.catch(() => {});
    return mine;
  }
}

/**
 * Replaces the server certificate in a folder that nobody else writes to, by the same authority.
 *
 * @throws {VaultError} `config_invalid` where there is no authority yet, or for a name that it may not sign.
 */
export async function renewServerPair(options: AutoTlsOptions): Promise<void> {
  await recoverFileSet(options.dir);
  const { ca } = await readAutoTlsFiles(options.dir, options.keyMode ?? {}, options.clock.now());
  if (ca === null) {
    throw new VaultError("config_invalid", `There is no CA in "${options.dir}"`, {
      hint: "the first start of `runevault serve` with --tls auto makes one, and so does `runevault tls ca --new`",
    });
  }
  await replaceServerPair(options, ca, await signableNames(options, ca));
}

/**
 * Makes a new authority with a server certificate, in a folder that nobody else writes to; what was there is kept
 * beside it.
 *
 * @returns Where the old folder is now; null where there was none.
 */
export async function replaceAuthority(options: AutoTlsOptions): Promise<string | null> {
  const aside = `${options.dir}.old-${new Date(options.clock.now()).toISOString().replace(/[:.]/g, "-")}`;
  const moved = await moveAway(options.dir, aside);
  await makePrivateFolder(options.dir);
  await makeAll(options, union(options.names.asked, options.names.detected));
  return moved ? aside : null;
}

async function moveAway(from: string, to: string): Promise<boolean> {
  try {
    await Deno.rename(from, to);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** What cannot be renewed now is tried again; the certificate in use has 30 days left when this begins to matter. */
async function renew(options: AutoTlsOptions): Promise<void> {
  try {
    await bringUpToDate(options, refuseToStartAgain);
  } catch (thrown) {
    const { message, hint } = asVaultError(thrown);
    options.logger.log("error", "tls_renewal_failed", { dir: options.dir, reason: message, hint });
  }
}

/** A running server whose folder was emptied must not turn up with an authority that no agent trusts. */
function refuseToStartAgain({ dir }: AutoTlsOptions): Promise<MatchingPair> {
  throw new VaultError("config_invalid", `The certificates in "${dir}" are gone`, {
    hint: "Put them back from a backup; the next start makes a new CA, which every agent must then trust",
  });
}

/** What a folder holds once it is in order. */
interface UpToDate {
  readonly ca: MatchingPair;
  readonly isNew: boolean;
  /** What the server certificate was made for. */
  readonly names: TlsNames;
}

/**
 * Leaves the folder with a usable authority, and a server certificate that it signed for the wanted names.
 *
 * @param fillEmpty Makes both where there is nothing, and returns the authority.
 */
async function bringUpToDate(
  options: AutoTlsOptions,
  fillEmpty: (options: AutoTlsOptions, names: TlsNames) => Promise<MatchingPair>,
): Promise<UpToDate> {
  await recoverFileSet(options.dir);
  const { ca, server } = await readAutoTlsFiles(options.dir, options.keyMode ?? {}, options.clock.now());
  const wanted = union(options.names.asked, options.names.detected);
  if (ca === null) return { ca: await fillEmpty(options, wanted), isNew: true, names: wanted };
  // Asked first, since a start that finds everything in order need not take the authority apart.
  if (isInOrder(server, wanted, ca, options)) return { ca, isNew: false, names: wanted };
  const names = await signableNames(options, ca);
  if (!isInOrder(server, names, ca, options)) await replaceServerPair(options, ca, names);
  return { ca, isNew: false, names };
}

function isInOrder(server: MatchingPair | null, names: TlsNames, ca: MatchingPair, { clock }: AutoTlsOptions): boolean {
  return server !== null && holds(server, names) && !isDue(server, ca, clock.now());
}

async function makeAll(options: AutoTlsOptions, names: TlsNames): Promise<MatchingPair> {
  const made = await createPrivateCa(names.dnsNames, options);
  const ca = assertMatchingPair(made.certPem, made.keyPem);
  const server = await issueServerCertificate(ca, names, options);
  await writeFileSet(options.dir, [...caFiles(made), ...serverFiles(server)]);
  return ca;
}

async function replaceServerPair(options: AutoTlsOptions, ca: MatchingPair, names: TlsNames): Promise<void> {
  const made = await issueServerCertificate(ca, names, options);
  await writeFileSet(options.dir, serverFiles(made));
  options.logger.log("info", "tls_server_certificate_issued", { dir: options.dir, ...names });
}

/**
 * The wanted names, without those found on the host that the authority may not sign.
 *
 * @throws {VaultError} `config_invalid` for a name that was asked for and may not be signed.
 */
async function signableNames({ dir, names }: AutoTlsOptions, ca: MatchingPair): Promise<TlsNames> {
  const permitted = await permittedDnsNames(ca);
  const fits = (name: string) => permitted === null || isCoveredBy(name, permitted);
  const refused = names.asked.dnsNames.find((name) => !fits(name));
  if (refused !== undefined) throw outsideConstraint(refused, permitted ?? [], dir);
  return union(names.asked, { ...names.detected, dnsNames: names.detected.dnsNames.filter(fits) });
}

function outsideConstraint(name: string, permitted: readonly string[], dir: string): VaultError {
  const { caCert } = autoTlsPaths(dir);
  return new VaultError("config_invalid", `The CA in "${caCert}" may not sign the host name "${name}"`, {
    data: { name, permitted },
    hint: `It is limited to ${permitted.join(", ")}. A new host name needs a new CA: ${startAgainHint(dir)}`,
  });
}

/**
 * True when the certificate has all the wanted names, and no DNS name besides.
 *
 * Addresses too many are no reason for a new certificate: they come and go with the host's interfaces.
 */
function holds(server: MatchingPair, wanted: TlsNames): boolean {
  const has = namesOf(server);
  return wanted.dnsNames.every((name) => has.dnsNames.includes(name)) &&
    wanted.ipAddresses.every((address) => has.ipAddresses.includes(address)) &&
    has.dnsNames.every((name) => wanted.dnsNames.includes(name));
}

function namesOf(server: MatchingPair): TlsNames {
  const entries = (server.certificate.subjectAltName ?? "").split(", ");
  const valuesOf = (kind: string) => entries.filter((one) => one.startsWith(kind)).map((one) => one.slice(kind.length));
  const ipAddresses = valuesOf("IP Address:").map((text) => parseIpAddress(text)?.text ?? text);
  return { dnsNames: valuesOf("DNS:"), ipAddresses };
}

/** True when the certificate is near its end, past it or not valid yet, and a new one would be better. */
function isDue(server: MatchingPair, ca: MatchingPair, now: number): boolean {
  const newEnd = Math.min(now + SERVER_LIFETIME_MS, ca.notAfter);
  return server.notBefore > now || (server.notAfter - now < RENEW_BEFORE_MS && newEnd > server.notAfter);
}

function union(one: TlsNames, other: TlsNames): TlsNames {
  return {
    dnsNames: [...new Set([...one.dnsNames, ...other.dnsNames])],
    ipAddresses: [...new Set([...one.ipAddresses, ...other.ipAddresses])],
  };
}
