/**
 * The database engine put together: connections, roles, accounts and their leases.
 *
 * @module
 */

import { inBackground } from "../audit/request.ts";
import { VaultError } from "../errors.ts";
import type { Identity } from "../identity/identity.ts";
import type { SealKey } from "../keys/seal_key.ts";
import { Leases } from "../leases/leases.ts";
import type { MountTable } from "../mounts/mount_table.ts";
import type { Logger } from "../ports.ts";
import type { ApiCaller } from "../service_tokens/caller.ts";
import type { ServiceTokens } from "../service_tokens/service_tokens.ts";
import type { MountRecord } from "../storage/identity_records.ts";
import type { Surroundings } from "../tokens/token_service.ts";
import { DatabaseAccounts } from "./accounts.ts";
import { DatabaseConnections } from "./connections.ts";
import { DatabaseCredentials } from "./credentials.ts";
import { PasswordPolicies } from "./password_policies.ts";
import type { DatabasePlugin } from "./ports.ts";
import { SpareAccounts } from "./spare_accounts.ts";
import { DatabaseRoles } from "./roles.ts";
import { DatabaseStaticRoles } from "./static_roles.ts";

/** How long a mount that is disabled waits for accounts that are being made. */
const PATIENCE_MS = 30_000;
const LOOK_MS = 50;

/** What the engine needs. */
export interface DatabaseSurroundings extends Surroundings {
  readonly sealKey: SealKey;
  readonly logger: Logger;
  readonly identity: Identity;
  readonly mounts: MountTable;
  readonly tokens: ServiceTokens;
  readonly plugins: readonly DatabasePlugin[];
  /** Accounts that an entity may have at a time; absent: the default. */
  readonly maxLeases?: number | undefined;
}

/** The rooms of the database engine. */
export class DatabaseEngine {
  readonly connections: DatabaseConnections;
  readonly roles: DatabaseRoles;
  readonly staticRoles: DatabaseStaticRoles;
  readonly credentials: DatabaseCredentials;
  readonly #spares: SpareAccounts;
  readonly passwordPolicies: PasswordPolicies;
  readonly leases: Leases;

  constructor(around: DatabaseSurroundings) {
    const { mounts, tokens } = around;
    const passwordPolicies = this.passwordPolicies = new PasswordPolicies(around);
    const connections = this.connections = new DatabaseConnections({
      ...around,
      passwordPolicies,
      leasesOn: (mountAccessor, connection) => this.leases.index.countOn(mountAccessor, connection),
    });
    const roles = this.roles = new DatabaseRoles(around);
    this.staticRoles = new DatabaseStaticRoles({ ...around, connections });
    const leases = this.leases = new Leases(around, new DatabaseAccounts(connections), around.maxLeases);
    const isStillLive = (caller: ApiCaller) => isLive(tokens, caller);
    const spares = this.#spares = new SpareAccounts(around);
    this.credentials = new DatabaseCredentials({ ...around, connections, roles, leases, spares, isStillLive });
    tokens.endings.addHook((ended) => leases.planEndOfToken(ended));
    mounts.addDisableGuard("database", (mount) => this.#endLeasesOf(mount));
    mounts.addDisableHook(({ accessor }) => [
      ...connections.planEndOfMount(accessor),
      ...roles.planEndOfMount(accessor),
      ...this.staticRoles.planEndOfMount(accessor),
    ]);
  }

  /**
   * Starts what happens by itself: leases end, static roles rotate.
   *
   * @param mayCommit Whether the clock can be trusted with what can't be undone (S10).
   */
  start(mayCommit: () => boolean): void {
    this.leases.endings.start(mayCommit);
    this.#spares.start();
    inBackground("rotate_static_roles", () => this.staticRoles.start(mayCommit));
  }

  /** Leaves every account as it is: for a copy of a vault, beside the one that the accounts belong to. */
  pause(): void {
    this.connections.pause();
  }

  /** Stops, and lets go of every connection. */
  async close(): Promise<void> {
    await Promise.all([this.leases.endings.close(), this.staticRoles.close(), this.#spares.close()]);
    await this.connections.close();
  }

  /** A mount goes when every account that it made is gone, for nobody could take them away after it. */
  async #endLeasesOf({ accessor, path }: MountRecord): Promise<void> {
    const all = () => [...this.leases.index.all()].filter((lease) => lease.mountAccessor === accessor);
    const { beingMade } = this.leases.index;
    for (let waited = 0; all().some(({ id }) => beingMade.has(id)) && waited < PATIENCE_MS; waited += LOOK_MS) {
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
    const ended = await Promise.allSettled(all().map(({ id }) => this.leases.endings.endNow(id)));
    const failed = ended.find((one) => one.status === "rejected");
    if (failed === undefined && all().length === 0) return;
    const why = failed?.reason.message ?? "of some accounts it is unknown yet whether they were made; wait a minute";
    throw new VaultError("invalid_argument", `failed to revoke the leases of "${path}": ${why}`, {
      hint: "it answers 404 until it is disabled once more and all of them are gone",
    });
  }
}

function isLive(tokens: ServiceTokens, caller: ApiCaller): boolean {
  try {
    tokens.assertStillLive(caller);
    return true;
  } catch (error) {
    if (error instanceof VaultError) return false;
    throw error;
  }
}
