/**
 * Builds and takes apart X.509 certificates as DER (RFC 5280), by the ASN.1 schema library.
 *
 * The only file that imports that library, and meant to be imported lazily: a start that finds its certificates in
 * place has no use for it.
 *
 * @module
 */

import { AsnConvert, AsnParser, OctetString } from "@peculiar/asn1-schema";
import {
  AlgorithmIdentifier,
  AttributeTypeAndValue,
  AttributeValue,
  AuthorityKeyIdentifier,
  BasicConstraints,
  Certificate,
  ExtendedKeyUsage,
  Extension,
  Extensions,
  GeneralName,
  GeneralSubtree,
  GeneralSubtrees,
  id_ce_authorityKeyIdentifier,
  id_ce_basicConstraints,
  id_ce_extKeyUsage,
  id_ce_keyUsage,
  id_ce_nameConstraints,
  id_ce_subjectAltName,
  id_ce_subjectKeyIdentifier,
  id_kp_serverAuth,
  KeyUsage,
  KeyUsageFlags,
  Name,
  NameConstraints,
  RelativeDistinguishedName,
  SubjectAlternativeName,
  SubjectKeyIdentifier,
  SubjectPublicKeyInfo,
  TBSCertificate,
  Validity,
  Version,
} from "@peculiar/asn1-x509";
import type { TlsNames } from "./names.ts";

/** What a certificate says, apart from its extensions and its signature. */
export interface CertificateFields {
  /** Positive, big-endian, without a leading zero octet that is not needed. */
  readonly serialNumber: ArrayBuffer;
  readonly issuer: Name;
  readonly subject: Name;
  /** In ms since 1970; whole seconds are kept. */
  readonly notBefore: number;
  readonly notAfter: number;
  /** SubjectPublicKeyInfo as DER. */
  readonly publicKeyInfo: ArrayBuffer;
  readonly extensions: readonly Extension[];
}

const ECDSA_WITH_SHA256 = "1.2.840.10045.4.3.2";
const COMMON_NAME = "2.5.4.3";
const KEY_CERT_SIGN = KeyUsageFlags.keyCertSign;

/** A distinguished name that is one common name. */
export function commonName(text: string): Name {
  const value = new AttributeValue({ utf8String: text });
  return new Name([new RelativeDistinguishedName([new AttributeTypeAndValue({ type: COMMON_NAME, value })])]);
}

/** The subject of a certificate given as DER. */
export function subjectOf(certificate: ArrayBuffer): Name {
  return parse(certificate).tbsCertificate.subject;
}

/**
 * Puts a certificate together and has it signed.
 *
 * @param signDer Signs bytes with ECDSA and SHA-256, and returns the signature as DER (RFC 3279 §2.2.3).
 */
export function signedCertificate(fields: CertificateFields, signDer: (bytes: Uint8Array) => ArrayBuffer): ArrayBuffer {
  const algorithm = new AlgorithmIdentifier({ algorithm: ECDSA_WITH_SHA256 });
  const tbsCertificate = new TBSCertificate({
    version: Version.v3,
    serialNumber: fields.serialNumber,
    signature: algorithm,
    issuer: fields.issuer,
    validity: new Validity({ notBefore: new Date(fields.notBefore), notAfter: new Date(fields.notAfter) }),
    subject: fields.subject,
    subjectPublicKeyInfo: AsnConvert.parse(fields.publicKeyInfo, SubjectPublicKeyInfo),
    extensions: new Extensions([...fields.extensions]),
  });
  const signatureValue = signDer(new Uint8Array(AsnConvert.serialize(tbsCertificate)));
  return AsnConvert.serialize(new Certificate({ tbsCertificate, signatureAlgorithm: algorithm, signatureValue }));
}

