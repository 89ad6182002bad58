/**
 * Users as an operator makes them: an evt user and a login that are one entity (S11).
 *
 * @module
 */

import { VaultError } from "../errors.ts";
import type { Identity } from "../identity/identity.ts";
import { cleanPolicies } from "../identity/policies.ts";
import type { MountTable } from "../mounts/mount_table.ts";
import { quoteName } from "../names.ts";
import type { User } from "../state.ts";
import type { MountRecord } from "../storage/identity_records.ts";
import type { Write } from "../storage/store.ts";
import { firstUserMark, type Surroundings } from "../tokens/token_service.ts";
import type { Lockout } from "./lockout.ts";
import type { UserpassService } from "./userpass_service.ts";

/** Where logins are made unless another mount is named. */
const DEFAULT_MOUNT = "userpass/";
const LOGIN_NAME = /^[a-z0-9_](?:[a-z0-9_.@+-]{0,126}[a-z0-9_])?$/;

/** What accounts need. */
export interface AccountSurroundings extends Surroundings {
  readonly identity: Identity;
  readonly mounts: MountTable;
  readonly users: UserpassService;
  readonly lockout: Lockout;
}

/** A user with a login, to be made. */
export interface NewAccount {
  readonly name: string;
  /** Absent: the name, lower case. */
  readonly login?: string;
  readonly password: string;
  readonly policies?: readonly string[];
}

/** One login of a user. */
export interface LoginSummary {
  readonly mountPath: string;
  readonly username: string;
  readonly policies: readonly string[];
  readonly isLocked: boolean;
}

/** Makes and links accounts. */
export class UserAccounts {
  readonly #in: AccountSurroundings;

  constructor(surroundings: AccountSurroundings) {
    this.#in = surroundings;
  }

  /**
   * Makes a user with a login, or gives one to a user who has none; mounts `userpass/` where it is absent.
   *
   * @throws {VaultError} `already_exists` where the login is there, `invalid_argument`.
   */
  async create({ name, login, password, policies }: NewAccount): Promise<void> {
    const { users, writer, identity } = this.#in;
    const username = loginName(login ?? name);
    const passwordHash = await users.hashOf({ password });
    return await writer.change(() => {
      const [mount, mountWrites] = this.#planMount();
      if (users.get(mount, username) !== undefined) {
        throw new VaultError("already_exists", `the login ${JSON.stringify(username)} is there already`, {
          hint: "use `runevault user password` to change its password, `runevault user link` to link it",
        });
      }
      const { writes } = identity.planUser(name, mount, username);
      const params = policies === undefined ? {} : { params: { policies: cleanPolicies(policies) } };
      const put = users.planPut(mount, username, { passwordHash, ...params });
      return { writes: [...mountWrites, ...writes, ...this.#firstUserMark(), put], result: () => {} };
    });
  }

  /**
   * Sets the password of a user's login; failures counted so far are forgotten.
   *
   * @param name As for {@link unlock}.
   * @throws {VaultError} `not_found` where the user has no login.
   */
  async setPassword(name: string, password: string): Promise<void> {
    const found = this.#loginsNamed(name)[0];
    if (found === undefined) {
      throw new VaultError("not_found", `User ${JSON.stringify(name)} has no login`, {
        hint: "use `runevault user create` to give them one",
      });
    }
    await this.#in.users.setPassword(found.mount, found.username, { password });
    this.#in.lockout.unlock(found.mount.accessor, found.username);
  }

  /**
   * Makes a user and a login that is there one entity. What the login's former entity caused ends.
   *
   * @throws {VaultError} `not_found`, `already_exists`.
   */
  link(name: string, login: string): Promise<void> {
    return this.#in.writer.change(() => {
      const mount = this.#in.mounts.byPath("auth", DEFAULT_MOUNT);
      const username = loginName(login);
      if (mount === undefined || this.#in.users.get(mount, username) === undefined) {
        throw new VaultError("not_found", `No login ${JSON.stringify(username)}`);
      }
      const { writes } = this.#in.identity.planLink(name, mount, username);
      return { writes, result: () => {} };
    });
  }

