/**
 * Static roles: accounts that are there already, whose passwords the vault keeps and changes on schedule.
 *
 * @module
 */

import { asVaultError, VaultError } from "../errors.ts";
import type { SealKey } from "../keys/seal_key.ts";
import { quoteName } from "../names.ts";
import type { Clock, Logger } from "../ports.ts";
import { DueQueue } from "../due_queue.ts";
import type { VaultState } from "../state.ts";
import type { DatabaseStaticRoleRecord } from "../storage/database_records.ts";
import type { Write } from "../storage/store.ts";
import type { Writer } from "../writer.ts";
import { isAllowedRole } from "./allowed_roles.ts";
import type { DatabaseConnections } from "./connections.ts";
import { KnownPasswords } from "./known_passwords.ts";
import { assertCredentialType, roleKey } from "./roles.ts";
import { filled, statementsOf } from "./statements.ts";
import { assertAccountName } from "./username_template.ts";

/** Seconds. */
const SHORTEST_PERIOD = 5;
const LOOK_MS = 1000;
const RETRY_MS = 10_000;
/** Names that the databases themselves allow; no statement can be broken out of by one. */
const LONGEST_USERNAME = 128;

/** What a write of a static role may say; absent fields stay. */
export interface StaticRoleInput {
  readonly connection?: string;
  readonly username?: string;
  readonly rotationPeriod?: number;
  readonly rotation?: readonly string[];
  readonly credentialType?: string;
  readonly passwordPolicy?: string;
}

/** The password of a static role's account. */
export interface StaticCredentials {
  readonly role: DatabaseStaticRoleRecord;
  readonly password: string;
  /** Seconds until the next; 0: it is due. */
  readonly ttl: number;
}

/** What static roles need. */
export interface StaticRoleSurroundings {
  readonly state: VaultState;
  readonly writer: Writer;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly sealKey: SealKey;
  readonly connections: DatabaseConnections;
}

/** Everything that is done to static roles. */
export class DatabaseStaticRoles {
  readonly #in: StaticRoleSurroundings;
  readonly known: KnownPasswords;
  /** By the wall clock. */
  readonly #due = new DueQueue();
  readonly #rotating = new Map<string, Promise<void>>();
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(surroundings: StaticRoleSurroundings) {
    this.#in = surroundings;
    this.known = new KnownPasswords(surroundings);
    surroundings.state.watch("database_static_role", (after, before, key) => {
      if (after !== undefined && dueAt(after) !== (before === undefined ? -1 : dueAt(before))) {
        this.#due.add(dueAt(after), key);
      }
    });
  }

  /** A static role by its name. */
  get(mountAccessor: string, name: string): DatabaseStaticRoleRecord | undefined {
    return this.#in.state.table("database_static_role").get(roleKey(mountAccessor, name));
  }

