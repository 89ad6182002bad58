/**
 * What can be told of certificates: their names, their ends, and what an operator should do in time.
 *
 * @module
 */

import type { X509Certificate } from "node:crypto";

/** One certificate, without its key. */
export interface CertificateReport {
  readonly subject: string;
  /** `AB:CD:…`, as `openssl x509 -noout -fingerprint -sha256` prints it. */
  readonly sha256: string;
  /** DNS names and addresses; empty for an authority. */
  readonly names: readonly string[];
  /** Milliseconds since 1970. */
  readonly notBefore: number;
  readonly notAfter: number;
}

const DAY_MS = 86_400_000;

/** Renewal begins 30 days before the end; what is nearer than this was not renewed. */
const SERVER_WARNING_DAYS = 21;
/** Every agent must be told of a new authority, which takes a team some time. */
const AUTHORITY_WARNING_DAYS = 180;

/** Describes a certificate. */
export function reportOf(certificate: X509Certificate): CertificateReport {
  const names = (certificate.subjectAltName ?? "").split(", ").filter((name) => name !== "");
  return {
    subject: certificate.subject.replace(/^CN=/, ""),
    sha256: certificate.fingerprint256,
    names: names.map((name) => name.replace(/^(DNS|IP Address):/, "")),
    notBefore: Date.parse(certificate.validFrom),
    notAfter: Date.parse(certificate.validTo),
  };
}

/** Which certificate it is about. */
export type CertificateRole = "server" | "ca";

/** How many whole days are left; negative once it is over. */
export function daysLeft(notAfter: number, now: number): number {
  return Math.floor((notAfter - now) / DAY_MS);
}

/** What to do about a certificate that ends soon; null while there is time. */
export function expiryWarning(role: CertificateRole, notAfter: number, now: number): string | null {
  const days = daysLeft(notAfter, now);
  if (days > (role === "ca" ? AUTHORITY_WARNING_DAYS : SERVER_WARNING_DAYS)) return null;
  return role === "ca"
    ? "make a new CA in time: `runevault tls ca --new` with the server stopped, then give ca.pem to every agent"
    : "run `runevault tls renew`; with --tls files, have its owner replace the certificate";
}
