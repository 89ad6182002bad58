/**
 * Logging in by name and password.
 *
 * @module
 */

import { createHmac } from "node:crypto";
import { VaultError } from "../errors.ts";
import type { Identity } from "../identity/identity.ts";
import type { MountTable } from "../mounts/mount_table.ts";
import { isInCidrs } from "../service_tokens/cidr.ts";
import type { LoginRenewal } from "../service_tokens/renewal.ts";
import type { Minted, MintSpec, ServiceTokens } from "../service_tokens/service_tokens.ts";
import type { MountRecord, ServiceTokenRecord, TokenParams, UserpassRecord } from "../storage/identity_records.ts";
import type { UserRecord } from "../storage/records.ts";
import type { Write } from "../storage/store.ts";
import type { Surroundings } from "../tokens/token_service.ts";
import type { Plan } from "../writer.ts";
import type { Lockout } from "./lockout.ts";
import { dummiesAfter, isOfOurMaking, isTryable } from "./password_hash.ts";
import type { PasswordHasher } from "./password_pool.ts";
import { userpassKey, type UserpassService } from "./userpass_service.ts";

const KNOWN_MS = 30 * 86_400_000;
/** A known address is written again after so long. */
const REFRESH_MS = 86_400_000;
const MAX_KNOWN_ADDRESSES = 16;
/** Hashed in the place of a password that can't fit; how long a password is costs nothing that could be measured. */
const DUMMY_PASSWORD = "-";

/** A login whose password fits, to be written. */
interface Fitting {
  readonly mount: MountRecord;
  readonly record: UserpassRecord;
  readonly address: string;
  /** The hash that replaces an imported one, or one of other costs. */
  readonly rehashed: string | undefined;
}

/** `changed`: the password was replaced meanwhile. `more`: what it writes needs the writer's turn for itself. */
type Outcome = Minted | "changed" | "more";

/** What a login needs. */
export interface LoginSurroundings extends Surroundings {
  readonly identity: Identity;
  readonly mounts: MountTable;
  readonly tokens: ServiceTokens;
  readonly users: UserpassService;
  readonly hasher: PasswordHasher;
  readonly lockout: Lockout;
  /** Keys the addresses that users are known by. */
  readonly addressKey: Uint8Array;
}

/** Logs users in, and says what a login is worth at a renewal. */
export class UserpassLogin implements LoginRenewal {
  readonly #in: LoginSurroundings;

  constructor(surroundings: LoginSurroundings) {
    this.#in = surroundings;
  }

  /**
   * Logs a user in.
   *
   * @param remoteAddress Where the request came from, without a port.
   * @throws {VaultError} `invalid_argument` for a name that nobody has, a wrong password and a wrong address alike;
   *   `permission_denied` for a locked name and a disabled entity.
   */
  async login(mount: MountRecord, given: string, password: string, remoteAddress: string): Promise<Minted> {
    const username = given.toLowerCase();
    const address = this.#keyed(remoteAddress);
    // Again where the hash was replaced while it was checked, as by another login of the same user.
    for (;;) {
      const fitting = await this.#check(mount, username, password, remoteAddress, address);
      const minted = await this.#mint(fitting);
      if (minted !== "changed") return minted;
    }
  }

