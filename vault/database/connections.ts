/**
 * Connections of the database engine: how servers are reached, and the pools that reach them.
 *
 * @module
 */

import { asVaultError, VaultError } from "../errors.ts";
import type { Clock, Logger, RandomSource } from "../ports.ts";
import type { DatabaseConnectionRecord } from "../storage/database_records.ts";
import type { Json } from "../storage/identity_records.ts";
import type { Write } from "../storage/store.ts";
import {
  assertComplete,
  type ConnectionDetails,
  mergedDetails,
  settingsOf,
  shownDetails,
} from "./connection_details.ts";
import { connectionKey, ConnectionRecords, type RecordSurroundings } from "./connection_records.ts";
import { type DatabaseObserver, OpenConnection, saidBy } from "./open_connection.ts";
import type { PasswordPolicies } from "./password_policies.ts";
import type { DatabasePlugin, DatabaseServer } from "./ports.ts";
import { defaultPassword } from "./random_text.ts";
import { RootRotation } from "./root_rotation.ts";
import { statementsOf } from "./statements.ts";

/** What a write of a connection may say; absent fields stay. */
export interface ConnectionInput {
  readonly pluginName?: string;
  readonly pluginVersion?: string;
  readonly verify?: boolean;
  readonly allowedRoles?: readonly string[];
  readonly rootRotationStatements?: readonly string[];
  readonly passwordPolicy?: string;
  /** Null empties a detail. */
  readonly details: Readonly<Record<string, Json>>;
}

/** What connections need. */
export interface ConnectionSurroundings extends RecordSurroundings {
  readonly clock: Clock;
  readonly random: RandomSource;
  readonly logger: Logger;
  readonly passwordPolicies: PasswordPolicies;
  /** How many leases are on a connection. */
  leasesOn(mountAccessor: string, connection: string): number;
}

/** Everything that is done to connections. */
export class DatabaseConnections {
  readonly #in: ConnectionSurroundings;
  readonly #records: ConnectionRecords;
  readonly #rotation: RootRotation;
  readonly #open = new Map<string, OpenConnection>();
  /** One change of a connection at a time. */
  readonly #turns = new Map<string, Promise<unknown>>();
  readonly #observers: DatabaseObserver[] = [];
  #isPaused = false;

  constructor(surroundings: ConnectionSurroundings) {
    this.#in = surroundings;
    this.#records = new ConnectionRecords(surroundings);
    this.#rotation = new RootRotation(this.#records);
    surroundings.state.watch("database_connection", (_after, before, key) => {
      if (before !== undefined) this.#letGo(key);
    });
  }

  /** A connection by its name. */
  get(mountAccessor: string, name: string): DatabaseConnectionRecord | undefined {
    return this.#records.get(mountAccessor, name);
  }

  /** The connections of a mount, by name. */
  list(mountAccessor: string): DatabaseConnectionRecord[] {
    return this.#records.list(mountAccessor);
  }

