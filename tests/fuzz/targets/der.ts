/**
 * Certificates as DER: the runtime's reader, and the one that decides whether a certificate is an authority.
 *
 * @module
 */

import { X509Certificate } from "node:crypto";
import fc from "fast-check";
import { authorityFacts, subjectOf } from "../../../server/tls/x509_der.ts";
import { bulkBytes, mutatedBytes } from "../mutations.ts";
import { Finding, must } from "../refusals.ts";
import { type FuzzTarget, syncTarget } from "../target.ts";
import { CERTIFICATES, KEYS } from "./certificates.ts";

const valid = fc.constantFrom(...CERTIFICATES);

/** One byte of a certificate changed: lengths and tags that lie, in every place. */
const oneByte = fc.tuple(valid, fc.nat(), fc.nat({ max: 255 })).map(([der, at, byte]) =>
  der.with(at % der.length, byte)
);

/** Certificates as DER. */
export const target: FuzzTarget = syncTarget(
  "der",
  "bytes",
  fc.oneof(
    { weight: 60, arbitrary: oneByte },
    { weight: 100, arbitrary: mutatedBytes(valid) },
    { weight: 20, arbitrary: fc.uint8Array({ maxLength: 60 }) },
    {
      weight: 1,
      arbitrary: bulkBytes(20_000, [[0x30, 0x80], [0x30], [0xa0, 0x80], [0x24, 0x80], [0x30, 0x84, 0xff, 0xff], [
        0x31,
        0,
      ]]),
    },
  ),
  check,
);

function check(der: Uint8Array): void {
  const certificate = orRefused(() => new X509Certificate(der.slice()));
  if (certificate !== undefined) orRefused(() => readAll(certificate));
  const facts = orRefused(() => authorityFacts(new Uint8Array(der).buffer));
  if (facts === undefined) return;
  orRefused(() => subjectOf(new Uint8Array(der).buffer));
  must(Number.isInteger(facts.version) && typeof facts.isAuthority === "boolean", JSON.stringify(facts));
  must(facts.permittedDnsNames === null || facts.permittedDnsNames.every((name) => typeof name === "string"), "names");
}

/** What the server reads of a certificate that came from outside. */
function readAll(certificate: X509Certificate): void {
  for (const key of KEYS) orRefused(() => certificate.checkPrivateKey(key));
  const { subject, subjectAltName, validFrom, validTo } = certificate;
  for (const text of [subject, subjectAltName, validFrom, validTo]) {
    must(text === undefined || typeof text === "string", `a certificate says ${text}`);
  }
}

/** Both readers refuse by throwing whatever they like, and their callers take all of it; running out of stack is not it. */
function orRefused<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (thrown) {
    must(thrown instanceof Error, `threw ${thrown}`);
    if (thrown instanceof RangeError && /call stack/i.test(thrown.message)) throw new Finding("ran out of stack");
    return undefined;
  }
}