  async #check(
    mount: MountRecord,
    username: string,
    password: string,
    remoteAddress: string,
    address: string,
  ): Promise<Fitting> {
    const record = this.#in.users.get(mount, username);
    const knownAddress = record !== undefined && this.#isKnown(record, address) ? address : undefined;
    const attempt = { mount, username, exists: record !== undefined, knownAddress };
    const fits = await this.#in.lockout.guard(attempt, () => this.#fits(record, password, remoteAddress));
    if (!fits || record === undefined) throw wrongPassword();
    const rehashed = isOfOurMaking(record.passwordHash) ? undefined : await this.#in.hasher.hash(password);
    return { mount, record, address, rehashed };
  }

  /**
   * Has a user confirm who they are by the present password; guesses count as at a login.
   *
   * @throws {VaultError} `invalid_argument` for a wrong one, `permission_denied` for a locked name.
   */
  async confirm(mount: MountRecord, username: string, password: string): Promise<void> {
    const record = this.#in.users.get(mount, username);
    const attempt = { mount, username: username.toLowerCase(), exists: record !== undefined, knownAddress: undefined };
    const fits = await this.#in.lockout.guard(attempt, () => this.verify(record, password));
    if (!fits) throw wrongPassword();
  }

  /** Whether a password is a user's, at the same cost whoever asks. */
  async verify(record: UserpassRecord | undefined, password: string): Promise<boolean> {
    const { hasher, users } = this.#in;
    const tried = record !== undefined && isTryable(password, record.passwordHash) ? record.passwordHash : undefined;
    if (tried !== undefined && await hasher.verify(password, tried)) return true;
    for (const dummy of dummiesAfter(tried, users.highestBcryptCost)) await hasher.verify(DUMMY_PASSWORD, dummy);
    return false;
  }

  limitsOf(token: ServiceTokenRecord): { maxTtl: number; policies: readonly string[] } | null {
    const user = this.#in.users.get({ accessor: token.mountAccessor }, token.login!.username);
    // One made since is a namesake (S11).
    if (user === undefined || user.createdAt > token.createdAt) return null;
    return { maxTtl: user.params.maxTtl, policies: policiesOf(user.params) };
  }

  async #fits(record: UserpassRecord | undefined, password: string, remoteAddress: string): Promise<boolean> {
    const fits = await this.verify(record, password);
    return fits && record !== undefined && isInCidrs(remoteAddress, record.params.boundCidrs);
  }

  /** Most logins write a token alone and share commits; one that changes a record has the writer's turn for itself. */
  async #mint(fitting: Fitting): Promise<Minted | "changed"> {
    const { writer } = this.#in;
    const joined = fitting.rehashed === undefined ? await writer.join(() => this.#plan(fitting, false)) : "more";
    if (joined !== "more") return joined;
    return await writer.change(() => this.#plan(fitting, true)) as Minted | "changed";
  }

  #plan({ mount, record: before, address, rehashed }: Fitting, isAlone: boolean): Plan<Outcome> {
    const { identity, tokens, users } = this.#in;
    const record = users.get(mount, before.username);
    // Deleted, or given another password, since it was checked.
    if (record?.passwordHash !== before.passwordHash) return { writes: [], result: () => "changed" };
    const user = this.#touched(record, address, rehashed);
    const isFirst = identity.aliases.byName(mount.accessor, record.username) === undefined;
    if (!isAlone && (isFirst || user.length > 0)) return { writes: [], result: () => "more" };
    const entity = identity.planLogin(mount, record.username);
    const minted = tokens.planMint(this.#specOf(mount, record, entity.record));
    return { writes: [...entity.writes, ...minted.writes, ...user], result: () => minted };
  }

  #specOf(mount: MountRecord, { username, params }: UserpassRecord, entity: UserRecord): MintSpec {
    const { defaultTtl, maxTtl } = this.#in.mounts.lifetimes(mount);
    return {
      policies: policiesOf(params),
      path: `auth/${mount.path}login/${username}`,
      mountAccessor: mount.accessor,
      displayName: `${mount.path.slice(0, -1).replaceAll("/", "-")}-${username}`,
      meta: { username },
      entity,
      parent: null,
      isOrphan: true,
      lifetime: {
        ttl: params.ttl,
        explicitMaxTtl: params.explicitMaxTtl,
        period: params.period,
        defaultTtl,
        maxTtl: params.maxTtl > 0 ? Math.min(params.maxTtl, maxTtl) : maxTtl,
      },
      renewable: true,
      numUses: params.numUses,
      boundCidrs: params.boundCidrs,
      login: { username },
    };
  }

  /** The user with the address it is known by from now on, where that isn't written yet. */
  #touched(record: UserpassRecord, address: string, rehashed: string | undefined): Write[] {
    const now = this.#in.clock.now();
    const known = (record.knownAddresses ?? []).filter((one) => now - one.at < KNOWN_MS);
    const isFresh = known.some((one) => one.address === address && now - one.at < REFRESH_MS);
    if (isFresh && rehashed === undefined) return [];
    const others = known.filter((one) => one.address !== address).slice(-(MAX_KNOWN_ADDRESSES - 1));
    const value: UserpassRecord = {
      ...record,
      passwordHash: rehashed ?? record.passwordHash,
      knownAddresses: [...others, { address, at: now }],
    };
    return [{ kind: "userpass_user", key: userpassKey(record.mountAccessor, record.username), value }];
  }

  #isKnown(record: UserpassRecord, address: string): boolean {
    const now = this.#in.clock.now();
    return (record.knownAddresses ?? []).some((one) => one.address === address && now - one.at < KNOWN_MS);
  }

  #keyed(address: string): string {
    return createHmac("sha256", this.#in.addressKey).update(address).digest("base64url").slice(0, 22);
  }
}

/** The policies of a login's tokens. */
export function policiesOf({ policies, noDefaultPolicy }: TokenParams): string[] {
  return [...new Set([...policies, ...(noDefaultPolicy ? [] : ["default"])])].sort();
}

function wrongPassword(): VaultError {
  return new VaultError("invalid_argument", "invalid username or password");
}
