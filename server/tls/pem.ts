/**
 * Takes PEM files apart (RFC 7468) and reads the certificates and keys in them.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { VaultError } from "../../vault/errors.ts";

/** One `-----BEGIN …-----` block. */
export interface PemBlock {
  readonly label: string;
  /** The block with its two boundary lines and a final line feed. */
  readonly text: string;
}

/** More than any chain or bundle of ours holds; every one is parsed. */
const MAX_CERTIFICATES = 200;

/** Finds the blocks of a PEM file; text around them, such as what `openssl pkcs12` writes, is skipped. */
export function pemBlocks(text: string): PemBlock[] {
  const blocks: PemBlock[] = [];
  let label: string | null = null;
  let lines: string[] = [];
  for (const line of text.split("\n")) {
    const begin: string | null = /^-----BEGIN ([A-Z0-9 ]{1,40})-----\s*$/.exec(line)?.[1] ?? null;
    if (begin !== null) [label, lines] = [begin, []];
    if (label !== null) lines.push(line.trimEnd());
    if (label === null || !line.startsWith(`-----END ${label}-----`)) continue;
    blocks.push({ label, text: lines.join("\n") + "\n" });
    label = null;
  }
  return blocks;
}

/** Wraps DER into a PEM block. */
export function toPem(label: string, der: ArrayBuffer): string {
  const base64 = Buffer.from(der).toString("base64").replace(/.{64}/g, "$&\n").trimEnd();
  return `-----BEGIN ${label}-----\n${base64}\n-----END ${label}-----\n`;
}

/** A certificate, and itself alone as a PEM block. */
export interface PemCertificate {
  readonly certificate: X509Certificate;
  readonly pem: string;
}

/**
 * Reads all certificates of a PEM file, one at least.
 *
 * @param where What the text came from, as the error shall name it.
 * @throws {VaultError} `config_invalid` when there is none, or one cannot be parsed.
 */
export function readCertificates(text: string, where: string): PemCertificate[] {
  const blocks = pemBlocks(text).filter((block) => block.label === "CERTIFICATE");
  if (blocks.length === 0) {
    throw new VaultError("config_invalid", `${where} holds no certificate`, {
      hint: 'It must be a PEM file with a "-----BEGIN CERTIFICATE-----" block',
    });
  }
  if (blocks.length > MAX_CERTIFICATES) {
    throw new VaultError("config_invalid", `${where} holds more than ${MAX_CERTIFICATES} certificates`);
  }
  return blocks.map((block, index) => {
    const certificate = readCertificate(block, index, where);
    // Not the block's text: where a boundary line is damaged, a part of another block stands in it.
    return { certificate, pem: toPem("CERTIFICATE", new Uint8Array(certificate.raw).buffer) };
  });
}

function readCertificate(block: PemBlock, index: number, where: string): X509Certificate {
  try {
    const certificate = new X509Certificate(block.text);
    // The runtime takes some of it apart only when asked: what it can't read is to be refused here.
    void [certificate.subject, certificate.subjectAltName, certificate.validFrom, certificate.validTo];
    return certificate;
  } catch (cause) {
    throw new VaultError("config_invalid", `Certificate ${index + 1} in ${where} cannot be parsed`, { cause });
  }
}

/** A private key and the PEM block it was read from, without what else the file holds. */
export interface PemKey {
  readonly key: KeyObject;
  readonly pem: string;
}

/**
 * Reads the one private key of a PEM file.
 *
 * The block is cut out because some TLS stacks stop at the `EC PARAMETERS` block that `openssl ecparam` puts before it.
 *
 * @param where What the text came from, as the error shall name it.
 * @throws {VaultError} `config_invalid` when there is none, more than one, or one that needs a passphrase.
 */
export function readPrivateKey(text: string, where: string): PemKey {
  const blocks = pemBlocks(text).filter((block) => block.label.endsWith("PRIVATE KEY"));
  const block = blocks[0];
  if (block === undefined || blocks.length > 1) {
    throw new VaultError("config_invalid", `${where} must hold exactly one private key, it holds ${blocks.length}`, {
      hint: 'It must be a PEM file with one "-----BEGIN PRIVATE KEY-----" block',
    });
  }
  if (block.label.startsWith("ENCRYPTED") || block.text.includes("ENCRYPTED\n")) {
    throw new VaultError("config_invalid", `The private key in ${where} is encrypted with a passphrase`, {
      hint: "A server that starts by itself cannot be asked for it: write the key without one, mode 0600",
    });
  }
  return { key: parsePrivateKey(block, where), pem: block.text };
}

function parsePrivateKey(block: PemBlock, where: string): KeyObject {
  try {
    return createPrivateKey(block.text);
  } catch {
    // No cause: a parser's words about a key it could not read have no place in a log.
    throw new VaultError("config_invalid", `The private key in ${where} cannot be parsed`);
  }
}
