/**
 * The admin API: everything an operator does, over HTTP on this machine.
 *
 * Owns: the admin token and its proof, the guard (Host, Origin, token), the routes and their JSON, the two listeners,
 * and the client that the CLI uses (`client.ts`, which loads nothing of the server).
 * Relies on: the domain (`vault/`) for every rule and every refusal, and on whoever starts it for the facts about the
 * process.
 * Leaves to others: what is true of tokens, roles, users and files (`vault/`), starting and stopping (`server/`),
 * words on a terminal (`cli/`).
 *
 * @module
 */

export { type AdminHandler, createAdminApp } from "./app.ts";
export {
  type AdminAddress,
  type AdminListener,
  type AdminSocketAddress,
  listenAdminSocket,
  listenAdminTcp,
} from "./listener.ts";
export type { AdminParts, AdminVault, BackupSource, ProcessFacts } from "./ports.ts";
export { ADMIN_TOKEN_FILE, ensureAdminToken } from "./token_file.ts";
export type { AddressesBody, BackupBody, StatusReport, TlsStatus } from "./wire.ts";
