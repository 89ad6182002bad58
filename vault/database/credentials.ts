/**
 * Accounts made for callers (`creds/:role`): leased on disk, then made on the server.
 *
 * @module
 */

import { VaultError } from "../errors.ts";
import type { Identity } from "../identity/identity.ts";
import type { Leases } from "../leases/leases.ts";
import type { MountTable } from "../mounts/mount_table.ts";
import { quoteName } from "../names.ts";
import type { Clock, RandomSource } from "../ports.ts";
import type { ApiCaller } from "../service_tokens/caller.ts";
import { formatSeconds } from "../service_tokens/format_seconds.ts";
import { ownerOfCaller } from "../service_tokens/minting.ts";
import type { DatabaseRoleRecord, LeaseRecord } from "../storage/database_records.ts";
import type { MountRecord } from "../storage/identity_records.ts";
import { isAllowedRole } from "./allowed_roles.ts";
import { AccountMaking } from "./account_making.ts";
import type { DatabaseConnections } from "./connections.ts";
import { leaseIdOf } from "./lease_ids.ts";
import type { OpenConnection } from "./open_connection.ts";
import { randomText } from "./random_text.ts";
import type { DatabaseRoles } from "./roles.ts";
import type { SpareAccounts } from "./spare_accounts.ts";
import { assertAccountName, parseUsernameTemplate } from "./username_template.ts";

/** An account that would end with the answer isn't made at all. */
const LAST_USE = "Secret cannot be returned; token had one use left, so leased credentials were immediately revoked.";

/** What issuing needs. */
export interface CredentialSurroundings {
  readonly clock: Clock;
  readonly random: RandomSource;
  readonly identity: Identity;
  readonly mounts: MountTable;
  readonly connections: DatabaseConnections;
  readonly roles: DatabaseRoles;
  readonly leases: Leases;
  readonly spares: SpareAccounts;
  /** Whether the token that made a request is still good. */
  isStillLive(caller: ApiCaller): boolean;
}

/** An account with its lease. */
export interface IssuedCredentials {
  readonly leaseId: string;
  /** Seconds. */
  readonly ttl: number;
  readonly username: string;
  readonly password: string;
  readonly warnings: readonly string[];
}

interface Lifetime {
  readonly ttl: number;
  readonly maxTtl: number;
  readonly defaultTtl: number;
  readonly warnings: readonly string[];
}

/** Issues accounts. */
export class DatabaseCredentials {
  readonly #in: CredentialSurroundings;
  readonly #making: AccountMaking;

  constructor(surroundings: CredentialSurroundings) {
    this.#in = surroundings;
    this.#making = new AccountMaking(surroundings.leases, surroundings.spares);
  }

