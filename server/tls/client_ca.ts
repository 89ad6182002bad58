/**
 * The authorities that clients' certificates must come from (mTLS).
 *
 * @module
 */

import type { X509Certificate } from "node:crypto";
import { VaultError } from "../../vault/errors.ts";
import type { Clock, Logger } from "../../vault/ports.ts";
import { isoTime } from "./iso_time.ts";
import { type PemCertificate, readCertificates } from "./pem.ts";
import { readPublicFile } from "./tls_file.ts";
import type { AuthorityFacts } from "./x509_der.ts";

/** A bundle that was checked. */
export interface ClientAuthorities {
  /** The usable certificates, PEM, one after the other. */
  readonly pem: string;
  /** Their subjects, for the start log. */
  readonly subjects: readonly string[];
}

/** What the bundle is checked with. */
export interface ClientCaOptions {
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * Loads a PEM bundle of certificate authorities.
 *
 * Every certificate in it must be a version-3 authority that may sign. An expired one is left out and logged, so that
 * a bundle which holds the old authority beside the new one goes on working.
 *
 * @throws {VaultError} `config_invalid` naming the file, and the certificate by its place and subject.
 */
export async function loadClientCa(path: string, options: ClientCaOptions): Promise<ClientAuthorities> {
  const all = readCertificates(await readPublicFile(path), `"${path}"`);
  for (const [index, { certificate }] of all.entries()) {
    const flaw = await flawOf(certificate);
    if (flaw !== null) throw unusable(path, index, subjectOf(certificate), flaw);
  }
  const valid = all.filter((one) => isInTime(one, path, options));
  if (valid.length === 0) throw new VaultError("config_invalid", `Every certificate in "${path}" has expired`);
  return { pem: valid.map((one) => one.pem).join(""), subjects: valid.map((one) => subjectOf(one.certificate)) };
}

/** What keeps a certificate from being an authority; null when nothing does. */
async function flawOf(certificate: X509Certificate): Promise<string | null> {
  const facts = await factsOf(certificate);
  if (facts === null) return "cannot be taken apart";
  // basicConstraints exists only since version 3: an older certificate cannot say that it is an authority, and
  // whoever held any key it signed could sign further client certificates.
  if (facts.version < 3) return `is of X.509 version ${facts.version}; version 3 is needed`;
  if (!facts.isAuthority) return "is not a certificate authority (basicConstraints CA:TRUE is missing)";
  return facts.maySign ? null : "may not sign certificates (keyUsage lacks keyCertSign)";
}

async function factsOf(certificate: X509Certificate): Promise<AuthorityFacts | null> {
  const x509 = await import("./x509_der.ts");
  try {
    return x509.authorityFacts(new Uint8Array(certificate.raw).buffer);
  } catch {
    return null;
  }
}

/** The subject on one line; the runtime puts each part on a line of its own. */
function subjectOf(certificate: X509Certificate): string {
  return (certificate.subject ?? "").replaceAll("\n", ", ");
}

function unusable(path: string, index: number, subject: string, flaw: string): VaultError {
  return new VaultError("config_invalid", `Certificate ${index + 1} in "${path}" (${subject}) ${flaw}`, {
    hint: "Give the certificate of the authority that signs the clients' certificates, not a client's own",
  });
}

function isInTime({ certificate }: PemCertificate, path: string, { clock, logger }: ClientCaOptions): boolean {
  if (Date.parse(certificate.validTo) > clock.now()) return true;
  const expired = { path, subject: subjectOf(certificate), notAfter: isoTime(Date.parse(certificate.validTo)) };
  logger.log("warn", "tls_client_ca_expired", expired);
  return false;
}
