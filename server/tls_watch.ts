/**
 * Watches the ends of the certificates in use: says so in the log once a day while one is near.
 *
 * @module
 */

import type { Clock, Logger } from "../vault/mod.ts";
import type { ListenerTls } from "./listener_tls.ts";
import { type CertificateRole, daysLeft, expiryWarning } from "./tls/mod.ts";

/** A certificate in use and its end, in ms since 1970. */
export interface CertificateEnd {
  readonly certificate: CertificateRole;
  readonly notAfter: number;
}

const DAY_MS = 86_400_000;

/** The ends of the certificates that a listener uses now. */
export function certificateEnds(tls: ListenerTls | null): CertificateEnd[] {
  if (tls === null) return [];
  const server = { certificate: "server", notAfter: tls.material.notAfter } as const;
  return tls.caNotAfter === null ? [server] : [server, { certificate: "ca", notAfter: tls.caNotAfter }];
}

/** Warns now and each day; returns what stops it. */
export function watchCertificateEnds(tls: ListenerTls | null, around: { clock: Clock; logger: Logger }): () => void {
  const look = () => warnOfEnds(certificateEnds(tls), around);
  look();
  const timer = setInterval(look, DAY_MS);
  return () => clearInterval(timer);
}

/** Logs each certificate whose end is near. */
export function warnOfEnds(
  ends: readonly CertificateEnd[],
  { clock, logger }: { readonly clock: Clock; readonly logger: Logger },
): void {
  for (const { certificate, notAfter } of ends) {
    const hint = expiryWarning(certificate, notAfter, clock.now());
    if (hint === null) continue;
    const facts = { certificate, days: daysLeft(notAfter, clock.now()), ends: new Date(notAfter).toISOString(), hint };
    logger.log("warn", "tls_certificate_ends_soon", facts);
  }
}
