/**
 * The identity engine put together: mounts, entities, policies, service tokens, logins, identity tokens.
 *
 * @module
 */

import { CutOff } from "./cutoff/cut_off.ts";
import type { ReadPassword } from "./cutoff/held.ts";
import { LeasedAccounts } from "./cutoff/leased_accounts.ts";
import { DatabaseEngine } from "./database/database_engine.ts";
import type { DatabasePlugin } from "./database/ports.ts";
import { inBackground } from "./audit/request.ts";
import { Identity } from "./identity/identity.ts";
import type { SealKey } from "./keys/seal_key.ts";
import { MountTable } from "./mounts/mount_table.ts";
import { IdentityTokens } from "./oidc/identity_tokens.ts";
import { OidcIssuer } from "./oidc/issuer.ts";
import type { NativeJwt } from "./oidc/native_jwt.ts";
import { OidcKeys } from "./oidc/oidc_keys.ts";
import { RevocationFeed } from "./oidc/revocation_feed.ts";
import { Revocations } from "./oidc/revocations.ts";
import { OidcRoles } from "./oidc/oidc_roles.ts";
import { OidcProvider } from "./oidc/provider/oidc_provider.ts";
import { Acl } from "./policies/acl.ts";
import { PolicyService } from "./policies/policy_service.ts";
import type { Logger } from "./ports.ts";
import { TokenCreation } from "./service_tokens/creation.ts";
import { Cubbyholes } from "./service_tokens/cubbyholes.ts";
import { TokenRenewal } from "./service_tokens/renewal.ts";
import { RootTokens } from "./service_tokens/root_tokens.ts";
import { ServiceTokens } from "./service_tokens/service_tokens.ts";
import { TokenRoles } from "./service_tokens/token_roles.ts";
import { Wrapping } from "./service_tokens/wrapping.ts";
import type { Authenticator } from "./tokens/authenticator.ts";
import type { Surroundings } from "./tokens/token_service.ts";
import { UserAccounts } from "./userpass/accounts.ts";
import { Lockout } from "./userpass/lockout.ts";
import { UserpassLogin } from "./userpass/login.ts";
import { type NativeArgon2, NativePasswords } from "./userpass/native_passwords.ts";
import { type PasswordHasher, PasswordPool } from "./userpass/password_pool.ts";
import { UserpassService } from "./userpass/userpass_service.ts";

/** What the engine needs. */
export interface EngineSurroundings extends Surroundings {
  readonly sealKey: SealKey;
  readonly authenticator: Authenticator;
  readonly logger: Logger;
  /** Threads that hash passwords, at most. */
  readonly passwordThreads: number;
  /** Native code that signs identity tokens faster than the runtime. */
  readonly nativeJwt?: NativeJwt | undefined;
  /** Hashes passwords where it is there. */
  readonly nativeArgon2?: NativeArgon2 | undefined;
  /** The kinds of servers that accounts can be made on. */
  readonly databasePlugins: readonly DatabasePlugin[];
  /** Database accounts that an entity may have at a time; absent: the default. */
  readonly maxLeases?: number | undefined;
}

/** Types that operators may mount. */
const MOUNTABLE = { secret: ["database"], auth: ["userpass"] };

/** The rooms of the identity engine. */
export class IdentityEngine {
  readonly mounts: MountTable;
  readonly identity: Identity;
  readonly policies: PolicyService;
  readonly acl: Acl;
  readonly tokens: ServiceTokens;
  readonly creation: TokenCreation;
  readonly renewal: TokenRenewal;
  readonly tokenRoles: TokenRoles;
  readonly cubbyholes: Cubbyholes;
  readonly wrapping: Wrapping;
  readonly rootTokens: RootTokens;
  readonly lockout: Lockout;
  readonly userpass: UserpassService;
  readonly logins: UserpassLogin;
  readonly accounts: UserAccounts;
  readonly cutOff: CutOff;
  readonly oidcKeys: OidcKeys;
  readonly oidcRoles: OidcRoles;
  readonly issuer: OidcIssuer;
  readonly identityTokens: IdentityTokens;
  readonly oidcProvider: OidcProvider;
  readonly revocationFeed: RevocationFeed;
  readonly database: DatabaseEngine;
  readonly #logger: Logger;
  readonly #hasher: PasswordHasher;

