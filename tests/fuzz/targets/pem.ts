/**
 * PEM files: taking them apart, the certificates and keys in them, and whether both belong together. A private key's
 * own characters may not be in what is said about a bad file.
 *
 * @module
 */

import fc from "fast-check";
import { assertMatchingPair } from "../../../server/tls/pair.ts";
import { pemBlocks, readCertificates } from "../../../server/tls/pem.ts";
import { anyText, AWKWARD_TEXT, bulkText, mutatedText } from "../mutations.ts";
import { assertQuotesNothingOf, Finding, must, parseOrRefuse } from "../refusals.ts";
import { type FuzzTarget, syncTarget } from "../target.ts";
import { CERTIFICATE_PEMS, KEY_PEMS } from "./certificates.ts";

interface Input {
  readonly cert: string;
  readonly key: string;
}

const PIECES: readonly string[] = [
  ...AWKWARD_TEXT,
  "-----BEGIN CERTIFICATE-----\n",
  "-----END CERTIFICATE-----\n",
  "-----BEGIN PRIVATE KEY-----\n",
  "-----END PRIVATE KEY-----\n",
  "-----BEGIN ENCRYPTED PRIVATE KEY-----\n",
  "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n",
  "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\n",
  "-----BEGIN ",
  "-----",
  "Bag Attributes\n",
  "AAAA",
  "=",
];

const keys = fc.constantFrom(...KEY_PEMS);
const chain = fc.array(fc.constantFrom(...CERTIFICATE_PEMS), { minLength: 1, maxLength: 3 }).map((all) => all.join(""));
/** One character of the base64 changed: bytes that are nearly a certificate or a key. */
const oneOff = (pem: fc.Arbitrary<string>) =>
  fc.tuple(pem, fc.nat(), fc.constantFrom(..."ABCDwxyz0189+/")).map(([text, at, char]) => {
    const place = 30 + at % (text.length - 60);
    return text[place] === "\n" ? text : text.slice(0, place) + char + text.slice(place + 1);
  });
const damaged = (pem: fc.Arbitrary<string>) =>
  fc.oneof(pem, oneOff(pem), mutatedText(pem, PIECES), mutatedText(oneOff(pem), PIECES));

/** PEM files. */
export const target: FuzzTarget = syncTarget(
  "pem",
  "json",
  fc.oneof(
    { weight: 200, arbitrary: fc.record({ cert: damaged(chain), key: damaged(keys) }) },
    { weight: 20, arbitrary: fc.record({ cert: anyText(60, PIECES), key: anyText(60, PIECES) }) },
    { weight: 1, arbitrary: bulkText(100_000, PIECES).map((text) => ({ cert: text, key: text })) },
  ),
  check,
);

function check({ cert, key }: Input): void {
  for (const { label, text } of pemBlocks(cert)) {
    must(/^[A-Z0-9 ]{1,40}$/.test(label) && text.startsWith(`-----BEGIN ${label}-----`), `a block ${label}`);
  }
  const certificates = refusable(key, () => readCertificates(cert, '"/etc/cert.pem"')) ?? [];
  for (const { certificate } of certificates) {
    const { subject, subjectAltName, validFrom, validTo } = certificate;
    must([subject, subjectAltName, validFrom, validTo].every((text) => typeof (text ?? "") === "string"), "no text");
  }
  const pair = refusable(key, () => assertMatchingPair(cert, key, { cert: '"/etc/cert.pem"', key: '"/etc/key.pem"' }));
  if (pair === undefined) return;
  must(pair.keyPem.split("-----BEGIN").length === 2, "more than the key is in the key's text");
  must(!pair.certPem.includes("PRIVATE"), "a key is in the certificates' text");
  must(Number.isFinite(pair.notBefore) && Number.isFinite(pair.notAfter), "an accepted certificate has no dates");
}

/** The key's base64 may stand in no message, nor in a cause, which goes into logs. */
function refusable<T>(key: string, parse: () => T): T | undefined {
  return parseOrRefuse(["config_invalid"], () => {
    try {
      return parse();
    } catch (thrown) {
      if (thrown instanceof Error && !(thrown instanceof Finding)) {
        const body = key.split("\n").filter((line) => !line.startsWith("-----")).join("\n");
        assertQuotesNothingOf(
          body,
          12,
          "a message",
          `${thrown.message}\n${(thrown.cause as Error | undefined)?.message ?? ""}`,
        );
      }
      throw thrown;
    }
  });
}
