/**
 * TLS for the listeners: where certificates come from, and which listeners may do without.
 *
 * Owns the folder `<data>/tls` with the private authority and the server's certificate, the reading and reloading of
 * certificate files that somebody else keeps, the check of client authorities, and the reading of listen addresses.
 *
 * Relies on the ports of the domain (clock, randomness, logger), on the runtime's own X.509 and key functions, and on
 * the data folder's lock for being the only one who writes.
 *
 * Leaves to its neighbours: opening sockets and handing a replaced pair to them (each face has its own way), reading
 * flags and environment, finding the host's name and addresses, and telling the operator the path and fingerprint.
 *
 * @module
 */

export {
  assertPlaintextAllowed,
  formatListenAddress,
  isLoopbackHost,
  type ListenAddress,
  parseListenAddress,
} from "./addresses.ts";
export { type AutoTls, type AutoTlsOptions, ensureAutoTls, renewServerPair, replaceAuthority } from "./auto.ts";
export { type AutoTlsPaths, autoTlsPaths, readAutoTlsFiles } from "./auto_files.ts";
export { type ClientAuthorities, type ClientCaOptions, loadClientCa } from "./client_ca.ts";
export { type TlsFilesOptions, watchTlsFiles } from "./files.ts";
export type { TlsMaterial, TlsPair } from "./material.ts";
export { collectTlsNames, type TlsNames, type TlsNameSources, type WantedTlsNames } from "./names.ts";
export { assertMatchingPair, type MatchingPair, type PairNames } from "./pair.ts";
export { permittedDnsNames } from "./private_ca.ts";
export { type CertificateReport, type CertificateRole, daysLeft, expiryWarning, reportOf } from "./report.ts";
export { type KeyModeRule, readKeyFile, readPublicFile } from "./tls_file.ts";