  constructor(around: EngineSurroundings) {
    const { state, writer, clock, random, sealKey } = around;
    this.#logger = around.logger;
    this.#hasher = hasherOf(around);
    const mounts = this.mounts = new MountTable(around, MOUNTABLE);
    const identity = this.identity = new Identity(around, mounts);
    this.policies = new PolicyService(around);
    this.acl = new Acl(this.policies, identity, mounts);
    const tokenSurroundings = { ...around, identity, mounts };
    const tokens = this.tokens = new ServiceTokens(tokenSurroundings);
    this.creation = new TokenCreation(tokens, writer);
    this.renewal = new TokenRenewal(tokenSurroundings, tokens);
    this.tokenRoles = new TokenRoles(state, writer);
    this.cubbyholes = new Cubbyholes(around);
    this.wrapping = new Wrapping(tokenSurroundings, tokens, this.cubbyholes);
    this.rootTokens = new RootTokens(tokenSurroundings, tokens);
    this.lockout = new Lockout(clock, random);
    const hasher = this.#hasher;
    const users = this.userpass = new UserpassService(around, identity, hasher);
    const addressKey = sealKey.deriveKey("runevault/login-addresses");
    const { lockout } = this;
    this.logins = new UserpassLogin({ ...around, identity, mounts, tokens, users, hasher, lockout, addressKey });
    const accounts = this.accounts = new UserAccounts({ ...around, identity, mounts, users, lockout });
    this.renewal.registerLogins("userpass", this.logins);
    const keys = this.oidcKeys = new OidcKeys(around);
    const roles = this.oidcRoles = new OidcRoles(around, keys);
    const issuer = this.issuer = new OidcIssuer(around, keys, roles);
    this.revocationFeed = new RevocationFeed(around);
    const revocations = new Revocations(around);
    tokens.endings.addHook((ended) => revocations.planEndOfToken(ended));
    const identityTokens = this.identityTokens = new IdentityTokens({
      ...around,
      identity,
      mounts,
      tokens,
      keys,
      roles,
      revocations,
      issuer: () => issuer.issuer,
    });
    this.oidcProvider = new OidcProvider({ ...around, identity, mounts, tokens, keys, identityTokens, issuer });
    this.database = new DatabaseEngine({
      ...tokenSurroundings,
      tokens,
      plugins: around.databasePlugins,
      maxLeases: around.maxLeases,
    });
    const elsewhere = new LeasedAccounts(this.database.leases);
    const passwordsReadBy = (entityId: string) => this.#passwordsReadBy(entityId);
    this.cutOff = new CutOff({ ...around, identity, tokens, accounts, elsewhere, passwordsReadBy });
    mounts.addDisableHook((
      mount,
    ) => [...users.planEndOfMount(mount), ...tokens.endings.planEndOfMount(mount.accessor)]);
  }

  /** Makes what a new vault has from the start. */
  async open(): Promise<void> {
    await this.mounts.ensureBuiltins();
    await this.policies.ensureDefault();
  }

  /**
   * Starts what happens by itself: expired tokens and leases end, keys rotate.
   *
   * @param mayCommit Whether the clock can be trusted with what can't be undone (S10).
   * @param options.pauseRevocation Nothing is done to database accounts.
   */
  start(mayCommit: () => boolean, options: { pauseRevocation?: boolean } = {}): void {
    const onFailure = (sweeper: string) => (error: unknown) =>
      this.#logger.log("error", "sweep_failed", {
        sweeper,
        reason: error instanceof Error ? error.message : "unknown",
      });
    this.tokens.endings.start(mayCommit, onFailure("service_tokens"));
    inBackground("rotate_oidc_keys", () => this.oidcKeys.start(mayCommit, onFailure("oidc_keys")));
    inBackground("end_revocations", () => this.revocationFeed.start(mayCommit, onFailure("revocations")));
    if (options.pauseRevocation) this.database.pause();
    else this.database.start(mayCommit);
  }

  #passwordsReadBy(entityId: string): ReadPassword[] {
    return this.database.staticRoles.known.of(entityId).map(({ mountAccessor, role, since }) => {
      const mountPath = this.mounts.byAccessor(mountAccessor)?.path ?? "";
      return { mountPath, role, since };
    });
  }

  /** Stops what happens by itself and lets go of threads and connections. */
  async close(): Promise<void> {
    await this.database.close();
    this.tokens.endings.close();
    this.oidcKeys.close();
    this.revocationFeed.close();
    this.#hasher.close();
  }
}

function hasherOf({ random, passwordThreads: size, nativeArgon2: native }: EngineSurroundings): PasswordHasher {
  const others = new PasswordPool(random, size);
  return native === undefined ? others : new NativePasswords({ native, others, random, size });
}