  /** The details of a connection without its secrets. */
  shown(record: DatabaseConnectionRecord): Record<string, Json> {
    return shownDetails(this.#records.detailsOf(record), this.#records.pluginOf(record.pluginName));
  }

  /**
   * Makes a connection, or changes one.
   *
   * @returns Warnings.
   * @throws {VaultError} `invalid_argument`; nothing is saved then, and the old connection goes on.
   */
  write(mountAccessor: string, name: string, input: ConnectionInput): Promise<string[]> {
    return this.#inTurn(connectionKey(mountAccessor, name), async () => {
      const before = this.get(mountAccessor, name);
      const pluginName = input.pluginName ?? before?.pluginName ?? "";
      const plugin = this.#records.pluginOf(pluginName);
      const former = before === undefined ? {} : this.#records.detailsOf(before);
      const details = mergedDetails(former, input.details, plugin, pluginName);
      await this.#tryOut(plugin, details, input.verify ?? true);
      await this.#records.put(this.#recordOf(mountAccessor, name, { ...input, pluginName }, before, details));
      return this.#warningsOf(mountAccessor, name, plugin, details, before && former);
    });
  }

  /**
   * Deletes a connection; absent: nothing. Leases on it stay, and wait for one of this name.
   *
   * @returns How many do.
   */
  async delete(mountAccessor: string, name: string): Promise<number> {
    await this.#records.delete(mountAccessor, name);
    return this.#in.leasesOn(mountAccessor, name);
  }

  /** Closes a connection's pool; the next call opens it anew. `upstream_failed` where there is no such connection. */
  reset(mountAccessor: string, name: string): void {
    this.#records.existing(mountAccessor, name);
    this.#letGo(connectionKey(mountAccessor, name));
  }

  /**
   * Does something with a connection, which stays open meanwhile, whatever is done to its record.
   *
   * @throws {VaultError} `upstream_failed` where there is none of this name, `precondition_failed` while paused, and what
   *   the work throws.
   */
  async use<T>(mountAccessor: string, name: string, work: (open: OpenConnection) => Promise<T>): Promise<T> {
    this.assertNotPaused();
    if (this.#records.existing(mountAccessor, name).sealedPending !== undefined) {
      await this.#inTurn(connectionKey(mountAccessor, name), () => this.#settle(mountAccessor, name));
    }
    const open = this.#current(mountAccessor, name);
    return await open.hold(() => work(open));
  }

  /** Leaves every account on every server as it is from now on, whoever asks. Whether a server lets us in is asked still. */
  pause(): void {
    this.#isPaused = true;
  }

  /** Refuses to touch an account (`precondition_failed`) while paused. */
  assertNotPaused(): void {
    if (!this.#isPaused) return;
    throw new VaultError(
      "precondition_failed",
      "This vault leaves database accounts alone: it was started with --pause-revocation",
      { hint: "start it without that flag once it is the one vault that the accounts belong to" },
    );
  }

  /** Has `observer` told of everything that is asked of servers, with how long it took: for metrics. */
  addObserver(observer: DatabaseObserver): void {
    this.#observers.push(observer);
  }

  /**
   * Gives the connection's own account a password that nobody but the vault knows.
   *
   * @throws {VaultError} `upstream_failed`, `invalid_argument`, `precondition_failed` while paused.
   */
  async rotateRoot(mountAccessor: string, name: string): Promise<void> {
    this.assertNotPaused();
    await this.#inTurn(connectionKey(mountAccessor, name), async () => {
      await this.#settle(mountAccessor, name);
      const open = this.#current(mountAccessor, name);
      await open.hold(() => this.#rotation.rotate(open, this.passwordFor(open.record.passwordPolicy)));
    });
  }

  /** A new password by a policy; empty: the default. */
  passwordFor(policy: string): string {
    if (policy === "") return defaultPassword(this.#in.random);
    const password = this.#in.passwordPolicies.generate(policy);
    if (password !== undefined) return password;
    throw new VaultError("upstream_failed", "failed to generate password: no password policy found");
  }

  /** The writes that take away all connections of a mount. */
  planEndOfMount(mountAccessor: string): Write[] {
    return this.#records.planEndOfMount(mountAccessor);
  }

  /** Lets go of every pool. */
  async close(): Promise<void> {
    const all = [...this.#open.values()];
    this.#open.clear();
    await Promise.all(all.map((open) => open.close()));
  }

  async #settle(mountAccessor: string, name: string): Promise<void> {
    const record = this.#records.existing(mountAccessor, name);
    if (record.sealedPending !== undefined) await this.#rotation.settle(record);
  }

  /** Opens a server as it is to be, and asks it whether it lets us in. */
  async #tryOut(plugin: DatabasePlugin, details: ConnectionDetails, isAsked: boolean): Promise<void> {
    const server = creating(() => {
      assertComplete(details, plugin);
      return plugin.open(settingsOf(details));
    });
    try {
      if (isAsked) await verify(server, plugin, details);
    } finally {
      await server.close().catch(() => {});
    }
  }

  #recordOf(
    mountAccessor: string,
    name: string,
    input: ConnectionInput & { readonly pluginName: string },
    before: DatabaseConnectionRecord | undefined,
    details: ConnectionDetails,
  ): DatabaseConnectionRecord {
    const rotation = input.rootRotationStatements;
    const { sealedPending } = before ?? {};
    return {
      mountAccessor,
      name,
      pluginName: input.pluginName,
      pluginVersion: input.pluginVersion ?? before?.pluginVersion ?? "",
      allowedRoles: input.allowedRoles ?? before?.allowedRoles ?? [],
      rootRotationStatements: rotation === undefined ? before?.rootRotationStatements ?? [] : statementsOf(rotation),
      passwordPolicy: input.passwordPolicy ?? before?.passwordPolicy ?? "",
      sealed: this.#records.sealDetails({ mountAccessor, name }, details),
      ...(sealedPending === undefined || input.details["password"] !== undefined ? {} : { sealedPending }),
    };
  }

  #warningsOf(
    mountAccessor: string,
    name: string,
    plugin: DatabasePlugin,
    details: ConnectionDetails,
    before: ConnectionDetails | undefined,
  ): string[] {
    const { url } = settingsOf(details);
    const warnings = plugin.passwordsIn(url).length > 0 ? [PASSWORD_IN_URL] : [];
    const place = (of: ConnectionDetails) => plugin.targetOf(settingsOf(of)).place;
    const held = this.#in.leasesOn(mountAccessor, name);
    if (before === undefined || held === 0 || isSamePlace(() => place(before), place(details))) return warnings;
    return [...warnings, `${held} leases are on this connection, and end only where their accounts are`];
  }

  #current(mountAccessor: string, name: string): OpenConnection {
    const key = connectionKey(mountAccessor, name);
    const present = this.#open.get(key);
    if (present !== undefined) return present;
    const record = this.#records.existing(mountAccessor, name);
    const open = new OpenConnection(
      record,
      this.#records.pluginOf(record.pluginName),
      this.#records.detailsOf(record),
      {
        clock: this.#in.clock,
        observe: (call) => this.#observers.forEach((observe) => observe(call)),
        notClosed: (connection, reason) => this.#in.logger.log("warn", "database_not_closed", { connection, reason }),
      },
    );
    this.#open.set(key, open);
    return open;
  }

  #letGo(key: string): void {
    this.#open.get(key)?.letGo();
    this.#open.delete(key);
  }

  #inTurn<T>(key: string, work: () => Promise<T>): Promise<T> {
    const mine = (this.#turns.get(key) ?? Promise.resolve()).then(work);
    const settled = mine.then(() => {}, () => {});
    this.#turns.set(key, settled);
    void settled.then(() => {
      if (this.#turns.get(key) === settled) this.#turns.delete(key);
    });
    return mine;
  }
}

const PASSWORD_IN_URL =
  "Password found in connection_url, use a templated url to enable root rotation and prevent read " +
  "access to password information.";

async function verify(server: DatabaseServer, plugin: DatabasePlugin, details: ConnectionDetails): Promise<void> {
  try {
    await server.ping();
  } catch (error) {
    const said = saidBy(plugin, error, details, []);
    throw new VaultError("invalid_argument", `error creating database object: ${plugin.verifyPrefix}${said}`);
  }
}

/** The plugin may be another one than before, which can't read what was written for that. */
function isSamePlace(before: () => string, after: string): boolean {
  try {
    return before() === after;
  } catch {
    return false;
  }
}

function creating<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    const { message, hint } = asVaultError(error);
    throw new VaultError(
      "invalid_argument",
      `error creating database object: ${message}`,
      hint === undefined ? {} : { hint },
    );
  }
}