/** An authority's extensions: it may sign server certificates, no further authority, and no name outside `dnsNames`. */
export function authorityExtensions(dnsNames: readonly string[], ownKeyId: ArrayBuffer): Extension[] {
  const subtrees = dnsNames.map((dNSName) => new GeneralSubtree({ base: new GeneralName({ dNSName }) }));
  return [
    extension(id_ce_basicConstraints, true, new BasicConstraints({ cA: true, pathLenConstraint: 0 })),
    extension(id_ce_keyUsage, true, new KeyUsage(KEY_CERT_SIGN | KeyUsageFlags.cRLSign)),
    extension(id_ce_nameConstraints, true, new NameConstraints({ permittedSubtrees: new GeneralSubtrees(subtrees) })),
    extension(id_ce_subjectKeyIdentifier, false, new SubjectKeyIdentifier(ownKeyId)),
  ];
}

/** A TLS server's extensions; the names are in subjectAltName alone, as RFC 9525 wants them. */
export function serverExtensions(names: TlsNames, ownKeyId: ArrayBuffer, issuerKeyId: ArrayBuffer): Extension[] {
  const generalNames = [
    ...names.dnsNames.map((dNSName) => new GeneralName({ dNSName })),
    ...names.ipAddresses.map((iPAddress) => new GeneralName({ iPAddress })),
  ];
  const issuer = new AuthorityKeyIdentifier({ keyIdentifier: new SubjectKeyIdentifier(issuerKeyId) });
  return [
    extension(id_ce_basicConstraints, true, new BasicConstraints({ cA: false })),
    extension(id_ce_keyUsage, true, new KeyUsage(KeyUsageFlags.digitalSignature)),
    extension(id_ce_extKeyUsage, false, new ExtendedKeyUsage([id_kp_serverAuth])),
    extension(id_ce_subjectAltName, false, new SubjectAlternativeName(generalNames)),
    extension(id_ce_subjectKeyIdentifier, false, new SubjectKeyIdentifier(ownKeyId)),
    extension(id_ce_authorityKeyIdentifier, false, issuer),
  ];
}

function extension(extnID: string, critical: boolean, value: object): Extension {
  return new Extension({ extnID, critical, extnValue: new OctetString(AsnConvert.serialize(value)) });
}

/** What decides whether a certificate can stand as an authority. */
export interface AuthorityFacts {
  /** 1, 2 or 3. */
  readonly version: number;
  /** basicConstraints says CA:TRUE. */
  readonly isAuthority: boolean;
  /** keyUsage is absent, or includes keyCertSign. */
  readonly maySign: boolean;
  /** The DNS names it is limited to; null when it is not limited. */
  readonly permittedDnsNames: readonly string[] | null;
}

/** Reads an authority's facts from DER; throws whatever the parser throws on bytes that are no certificate. */
export function authorityFacts(certificate: ArrayBuffer): AuthorityFacts {
  const { version, extensions } = parse(certificate).tbsCertificate;
  const find = (id: string) => extensions?.find((one) => one.extnID === id)?.extnValue.buffer;
  const basic = find(id_ce_basicConstraints);
  const usage = find(id_ce_keyUsage);
  const constraints = find(id_ce_nameConstraints);
  return {
    // The library gives an INTEGER of more than four bytes as text.
    version: Number(version) + 1,
    isAuthority: basic !== undefined && AsnParser.parse(basic, BasicConstraints).cA,
    maySign: usage === undefined || (AsnParser.parse(usage, KeyUsage).toNumber() & KEY_CERT_SIGN) !== 0,
    permittedDnsNames: constraints === undefined ? null : permittedDnsNames(constraints),
  };
}

/** Null when DNS names are not among what is constrained (RFC 5280 §4.2.1.10: other kinds of name bind them not). */
function permittedDnsNames(constraints: ArrayBuffer): string[] | null {
  const subtrees = AsnParser.parse(constraints, NameConstraints).permittedSubtrees ?? [];
  const names = [...subtrees].map((subtree) => subtree.base.dNSName).filter((name) => name !== undefined);
  return names.length === 0 ? null : names;
}

function parse(certificate: ArrayBuffer): Certificate {
  return AsnParser.parse(certificate, Certificate);
}
