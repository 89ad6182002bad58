/**
 * Accounts on servers: how they end, and how they live longer.
 *
 * @module
 */

import type { EndedLease } from "../leases/lease_endings.ts";
import type { AccountBackend } from "../leases/leases.ts";
import { VaultError } from "../errors.ts";
import { quoteName } from "../names.ts";
import type { LeaseRecord } from "../storage/database_records.ts";
import type { DatabaseConnections } from "./connections.ts";
import type { OpenConnection } from "./open_connection.ts";
import type { EndedAccount } from "./ports.ts";
import { filled } from "./statements.ts";

/** What the operator is told where a server wouldn't let us end sessions. */
const SESSIONS_LEFT = "sessions not ended: the connection's account has no right to";

/** The accounts behind leases. */
export class DatabaseAccounts implements AccountBackend {
  readonly #connections: DatabaseConnections;

  constructor(connections: DatabaseConnections) {
    this.#connections = connections;
  }

  end({ mountAccessor, account }: LeaseRecord): Promise<EndedLease> {
    const { connection, revocation, place } = account;
    return this.#connections.use(mountAccessor, connection, async (open) => {
      const ended: EndedAccount[] = [];
      for (const username of await usernamesOf(account, open)) {
        const statements = filled(revocation, { username });
        ended.push(await open.ask("revoke", [], (server) => server.end(username, statements)));
      }
      const wasThere = ended.some((one) => one.wasThere);
      // Where the connection leads elsewhere by now, that the account isn't there says nothing.
      if (!wasThere && open.place !== place) throw movedAway(connection, place, open.place);
      return { wasThere, warnings: ended.every((one) => one.hasEndedSessions) ? [] : [SESSIONS_LEFT] };
    });
  }

  async renew({ mountAccessor, account }: LeaseRecord, expiresAt: number): Promise<void> {
    const { connection, username, renewal } = account;
    await this.#connections.use(mountAccessor, connection, async (open) => {
      const statements = renewal.length > 0 ? renewal : open.plugin.renewal;
      if (statements.length === 0) return;
      await open.ask("renew", [], (server) => server.run(filled(statements, { username, expiresAt })));
    });
  }
}

/** Where only the end of a name is known, whoever of our accounts is called so. */
async function usernamesOf(
  { username, isNameEnd }: LeaseRecord["account"],
  open: OpenConnection,
): Promise<readonly string[]> {
  if (!isNameEnd) return [username];
  const found = await open.ask("look", [], (server) => server.accountsEnding(username));
  if (found !== undefined) return found.filter((name) => name.startsWith("v-") && name.endsWith(username));
  throw new VaultError("upstream_failed", "the connection's account has no right to look for accounts", {
    hint: "give it the right to read mysql.user",
  });
}

function movedAway(connection: string, before: string, now: string): VaultError {
  return new VaultError(
    "upstream_failed",
    `the account was made at ${before}, and connection ${quoteName(connection)} leads to ${now} now`,
    { hint: "have it lead back, or forget the lease with revoke-force" },
  );
}
