/**
 * Accounts made for callers (`creds/:role`): leased on disk, then made on the server.
 *
 * @module
 */

import { asVaultError, VaultError } from "../errors.ts";
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
import type { ConnectionDetails } from "./connection_details.ts";
import type { DatabaseConnections } from "./connections.ts";
import type { OpenConnection } from "./open_connection.ts";
import { randomText } from "./random_text.ts";
import type { DatabaseRoles } from "./roles.ts";
import { filled } from "./statements.ts";
import { assertAccountName, parseUsernameTemplate } from "./username_template.ts";

const LEASE_ID_CHARACTERS = 24;
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

  constructor(surroundings: CredentialSurroundings) {
    this.#in = surroundings;
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
    const username = this.#usernameOf(open, role, caller);
    const password = this.#in.connections.passwordFor(role.passwordPolicy ?? open.record.passwordPolicy);
    if (hasOwnTemplate(open)) await assertUnknown(open, username);
    const lease = this.#leaseOf(open, mount, name, role, caller, username, lifetime);
    await this.#in.leases.intend(lease, () => this.#in.isStillLive(caller));
    await this.#make(open, role, lease, password);
    if (!this.#in.leases.made(lease)) throw new VaultError("permission_denied", "permission denied");
    return { leaseId: lease.id, ttl: lifetime.ttl, username, password, warnings: lifetime.warnings };
  }

  async #make(open: OpenConnection, role: DatabaseRoleRecord, lease: LeaseRecord, password: string): Promise<void> {
    try {
      const inSql = await open.passwordInSql(password);
      const values = { username: lease.account.username, password: inSql, expiresAt: lease.expiresAt };
      await open.ask("create", [password, inSql], (server) => server.run(filled(role.creation, values)));
    } catch (error) {
      await this.#rollBack(open, role, lease, asVaultError(error).data?.["isCertain"] !== true);
      throw error;
    }
  }

  /** What the operator wrote for this comes first; then whatever is left of the account goes. */
  async #rollBack(
    open: OpenConnection,
    role: DatabaseRoleRecord,
    lease: LeaseRecord,
    isUncertain: boolean,
  ): Promise<void> {
    const { username } = lease.account;
    if (role.rollback.length > 0 && !isUncertain) {
      const statements = filled(role.rollback, { username });
      await open.ask("roll_back", [], (server) => server.run(statements)).catch(() => {
        // Where they fail as well, the account is dropped like any other.
      });
    }
    await this.#in.leases.abandon(lease, isUncertain);
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

  #usernameOf({ record, plugin, details }: OpenConnection, role: DatabaseRoleRecord, caller: ApiCaller): string {
    const { identity, random, clock } = this.#in;
    const template = parseUsernameTemplate(ownTemplateOf(details) ?? plugin.usernameTemplate(record.pluginName));
    const { displayName, entity } = caller;
    const UserName = entity === null ? displayName || "token" : identity.nameOf(entity);
    const username = template.render({ DisplayName: displayName, RoleName: role.name, UserName }, { random, clock });
    assertAccountName(username, plugin.maxUsernameLength(record.pluginName));
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
      id: `${mount.path}creds/${name}/${randomText(this.#in.random, LEASE_ID_CHARACTERS)}`,
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

function hasOwnTemplate({ details }: OpenConnection): boolean {
  return ownTemplateOf(details) !== undefined;
}

function ownTemplateOf({ username_template: template }: ConnectionDetails): string | undefined {
  return typeof template === "string" && template !== "" ? template : undefined;
}
