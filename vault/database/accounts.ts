/**
 * Accounts on servers: how they end, and how they live longer.
 *
 * @module
 */

import type { AccountBackend } from "../leases/leases.ts";
import type { LeaseRecord } from "../storage/database_records.ts";
import type { DatabaseConnections } from "./connections.ts";
import { filled } from "./statements.ts";

/** What the operator is told where a server wouldn't let us end sessions. */
const SESSIONS_LEFT = "sessions not ended: the connection's account has no right to";

/** The accounts behind leases. */
export class DatabaseAccounts implements AccountBackend {
  readonly #connections: DatabaseConnections;

  constructor(connections: DatabaseConnections) {
    this.#connections = connections;
  }

  async end({ mountAccessor, account }: LeaseRecord): Promise<readonly string[]> {
    const { connection, username, revocation } = account;
    const open = await this.#connections.open(mountAccessor, connection);
    return await this.#connections.ask(open, "revoke", [], async (server) => {
      // Statements of the operator's fail where there is nothing to drop, and an account that is gone is what is wanted.
      if (await server.hasAccount(username) === false) return [];
      // Locked and thrown out first: an open session would outlive its account (S15).
      const hasEnded = await server.endSessions(username);
      if (revocation.length > 0) await server.run(filled(revocation, { username }));
      else await server.dropAccount(username);
      return hasEnded ? [] : [SESSIONS_LEFT];
    });
  }

  async renew({ mountAccessor, account }: LeaseRecord, expiresAt: number): Promise<void> {
    const { connection, username, renewal } = account;
    const open = await this.#connections.open(mountAccessor, connection);
    const statements = renewal.length > 0 ? renewal : open.plugin.renewal;
    if (statements.length === 0) return;
    await this.#connections.ask(open, "renew", [], (server) => server.run(filled(statements, { username, expiresAt })));
  }
}
