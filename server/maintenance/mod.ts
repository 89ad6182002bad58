/**
 * What an operator does to a vault's folder beside the server: certificates, examination, upgrade.
 *
 * Relies on the same configuration and the same readers as the server, so that both mean the same; what changes files
 * takes the lock on the data folder first. Leaves words on a terminal to the command line.
 *
 * @module
 */

export { caPem, issueServerCertificate, makeAuthority, type TlsReport, tlsReport } from "./tls.ts";
export { doctor } from "./doctor.ts";
export type { Finding } from "./finding.ts";
export { checkUpgrade, type UpgradeReport } from "./upgrade.ts";
export { type ImportPlan, placeImport, planImport } from "./rune_vault.ts";
