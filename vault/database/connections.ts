/**
 * Connections of the database engine: how servers are reached, and the pools that reach them.
 *
 * @module
 */

import { asVaultError, VaultError } from "../errors.ts";
import type { SealKey } from "../keys/seal_key.ts";
import { quoteName } from "../names.ts";
import type { Clock, Logger, RandomSource } from "../ports.ts";
import type { VaultState } from "../state.ts";
import type { DatabaseConnectionRecord } from "../storage/database_records.ts";
import type { Json } from "../storage/identity_records.ts";
import type { Write } from "../storage/store.ts";
import type { Writer } from "../writer.ts";
import { type ConnectionDetails, mergedDetails, settingsOf, shownDetails } from "./connection_details.ts";
import { hideSecrets } from "./hide_secrets.ts";
import type { PasswordPolicies } from "./password_policies.ts";
import type { DatabasePlugin, DatabaseServer } from "./ports.ts";
import { defaultPassword } from "./random_text.ts";
import { filled, statementsOf } from "./statements.ts";

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
export interface ConnectionSurroundings {
  readonly state: VaultState;
  readonly writer: Writer;
  readonly sealKey: SealKey;
  readonly clock: Clock;
  readonly random: RandomSource;
  readonly logger: Logger;
  readonly plugins: readonly DatabasePlugin[];
  readonly passwordPolicies: PasswordPolicies;
}

/** A server with what is known of it. */
export interface OpenConnection {
  readonly record: DatabaseConnectionRecord;
  readonly plugin: DatabasePlugin;
  readonly details: ConnectionDetails;
  readonly server: DatabaseServer;
}

/** What servers are asked. */
export type DatabaseOperation = "look" | "create" | "roll_back" | "renew" | "revoke" | "rotate" | "rotate_root";

/** Something that a server was asked. */
export interface FinishedDatabaseCall {
  readonly pluginName: string;
  readonly connection: string;
  readonly operation: DatabaseOperation;
  readonly isOk: boolean;
  readonly seconds: number;
}

/** Told of everything that servers are asked; may not throw. */
export type DatabaseObserver = (call: FinishedDatabaseCall) => void;

/** Everything that is done to connections. */
export class DatabaseConnections {
  readonly #in: ConnectionSurroundings;
  readonly #open = new Map<string, OpenConnection>();
  /** One change of a connection at a time. */
  readonly #turns = new Map<string, Promise<unknown>>();
  readonly #observers: DatabaseObserver[] = [];

  constructor(surroundings: ConnectionSurroundings) {
    this.#in = surroundings;
    surroundings.state.watch("database_connection", (_after, before, key) => {
      if (before !== undefined) this.#letGo(key);
    });
  }

  /** A connection by its name. */
  get(mountAccessor: string, name: string): DatabaseConnectionRecord | undefined {
    return this.#in.state.table("database_connection").get(keyOf(mountAccessor, name));
  }

