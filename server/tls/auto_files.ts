/**
 * The four files of `--tls auto`: where they lie, how they are read, and what may not be wrong with them.
 *
 * @module
 */

import { join } from "node:path";
import { VaultError } from "../../vault/errors.ts";
import type { FileToWrite } from "./file_set.ts";
import { isoTime } from "./iso_time.ts";
import type { TlsPair } from "./material.ts";
import { assertMatchingPair, type MatchingPair } from "./pair.ts";
import { type KeyModeRule, readKeyFile, readPublicFile } from "./tls_file.ts";

/** Where the four files lie. */
export interface AutoTlsPaths {
  readonly caCert: string;
  readonly caKey: string;
  readonly serverCert: string;
  readonly serverKey: string;
}

/** What was found: both pairs, the authority alone, or nothing. */
export interface AutoTlsFiles {
  readonly ca: MatchingPair | null;
  readonly server: MatchingPair | null;
}

const CA_CERT = "ca.pem";
const CA_KEY = "ca.key";
const SERVER_CERT = "server.pem";
const SERVER_KEY = "server.key";
/** Certificates are public, and `ca.pem` is meant to be copied to the agents with its mode. */
const CERT_MODE = 0o644;
const KEY_MODE = 0o600;

/** The paths in a folder. */
export function autoTlsPaths(dir: string): AutoTlsPaths {
  return {
    caCert: join(dir, CA_CERT),
    caKey: join(dir, CA_KEY),
    serverCert: join(dir, SERVER_CERT),
    serverKey: join(dir, SERVER_KEY),
  };
}

/** The authority's two files. */
export function caFiles(pair: TlsPair): FileToWrite[] {
  return [{ name: CA_KEY, text: pair.keyPem, mode: KEY_MODE }, { name: CA_CERT, text: pair.certPem, mode: CERT_MODE }];
}

/** The server's two files. */
export function serverFiles(pair: TlsPair): FileToWrite[] {
  return [
    { name: SERVER_KEY, text: pair.keyPem, mode: KEY_MODE },
    { name: SERVER_CERT, text: pair.certPem, mode: CERT_MODE },
  ];
}

/** What helps when nothing else does. */
export function startAgainHint(dir: string): string {
  return `move "${dir}" away and start again; every agent must then trust the new ${CA_CERT}`;
}

/**
 * Reads the pairs and checks that they belong together, and that the authority can be used now.
 *
 * A server pair that is absent, expired or about to expire is no error: the authority can sign a new one.
 *
 * @throws {VaultError} `config_invalid` naming the file and what to do, for a pair that is incomplete, unreadable or
 * does not match, a key that others may read, an authority that is missing, expired or none, and a server certificate
 * that another authority signed.
 */
export async function readAutoTlsFiles(dir: string, rule: KeyModeRule, now: number): Promise<AutoTlsFiles> {
  const paths = autoTlsPaths(dir);
  const restoreCa = `Put it back from a backup, or ${startAgainHint(dir)}`;
  const ca = await readPair(paths.caCert, paths.caKey, rule, restoreCa);
  const server = await readPair(paths.serverCert, paths.serverKey, rule, removeServerHint(paths));
  if (ca !== null) assertUsableAuthority(ca, paths.caCert, dir, now);
  if (server !== null) assertSignedBy(ca, server, paths, restoreCa);
  return { ca, server };
}

function removeServerHint(paths: AutoTlsPaths): string {
  return `Remove "${paths.serverCert}" and "${paths.serverKey}", and start again: a new pair is signed by the same CA`;
}

async function readPair(cert: string, key: string, rule: KeyModeRule, hint: string): Promise<MatchingPair | null> {
  const [hasCert, hasKey] = [await exists(cert), await exists(key)];
  if (!hasCert && !hasKey) return null;
  if (!hasCert || !hasKey) {
    const [missing, other] = hasCert ? [key, cert] : [cert, key];
    throw new VaultError("config_invalid", `"${missing}" is missing, while "${other}" is there`, { hint });
  }
  // What hinders the reading has a remedy of its own, such as a chmod.
  const certPem = await readPublicFile(cert);
  const keyPem = await readKeyFile(key, rule);
  try {
    return assertMatchingPair(certPem, keyPem, { cert: `"${cert}"`, key: `"${key}"` });
  } catch (error) {
    throw withHint(error, hint);
  }
}

/** Nobody should mend these files by hand: the general advice about PEM gives way to what makes them sound again. */
function withHint(error: unknown, hint: string): unknown {
  if (!(error instanceof VaultError)) return error;
  return new VaultError(error.kind, error.message, { hint, cause: error.cause });
}

async function exists(path: string): Promise<boolean> {
  try {
    await Deno.lstat(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw new VaultError("config_invalid", `"${path}" cannot be looked at`, { cause: error });
  }
}

function assertUsableAuthority(ca: MatchingPair, path: string, dir: string, now: number): void {
  if (!ca.certificate.ca) {
    throw new VaultError("config_invalid", `The certificate in "${path}" is not a certificate authority`, {
      hint: capitalised(startAgainHint(dir)),
    });
  }
  if (ca.notAfter <= now) {
    throw new VaultError("config_invalid", `The CA in "${path}" expired on ${isoTime(ca.notAfter)}`, {
      hint: capitalised(startAgainHint(dir)),
    });
  }
  if (ca.notBefore > now) {
    throw new VaultError("config_invalid", `The CA in "${path}" is valid only from ${isoTime(ca.notBefore)} on`, {
      hint: `The clock says ${isoTime(now)}: set it right; or ${startAgainHint(dir)}`,
    });
  }
}

function assertSignedBy(ca: MatchingPair | null, server: MatchingPair, paths: AutoTlsPaths, restoreCa: string): void {
  if (ca === null) {
    throw new VaultError("config_invalid", `"${paths.caCert}" and "${paths.caKey}" are missing`, { hint: restoreCa });
  }
  if (server.certificate.verify(ca.certificate.publicKey)) return;
  throw new VaultError("config_invalid", `"${paths.serverCert}" was not signed by the CA in "${paths.caCert}"`, {
    hint: removeServerHint(paths),
  });
}

function capitalised(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
