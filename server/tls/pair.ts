/**
 * Checks that a certificate and a private key belong together.
 *
 * @module
 */

import type { X509Certificate } from "node:crypto";
import { VaultError } from "../../vault/errors.ts";
import type { TlsPair } from "./material.ts";
import { readCertificates, readPrivateKey } from "./pem.ts";

/** A pair that was read and found to match. */
export interface MatchingPair extends TlsPair {
  /** The certificate that the key belongs to. */
  readonly certificate: X509Certificate;
  /** First moment of validity, in ms since 1970. */
  readonly notBefore: number;
  /** Last moment of validity, in ms since 1970. */
  readonly notAfter: number;
}

/** How the two halves are called in errors: their paths, in quotes. */
export interface PairNames {
  readonly cert: string;
  readonly key: string;
}

/**
 * Reads a certificate chain and a key, and demands that the key is the one of the first certificate.
 *
 * Says nothing about validity in time or about who signed. In the result the two texts hold certificates and the key
 * and nothing else.
 *
 * @throws {VaultError} `config_invalid` naming the half that cannot be read, or both when they do not match.
 */
export function assertMatchingPair(certPem: string, keyPem: string, names: PairNames = UNNAMED): MatchingPair {
  const chain = readCertificates(certPem, names.cert);
  const { key, pem } = readPrivateKey(keyPem, names.key);
  const owner = chain.findIndex(({ certificate }) => certificate.checkPrivateKey(key));
  const certificate = chain[0]?.certificate;
  if (certificate === undefined || owner !== 0) throw mismatch(names, owner);
  return {
    certPem: chain.map((one) => one.pem).join(""),
    keyPem: pem,
    certificate,
    notBefore: Date.parse(certificate.validFrom),
    notAfter: Date.parse(certificate.validTo),
  };
}

const UNNAMED: PairNames = { cert: "the certificate file", key: "the key file" };

function mismatch(names: PairNames, owner: number): VaultError {
  if (owner > 0) {
    return new VaultError(
      "config_invalid",
      `The key in ${names.key} belongs to certificate ${owner + 1} of ${names.cert}`,
      {
        hint: "Put the server's own certificate first, then the ones that signed it",
      },
    );
  }
  return new VaultError(
    "config_invalid",
    `The key in ${names.key} does not belong to the certificate in ${names.cert}`,
  );
}