  /** The connections of a mount, by name. */
  list(mountAccessor: string): DatabaseConnectionRecord[] {
    const all = [...this.#in.state.table("database_connection").values()];
    return all.filter((one) => one.mountAccessor === mountAccessor).sort((a, b) => a.name < b.name ? -1 : 1);
  }

  /** The details of a connection without its secrets. */
  shown(record: DatabaseConnectionRecord): Record<string, Json> {
    return shownDetails(this.#detailsOf(record), this.#pluginOf(record.pluginName));
  }

  /**
   * Makes a connection, or changes one.
   *
   * @returns Warnings.
   * @throws {VaultError} `invalid_argument`; nothing is saved then, and the old connection goes on.
   */
  write(mountAccessor: string, name: string, input: ConnectionInput): Promise<string[]> {
    return this.#inTurn(keyOf(mountAccessor, name), async () => {
      const before = this.get(mountAccessor, name);
      const pluginName = input.pluginName ?? before?.pluginName ?? "";
      const plugin = this.#pluginOf(pluginName);
      const details = mergedDetails(before === undefined ? {} : this.#detailsOf(before), input.details);
      const server = creating(() => plugin.open(settingsOf(details)));
      try {
        if (input.verify ?? true) await this.#verify(server, plugin, details);
      } finally {
        await server.close().catch(() => {});
      }
      const record = this.#recordOf(mountAccessor, name, { ...input, pluginName }, before, details);
      await this.#in.writer.change(() => ({ writes: [put(record)], result: () => {} }));
      const { connection_url: url = "" } = details;
      return typeof url === "string" && plugin.hasPassword(url) ? [PASSWORD_IN_URL] : [];
    });
  }

  /** Deletes a connection; absent: nothing. Leases on it stay, and wait for one of this name. */
  delete(mountAccessor: string, name: string): Promise<void> {
    return this.#in.writer.change(() => ({
      writes: [{ kind: "database_connection", key: keyOf(mountAccessor, name) }],
      result: () => {},
    }));
  }

  /** Closes a connection's pool; the next call opens it anew. `upstream_failed` where there is no such connection. */
  reset(mountAccessor: string, name: string): void {
    this.#existing(mountAccessor, name);
    this.#letGo(keyOf(mountAccessor, name));
  }

  /**
   * A connection with its server.
   *
   * @throws {VaultError} `upstream_failed` where there is none of this name.
   */
  async open(mountAccessor: string, name: string): Promise<OpenConnection> {
    const key = keyOf(mountAccessor, name);
    if (this.#existing(mountAccessor, name).sealedPending !== undefined) {
      await this.#inTurn(key, () => this.#settlePending(mountAccessor, name));
    }
    return this.#open.get(key) ?? this.#opened(this.#existing(mountAccessor, name));
  }

  /**
   * Asks something of a server; what it says when it fails has no secret in it.
   *
   * @param secrets That the work hands to the server.
   * @throws {VaultError} `upstream_failed`.
   */
  async ask<T>(
    open: OpenConnection,
    operation: DatabaseOperation,
    secrets: readonly string[],
    work: (server: DatabaseServer) => Promise<T>,
  ): Promise<T> {
    const startedAt = this.#in.clock.monotonic();
    let isOk = false;
    try {
      const answer = await work(open.server);
      isOk = true;
      return answer;
    } catch (error) {
      throw new VaultError("upstream_failed", this.#said(error, open, secrets));
    } finally {
      const { pluginName, name } = open.record;
      const seconds = (this.#in.clock.monotonic() - startedAt) / 1000;
      for (const observe of this.#observers) observe({ pluginName, connection: name, operation, isOk, seconds });
    }
  }

  /** Has `observer` told of everything that is asked of servers, with how long it took: for metrics. */
  addObserver(observer: DatabaseObserver): void {
    this.#observers.push(observer);
  }

  /**
   * Gives the connection's own account a password that nobody but the vault knows. What is to be is on disk before it is, so
   * that the vault finds its way in after a crash at any point.
   *
   * @throws {VaultError} `upstream_failed`, `invalid_argument`.
   */
  rotateRoot(mountAccessor: string, name: string): Promise<void> {
    return this.#inTurn(keyOf(mountAccessor, name), async () => {
      await this.#settlePending(mountAccessor, name);
      const open = this.#open.get(keyOf(mountAccessor, name)) ?? this.#opened(this.#existing(mountAccessor, name));
      const username = rotatable(open);
      const password = this.passwordFor(open.record.passwordPolicy);
      await this.#change(mountAccessor, name, (record) => ({
        ...record,
        sealedPending: this.#seal(`${identityOf(record)}/pending`, password),
      }));
      const given = open.record.rootRotationStatements;
      const statements = given.length > 0 ? given : open.plugin.passwordRotation;
      const fresh = this.#opened(this.#existing(mountAccessor, name));
      try {
        await this.ask(
          fresh,
          "rotate_root",
          [password],
          (server) => server.run(filled(statements, { username, password })),
        );
      } catch (error) {
        await this.#settlePending(mountAccessor, name);
        throw new VaultError("upstream_failed", `failed to update user: ${asVaultError(error).message}`);
      }
      await this.#promote(mountAccessor, name, password);
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
    return this.list(mountAccessor).map((one) => ({
      kind: "database_connection",
      key: keyOf(mountAccessor, one.name),
    }));
  }

  /** Lets go of every pool. */
  async close(): Promise<void> {
    const all = [...this.#open.values()];
    this.#open.clear();
    await Promise.allSettled(all.map(({ server }) => server.close()));
  }

  /** After a rotation that ended nobody knows how: the password that the server takes is the password. */
  async #settlePending(mountAccessor: string, name: string): Promise<void> {
    const record = this.#existing(mountAccessor, name);
    if (record.sealedPending === undefined) return;
    const pending = this.#unsealed(record.sealedPending, `${identityOf(record)}/pending`);
    const details = this.#detailsOf(record);
    if (await this.#letsIn(record, { ...details, password: pending })) {
      return await this.#promote(mountAccessor, name, pending);
    }
    if (!await this.#letsIn(record, details)) return;
    await this.#change(mountAccessor, name, ({ sealedPending: _, ...kept }) => kept);
  }

  async #letsIn(record: DatabaseConnectionRecord, details: ConnectionDetails): Promise<boolean> {
    const server = this.#pluginOf(record.pluginName).open(settingsOf(details));
    try {
      await server.ping();
      return true;
    } catch {
      // Which of the two passwords holds is what is asked; why the other doesn't is of no use.
      return false;
    } finally {
      await server.close().catch(() => {});
    }
  }

  #promote(mountAccessor: string, name: string, password: string): Promise<void> {
    return this.#change(mountAccessor, name, ({ sealedPending: _, ...record }) => ({
      ...record,
      sealed: this.#seal(identityOf(record), JSON.stringify({ ...this.#detailsOf(record), password })),
    }));
  }

  #change(
    mountAccessor: string,
    name: string,
    update: (record: DatabaseConnectionRecord) => DatabaseConnectionRecord,
  ): Promise<void> {
    return this.#in.writer.change(() => ({
      writes: [put(update(this.#existing(mountAccessor, name)))],
      result: () => {},
    }));
  }

  async #verify(server: DatabaseServer, plugin: DatabasePlugin, details: ConnectionDetails): Promise<void> {
    try {
      await server.ping();
    } catch (error) {
      const said = hideSecrets(plugin.messageOf(error), secretsOf(details));
      throw new VaultError("invalid_argument", `error creating database object: ${plugin.verifyPrefix}${said}`);
    }
  }

  #said(error: unknown, { plugin, details }: OpenConnection, secrets: readonly string[]): string {
    return hideSecrets(plugin.messageOf(error), [...secrets, ...secretsOf(details)]);
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
      sealed: this.#seal(`database_connection/${keyOf(mountAccessor, name)}`, JSON.stringify(details)),
      ...(sealedPending === undefined || input.details["password"] !== undefined ? {} : { sealedPending }),
    };
  }

  #existing(mountAccessor: string, name: string): DatabaseConnectionRecord {
    const record = this.get(mountAccessor, name);
    if (record !== undefined) return record;
    throw new VaultError("upstream_failed", `failed to find entry for connection with name: ${quoteName(name)}`);
  }

  #opened(record: DatabaseConnectionRecord): OpenConnection {
    const details = this.#detailsOf(record);
    const plugin = this.#pluginOf(record.pluginName);
    const open = { record, plugin, details, server: plugin.open(settingsOf(details)) };
    this.#letGo(keyOf(record.mountAccessor, record.name));
    this.#open.set(keyOf(record.mountAccessor, record.name), open);
    return open;
  }

  #letGo(key: string): void {
    const open = this.#open.get(key);
    if (open === undefined) return;
    this.#open.delete(key);
    open.server.close().catch((error: unknown) => {
      const reason = hideSecrets(open.plugin.messageOf(error), secretsOf(open.details));
      this.#in.logger.log("warn", "database_not_closed", { connection: open.record.name, reason });
    });
  }

  #pluginOf(name: string): DatabasePlugin {
    if (name === "") throw new VaultError("invalid_argument", "empty plugin name");
    const plugin = this.#in.plugins.find(({ names }) => names.includes(name));
    if (plugin !== undefined) return plugin;
    throw new VaultError(
      "invalid_argument",
      `error creating database object: invalid database version: 2 errors occurred:\n\t* plugin not found in the catalog: ` +
        `${name.slice(0, 80)}`,
      { hint: `plugins are ${this.#in.plugins.flatMap(({ names }) => names).join(", ")}` },
    );
  }

  #detailsOf(record: DatabaseConnectionRecord): ConnectionDetails {
    return JSON.parse(this.#unsealed(record.sealed, identityOf(record)));
  }

  #seal(identity: string, text: string): string {
    return this.#in.sealKey.seal(identity, new TextEncoder().encode(text));
  }

  #unsealed(sealed: string, identity: string): string {
    return new TextDecoder().decode(this.#in.sealKey.open(identity, sealed));
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

/** The name of the connection's own account, where its password can be changed. */
function rotatable({ details, plugin }: OpenConnection): string {
  const { username, password, connection_url: url } = details;
  if (!username) {
    throw new VaultError("upstream_failed", "unable to rotate root credentials: no username in configuration");
  }
  if (!password) {
    throw new VaultError("upstream_failed", "unable to rotate root credentials: no password in configuration");
  }
  if (plugin.hasPassword(String(url))) {
    throw new VaultError("invalid_argument", "the password stands in connection_url, so a new one would lock us out", {
      hint: "write {{password}} in its place",
    });
  }
  return String(username);
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

/** Every value that may not be said. */
function secretsOf(details: ConnectionDetails): string[] {
  const { password, tls_certificate_key: key, connection_url: url } = details;
  const inUrl = /:([^:@/{}]+)@/.exec(String(url ?? ""))?.[1] ?? "";
  const inPairs = /password\s*=\s*'?([^\s'{}]+)/.exec(String(url ?? ""))?.[1] ?? "";
  return [password, key, inUrl, inPairs].filter((one): one is string => typeof one === "string" && one !== "");
}

function keyOf(mountAccessor: string, name: string): string {
  return `${mountAccessor}/${name}`;
}

function identityOf({ mountAccessor, name }: DatabaseConnectionRecord): string {
  return `database_connection/${keyOf(mountAccessor, name)}`;
}

function put(value: DatabaseConnectionRecord): Write {
  return { kind: "database_connection", key: keyOf(value.mountAccessor, value.name), value };
}