  /**
   * Lets a user try again at once.
   *
   * @param name The user's name, else an entity's name or id, else that of a login.
   * @throws {VaultError} `not_found` where they have no login.
   */
  unlock(name: string): void {
    const logins = this.#loginsNamed(name);
    if (logins.length === 0) throw new VaultError("not_found", `User ${quoteName(name)} has no login`);
    for (const { mount, username } of logins) this.#in.lockout.unlock(mount.accessor, username);
  }

  /** A user by their exact name. */
  find(name: string): User | undefined {
    return this.#in.state.userByName(name);
  }

  /** The logins of a user, or of an entity by its name or id; `not_found` where there is none. */
  loginsOf(name: string): LoginSummary[] {
    return this.loginsOfUser(this.#holder(name) ?? this.#user(name));
  }

  /** The logins of a user or of another entity. */
  loginsOfUser(user: User): LoginSummary[] {
    return this.#loginsOf(user).map(({ mount, username }) => ({
      mountPath: `auth/${mount.path}`,
      username,
      policies: this.#in.users.get(mount, username)!.params.policies,
      isLocked: this.#in.lockout.isLocked(mount.accessor, username),
    }));
  }

  /** Logins whose name is a user's and that lead elsewhere: names are not identities (S11). */
  namesakesOf(user: User): string[] {
    const username = user.record.name.toLowerCase();
    const { users, mounts, identity } = this.#in;
    return mounts.list("auth").flatMap((mount) => {
      if (mount.type !== "userpass" || users.get(mount, username) === undefined) return [];
      const alias = identity.aliases.byName(mount.accessor, username);
      return alias?.entityId === user.record.entityId ? [] : [`auth/${mount.path}login/${username}`];
    });
  }

  /** From the first user on no file without a generation is taken whole (S8). */
  #firstUserMark(): Write[] {
    return firstUserMark(this.#in.state, this.#in.clock);
  }

  #user(name: string): User {
    const user = this.#in.state.userByName(name);
    if (user !== undefined) return user;
    throw noUser(name);
  }

  /** A user by their exact name, else an entity that came by the identity API alone. */
  #holder(name: string): User | undefined {
    const { entities } = this.#in.identity;
    return this.find(name) ?? entities.byName(name) ?? entities.byId(name);
  }

  /** The logins that an operator means by a name; one with which nobody logged in yet has no entity. */
  #loginsNamed(name: string): { mount: MountRecord; username: string }[] {
    const holder = this.#holder(name);
    if (holder !== undefined) return this.#loginsOf(holder);
    const username = name.toLowerCase();
    const mounts = this.#in.mounts.list("auth").filter(({ type }) => type === "userpass");
    const found = mounts.filter((mount) => this.#in.users.get(mount, username) !== undefined);
    if (found.length === 0) throw noUser(name);
    return found.map((mount) => ({ mount, username }));
  }

  #loginsOf(user: User): { mount: MountRecord; username: string }[] {
    return this.#in.identity.aliases.of(user).flatMap((alias) => {
      const mount = this.#in.mounts.byAccessor(alias.mountAccessor);
      const isLogin = mount?.type === "userpass" && this.#in.users.get(mount, alias.name) !== undefined;
      return isLogin ? [{ mount, username: alias.name.toLowerCase() }] : [];
    });
  }

  #planMount(): [mount: MountRecord, writes: readonly Write[]] {
    const known = this.#in.mounts.byPath("auth", DEFAULT_MOUNT);
    if (known !== undefined) return [known, []];
    const { writes, result } = this.#in.mounts.planEnable({ section: "auth", path: DEFAULT_MOUNT, type: "userpass" });
    return [result(), writes];
  }
}

function loginName(given: string): string {
  const name = given.toLowerCase();
  if (LOGIN_NAME.test(name)) return name;
  throw new VaultError("invalid_argument", `Invalid login name ${JSON.stringify(given.slice(0, 80))}`, {
    hint: "a login is letters, digits, '_', '.', '-', '@' and '+', and begins and ends with a letter, digit or '_'",
  });
}

function noUser(name: string): VaultError {
  return new VaultError("not_found", `No user ${quoteName(name)}`, {
    hint: "see `runevault user list` and `runevault entity list`",
  });
}