  /**
   * Makes an account for a caller.
   *
   * @param name The role's, or the caller's own where the mount has a role for users.
   * @throws {VaultError} `invalid_argument`, `rate_limited`, `upstream_failed`, `permission_denied` where the token ended
   *   meanwhile; no account is left then.
   */
  async issue(mount: MountRecord, name: string, caller: ApiCaller): Promise<IssuedCredentials> {
    if (caller.isLastUse) throw new VaultError("invalid_argument", LAST_USE);
    const role = this.#roleOf(mount, name, caller);
    this.#assertServed(mount, role);
    return await this.#in.connections.use(
      mount.accessor,
      role.connection,
      (open) => this.#issueOn(open, role, mount, name, caller),
    );
  }

  async #issueOn(
    open: OpenConnection,
    role: DatabaseRoleRecord,
    mount: MountRecord,
    name: string,
    caller: ApiCaller,
  ): Promise<IssuedCredentials> {
    const lifetime = this.#lifetimeOf(mount, role, caller);
    const { connections, leases, isStillLive, spares } = this.#in;
    const password = connections.passwordFor(role.passwordPolicy ?? open.record.passwordPolicy);
    // From here on nothing is refused before the store and the server are asked: a spare that is taken is used.
    leases.assertRoom(ownerOfCaller(caller));
    const spare = spares.take({ open, role, mount });
    const username = this.#usernameOf(open, role, caller, spare);
    if (open.ownTemplate !== undefined) await assertUnknown(open, username);
    const lease = this.#leaseOf(open, mount, name, role, caller, username, lifetime);
    await this.#making.make({ open, role, mount, lease, password, spare, isStillLive: () => isStillLive(caller) });
    return { leaseId: lease.id, ttl: lifetime.ttl, username, password, warnings: lifetime.warnings };
  }

  #roleOf(mount: MountRecord, name: string, caller: ApiCaller): DatabaseRoleRecord {
    const role = this.#in.roles.get(mount.accessor, name);
    if (role !== undefined) return role;
    const perUser = this.#isOwnName(name, caller) ? this.#in.roles.perUser(mount.accessor) : undefined;
    if (perUser !== undefined) return perUser;
    throw new VaultError("invalid_argument", `unknown role: ${name.slice(0, 80)}`, {
      hint: "a role with user_bound=true serves users by their own names",
    });
  }

  #isOwnName(name: string, { entity }: ApiCaller): boolean {
    if (entity === null) return false;
    const { identity } = this.#in;
    const own = [identity.nameOf(entity), ...identity.aliases.of(entity).map((alias) => alias.name)];
    return own.some((one) => one.toLowerCase() === name.toLowerCase());
  }

  #assertServed(mount: MountRecord, role: DatabaseRoleRecord): void {
    const record = this.#in.connections.get(mount.accessor, role.connection);
    if (record !== undefined && !isAllowedRole(record.allowedRoles, role.name)) {
      throw new VaultError("invalid_argument", `${quoteName(role.name)} is not an allowed role`, {
        hint: "add it to the connection's allowed_roles",
      });
    }
    if (role.creation.length === 0) throw new VaultError("upstream_failed", "empty creation statements");
  }

  #lifetimeOf(mount: MountRecord, role: DatabaseRoleRecord, caller: ApiCaller): Lifetime {
    const ofMount = this.#in.mounts.lifetimes(mount);
    const maxTtl = role.maxTtl > 0 ? Math.min(role.maxTtl, ofMount.maxTtl) : ofMount.maxTtl;
    const wanted = role.defaultTtl || ofMount.defaultTtl;
    const warnings: string[] = wanted <= maxTtl ? [] : [
      `TTL of "${formatSeconds(wanted)}" exceeded the effective max_ttl of "${formatSeconds(maxTtl)}"; ` +
      "TTL value is capped accordingly",
    ];
    const ttl = Math.min(wanted, maxTtl);
    const tokenEnd = caller.token?.expiresAt ?? caller.evt?.record.expiresAt ?? Infinity;
    const left = Math.floor((tokenEnd - this.#in.clock.now()) / 1000);
    if (left < ttl) warnings.push(`The lease ends with the token, in ${formatSeconds(left)}, before its TTL is over`);
    return { ttl, maxTtl, defaultTtl: wanted, warnings };
  }

  /** @param spare What it ends in; absent: something new. */
  #usernameOf(open: OpenConnection, role: DatabaseRoleRecord, caller: ApiCaller, spare: string | undefined): string {
    const { identity, random, clock } = this.#in;
    const { displayName, entity } = caller;
    const user = entity === null ? displayName || "token" : identity.nameOf(entity);
    if (open.ownTemplate === undefined) {
      return open.usernameFor(user, spare ?? `-${randomText(random, open.randomLength)}`);
    }
    const fields = { DisplayName: displayName, RoleName: role.name, UserName: user };
    const username = parseUsernameTemplate(open.ownTemplate).render(fields, { random, clock });
    assertAccountName(username, open.plugin.maxUsernameLength(open.record.pluginName));
    return username;
  }

  #leaseOf(
    open: OpenConnection,
    mount: MountRecord,
    name: string,
    role: DatabaseRoleRecord,
    caller: ApiCaller,
    username: string,
    { ttl, maxTtl, defaultTtl }: Lifetime,
  ): LeaseRecord {
    const now = this.#in.clock.now();
    const { connection, revocation, renewal } = role;
    return {
      id: leaseIdOf(mount, name, this.#in.random),
      mountAccessor: mount.accessor,
      tokenHash: caller.tokenHash,
      entityId: ownerOfCaller(caller),
      role: role.name,
      issuedAt: now,
      expiresAt: now + ttl * 1000,
      renewedAt: null,
      maxExpiresAt: now + maxTtl * 1000,
      defaultTtl,
      state: "live",
      account: { connection, place: open.place, username, revocation, renewal },
    };
  }
}

/**
 * Refuses a name that is taken: an account that was there before is nobody's to take away when a lease ends. The names that
 * we give ourselves are random enough not to ask.
 */
async function assertUnknown(open: OpenConnection, username: string): Promise<void> {
  if (await open.ask("look", [], (server) => server.hasAccount(username)) !== true) return;
  throw new VaultError("upstream_failed", `there is an account ${quoteName(username)} already`, {
    hint: "have (random 10) in username_template",
  });
}