  /** The static roles of a mount, by name. */
  list(mountAccessor: string): DatabaseStaticRoleRecord[] {
    const all = [...this.#in.state.table("database_static_role").values()];
    return all.filter((one) => one.mountAccessor === mountAccessor).sort((a, b) => a.name < b.name ? -1 : 1);
  }

  /**
   * Makes a static role, which gives its account a new password at once, or changes one.
   *
   * @throws {VaultError} `invalid_argument`, or `upstream_failed` where the password can't be set: nothing is saved then.
   */
  async write(mountAccessor: string, name: string, input: StaticRoleInput): Promise<void> {
    const key = roleKey(mountAccessor, name);
    let isNew = false;
    await this.#change(key, (before) => {
      const role = this.#updated(mountAccessor, name, input, before);
      this.#assertAllowed(role);
      isNew = before === undefined;
      if (isNew) this.#in.connections.assertNotPaused();
      return isNew ? this.#withPending(role) : role;
    });
    if (!isNew) return;
    try {
      await this.#rotate(key);
    } catch (error) {
      await this.delete(mountAccessor, name);
      throw new VaultError("upstream_failed", `error setting credentials: ${asVaultError(error).message}`);
    }
  }

  /**
   * Deletes a static role; absent: nothing. Its account stays.
   *
   * @returns How many entities know the password that the account keeps.
   */
  delete(mountAccessor: string, name: string): Promise<number> {
    const key = roleKey(mountAccessor, name);
    return this.#in.writer.change(() => {
      const { knownTo = {} } = this.#in.state.table("database_static_role").get(key) ?? {};
      return { writes: [{ kind: "database_static_role", key }], result: () => Object.keys(knownTo).length };
    });
  }

  /** The writes that take away all static roles of a mount. */
  planEndOfMount(mountAccessor: string): Write[] {
    return this.list(mountAccessor).map(({ name }) => ({
      kind: "database_static_role",
      key: roleKey(mountAccessor, name),
    }));
  }

  /**
   * The password of a static role's account.
   *
   * @param entityId Who is told it: that they know it is on disk before; null: nobody who could be cut off.
   * @throws {VaultError} `invalid_argument` for an unknown role, `storage_failed`.
   */
  async credentials(mountAccessor: string, name: string, entityId: string | null): Promise<StaticCredentials> {
    const known = entityId === null ? undefined : await this.known.note(roleKey(mountAccessor, name), entityId);
    const role = known ?? this.get(mountAccessor, name);
    if (role?.sealed === undefined) throw new VaultError("invalid_argument", `unknown role: ${name.slice(0, 80)}`);
    const ttl = Math.max(0, Math.floor((dueAt(role) - this.#in.clock.now()) / 1000));
    return { role, password: this.#open(role, role.sealed), ttl };
  }

  /**
   * Gives an account a new password now.
   *
   * @throws {VaultError} `invalid_argument` for an unknown role, `upstream_failed`: it is tried again by itself then.
   */
  async rotate(mountAccessor: string, name: string): Promise<void> {
    const role = this.get(mountAccessor, name);
    if (role === undefined) throw new VaultError("invalid_argument", "no static role found for role name");
    this.#in.connections.assertNotPaused();
    try {
      await this.#rotate(roleKey(mountAccessor, name));
    } catch (error) {
      const { message } = asVaultError(error);
      const retried =
        "unable to finish rotating credentials; retries will continue in the background but it is also safe to retry manually";
      throw new VaultError("upstream_failed", `${retried}: ${message}`);
    }
  }

  /**
   * Rotates what is due, until {@link close}.
   *
   * @param mayCommit Whether the clock can be trusted (S10).
   */
  start(mayCommit: () => boolean): void {
    this.#timer = setInterval(() => {
      if (!mayCommit()) return;
      for (const key of this.#due.take(this.#in.clock.now(), 100)) void this.#rotateDue(key);
    }, LOOK_MS);
  }

  /** Stops; what is under way is waited for. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.allSettled(this.#rotating.values());
  }

  async #rotateDue(key: string): Promise<void> {
    const role = this.#in.state.table("database_static_role").get(key);
    if (role === undefined || dueAt(role) > this.#in.clock.now()) return;
    await this.#rotate(key).catch((error: unknown) => {
      this.#in.logger.log("warn", "static_role_not_rotated", { role: role.name, reason: asVaultError(error).message });
    });
  }

  #rotate(key: string): Promise<void> {
    const running = this.#rotating.get(key);
    if (running !== undefined) return running;
    const rotating = this.#perform(key)
      .catch((error: unknown) => {
        this.#due.add(this.#in.clock.now() + RETRY_MS, key);
        throw error;
      })
      .finally(() => this.#rotating.delete(key));
    this.#rotating.set(key, rotating);
    return rotating;
  }

  /** The password is on disk before the server has it, and is set again until it does. */
  async #perform(key: string): Promise<void> {
    const role = await this.#change(key, (present) => present && this.#withPending(present));
    if (role === undefined) return;
    const password = this.#open(role, role.sealedPending!);
    const { username, mountAccessor, connection } = role;
    await this.#in.connections.use(mountAccessor, connection, async (open) => {
      const given = role.rotation.length > 0 ? role.rotation : open.plugin.passwordRotation;
      const inSql = await open.passwordInSql(password);
      const statements = filled(given, { username, password: inSql });
      await open.ask("rotate", [password, inSql], (server) => server.run(statements));
    });
    const after = await this.#change(key, (present) => {
      if (present?.sealedPending !== role.sealedPending) return present;
      const { sealedPending, knownTo: _, ...kept } = present!;
      return { ...kept, sealed: sealedPending!, rotatedAt: this.#in.clock.now() };
    });
    // One that was made anew meanwhile has a password of its own to set.
    if (after?.sealedPending !== undefined) await this.#perform(key);
  }

  /** Changes a role as it is in the writer's turn, where a rotation may have changed it; undefined: it is left absent. */
  #change(
    key: string,
    change: (present: DatabaseStaticRoleRecord | undefined) => DatabaseStaticRoleRecord | undefined,
  ): Promise<DatabaseStaticRoleRecord | undefined> {
    return this.#in.writer.change(() => {
      const present = this.#in.state.table("database_static_role").get(key);
      const value = change(present);
      const writes: Write[] = value === present ? [] : [{ kind: "database_static_role", key, value: value! }];
      return { writes, result: () => value };
    });
  }

  /** With the password that it is to have next: the one that a rotation is setting already, where there is one. */
  #withPending(role: DatabaseStaticRoleRecord): DatabaseStaticRoleRecord {
    if (role.sealedPending !== undefined) return role;
    const { connections, sealKey } = this.#in;
    const connection = connections.get(role.mountAccessor, role.connection);
    const password = connections.passwordFor(role.passwordPolicy ?? connection?.passwordPolicy ?? "");
    return { ...role, sealedPending: sealKey.seal(identityOf(role), new TextEncoder().encode(password)) };
  }

  #updated(
    mountAccessor: string,
    name: string,
    input: StaticRoleInput,
    before: DatabaseStaticRoleRecord | undefined,
  ): DatabaseStaticRoleRecord {
    if (this.#in.state.table("database_role").has(roleKey(mountAccessor, name))) {
      throw new VaultError("invalid_argument", "Role and Static Role names must be unique");
    }
    assertCredentialType(input.credentialType);
    const connection = input.connection ?? before?.connection;
    if (!connection) throw new VaultError("invalid_argument", "database name is required");
    const { username } = input;
    if (before !== undefined && username !== before.username) {
      throw new VaultError("invalid_argument", "cannot update static account username");
    }
    if (!username) throw new VaultError("invalid_argument", "username is a required field to create a static account");
    assertAccountName(username, LONGEST_USERNAME);
    const rotationPeriod = input.rotationPeriod ?? before?.rotationPeriod;
    if (rotationPeriod === undefined) {
      throw new VaultError("invalid_argument", "rotation_period is required to create static accounts");
    }
    if (rotationPeriod < SHORTEST_PERIOD) {
      throw new VaultError("invalid_argument", `rotation_period must be ${SHORTEST_PERIOD} seconds or more`);
    }
    return {
      ...(before ?? { mountAccessor, name, username, rotatedAt: 0 }),
      connection,
      rotationPeriod,
      rotation: input.rotation === undefined ? before?.rotation ?? [] : statementsOf(input.rotation),
      ...(input.passwordPolicy === undefined ? {} : { passwordPolicy: input.passwordPolicy }),
    };
  }

  #assertAllowed({ mountAccessor, connection, name }: DatabaseStaticRoleRecord): void {
    const record = this.#in.connections.get(mountAccessor, connection);
    if (record === undefined || isAllowedRole(record.allowedRoles, name)) return;
    throw new VaultError("upstream_failed", `${quoteName(name)} is not an allowed role`);
  }

  #open(role: DatabaseStaticRoleRecord, sealed: string): string {
    return new TextDecoder().decode(this.#in.sealKey.open(identityOf(role), sealed));
  }
}

/** One whose new password may be set already, or not, is to be settled at once. */
function dueAt({ rotatedAt, rotationPeriod, sealedPending }: DatabaseStaticRoleRecord): number {
  return sealedPending === undefined ? rotatedAt + rotationPeriod * 1000 : 0;
}

function identityOf({ mountAccessor, name }: DatabaseStaticRoleRecord): string {
  return `database_static_role/${roleKey(mountAccessor, name)}`;
}
