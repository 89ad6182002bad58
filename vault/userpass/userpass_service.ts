/**
 * Users who log in by a name and a password.
 *
 * @module
 */

import { VaultError } from "../errors.ts";
import { checkedParams, NO_PARAMS } from "../service_tokens/token_roles.ts";
import type { MountRecord, TokenParams, UserpassRecord } from "../storage/identity_records.ts";
import type { Write } from "../storage/store.ts";
import type { Surroundings } from "../tokens/token_service.ts";
import { assertImportable, assertPassword, bcryptCost } from "./password_hash.ts";
import type { PasswordHasher } from "./password_pool.ts";
import type { Identity } from "../identity/identity.ts";

const MAX_NAME_LENGTH = 512;

/** What a write of a user may say; absent fields stay. */
export interface UserpassInput {
  readonly password?: string;
  /** A bcrypt hash that is taken over. */
  readonly passwordHash?: string;
  readonly params?: Partial<TokenParams>;
}

/** Everything that is done to userpass users. */
export class UserpassService {
  readonly #in: Surroundings;
  readonly #identity: Identity;
  readonly #hasher: PasswordHasher;
  readonly #bcryptCosts = new Map<number, number>();

  constructor(surroundings: Surroundings, identity: Identity, hasher: PasswordHasher) {
    this.#in = surroundings;
    this.#identity = identity;
    this.#hasher = hasher;
    surroundings.state.watch("userpass_user", (after, before) => {
      this.#countCost(before, -1);
      this.#countCost(after, 1);
    });
  }

  /** The highest cost of the bcrypt hashes in use; undefined: there is none. */
  get highestBcryptCost(): number | undefined {
    return this.#bcryptCosts.size === 0 ? undefined : Math.max(...this.#bcryptCosts.keys());
  }

  /** A user by name, whatever its case. */
  get(mount: Pick<MountRecord, "accessor">, username: string): UserpassRecord | undefined {
    return this.#in.state.table("userpass_user").get(userpassKey(mount.accessor, username));
  }

  /** The names of a mount's users. */
  list(mount: MountRecord): string[] {
    const users = [...this.#in.state.table("userpass_user").values()];
    return users.filter((user) => user.mountAccessor === mount.accessor).map((user) => user.username).sort();
  }

  /**
   * Makes a user, or changes what is given of one.
   *
   * @throws {VaultError} `invalid_argument`.
   */
  async put(mount: MountRecord, username: string, input: UserpassInput): Promise<void> {
    const passwordHash = await this.hashOf(input);
    await this.#in.writer.change(() => ({
      writes: [this.planPut(mount, username, { ...input, passwordHash })],
      result: () => {},
    }));
  }

  /** The write of {@link put}, in the writer's turn; the hash is made before, by {@link hashOf}. */
  planPut(
    mount: Pick<MountRecord, "accessor">,
    username: string,
    input: { readonly passwordHash: string | undefined; readonly params?: Partial<TokenParams> },
  ): Write {
    const before = this.get(mount, username);
    if (before === undefined && username.length > MAX_NAME_LENGTH) {
      throw new VaultError("invalid_argument", `a username has at most ${MAX_NAME_LENGTH} characters`);
    }
    if (before === undefined && input.passwordHash === undefined) {
      throw new VaultError("invalid_argument", "missing password: must provide either password or password_hash");
    }
    const now = this.#in.clock.now();
    const value: UserpassRecord = {
      ...(before ?? { mountAccessor: mount.accessor, username: username.toLowerCase(), createdAt: now }),
      passwordHash: input.passwordHash ?? before!.passwordHash,
      passwordChangedAt: input.passwordHash === undefined ? before!.passwordChangedAt : now,
      params: checkedParams({ ...before?.params ?? NO_PARAMS, ...input.params }),
    };
    return { kind: "userpass_user", key: userpassKey(mount.accessor, username), value };
  }

  /**
   * The hash of what is given; undefined where no password is.
   *
   * @throws {VaultError} `invalid_argument`, `not_ready`.
   */
  async hashOf({ password, passwordHash }: UserpassInput): Promise<string | undefined> {
    if (password !== undefined && passwordHash !== undefined) {
      throw new VaultError("invalid_argument", "only one of password and password_hash may be given");
    }
    if (passwordHash !== undefined) {
      assertImportable(passwordHash);
      return passwordHash;
    }
    if (password === undefined) return undefined;
    assertPassword(password);
    return await this.#hasher.hash(password);
  }

  /**
   * Sets the password of a user who is there.
   *
   * @param alsoWrite More to be written in the same transaction.
   * @throws {VaultError} `invalid_argument`.
   */
  async setPassword(
    mount: MountRecord,
    username: string,
    input: UserpassInput,
    alsoWrite: () => readonly Write[] = () => [],
  ): Promise<void> {
    if (input.password === undefined && input.passwordHash === undefined) {
      throw new VaultError("invalid_argument", "missing password");
    }
    const passwordHash = await this.hashOf(input);
    await this.#in.writer.change(() => {
      if (this.get(mount, username) === undefined) throw noSuchUser();
      return { writes: [this.planPut(mount, username, { passwordHash }), ...alsoWrite()], result: () => {} };
    });
  }

  /**
   * Sets the token policies of a user who is there.
   *
   * @throws {VaultError} `invalid_argument`.
   */
  setPolicies(mount: MountRecord, username: string, policies: readonly string[]): Promise<void> {
    return this.#in.writer.change(() => {
      if (this.get(mount, username) === undefined) throw noSuchUser();
      const write = this.planPut(mount, username, { passwordHash: undefined, params: { policies } });
      return { writes: [write], result: () => {} };
    });
  }

  /** Deletes a user and its alias: the name then means somebody new (S11). Absent: nothing. */
  delete(mount: MountRecord, username: string): Promise<void> {
    return this.#in.writer.change(() => {
      if (this.get(mount, username) === undefined) return { writes: [], result: () => {} };
      const alias = this.#identity.aliases.byName(mount.accessor, username);
      const writes: Write[] = [{ kind: "userpass_user", key: userpassKey(mount.accessor, username) }];
      if (alias !== undefined) writes.push({ kind: "alias", key: alias.id });
      return { writes, result: () => {} };
    });
  }

  /** The writes that take away all users of a mount. */
  planEndOfMount({ accessor }: MountRecord): Write[] {
    const all = [...this.#in.state.table("userpass_user").values()];
    return all.filter((user) => user.mountAccessor === accessor).map((user) => ({
      kind: "userpass_user",
      key: userpassKey(accessor, user.username),
    }));
  }

  #countCost(user: UserpassRecord | undefined, by: 1 | -1): void {
    const cost = user === undefined ? undefined : bcryptCost(user.passwordHash);
    if (cost === undefined) return;
    const count = (this.#bcryptCosts.get(cost) ?? 0) + by;
    if (count === 0) this.#bcryptCosts.delete(cost);
    else this.#bcryptCosts.set(cost, count);
  }
}

/** The key of a user's record. */
export function userpassKey(mountAccessor: string, username: string): string {
  return `${mountAccessor}/${username.toLowerCase()}`;
}

function noSuchUser(): VaultError {
  return new VaultError("invalid_argument", "username does not exist");
}
