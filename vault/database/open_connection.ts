/**
 * A connection that is open, and how what its server says is told.
 *
 * @module
 */

import { VaultError } from "../errors.ts";
import type { Clock } from "../ports.ts";
import type { DatabaseConnectionRecord } from "../storage/database_records.ts";
import { type ConnectionDetails, settingsOf } from "./connection_details.ts";
import { hideSecrets } from "./hide_secrets.ts";
import type { DatabasePlugin, DatabaseServer } from "./ports.ts";
import { cleanName } from "./username_template.ts";

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

/** What an open connection needs. */
export interface OpenSurroundings {
  readonly clock: Clock;
  readonly observe: DatabaseObserver;
  /** Told why connections couldn't be closed. */
  readonly notClosed: (connection: string, reason: string) => void;
}

/** A server with what is known of it. It closes when it is let go of and nobody uses it any more. */
export class OpenConnection {
  readonly record: DatabaseConnectionRecord;
  readonly plugin: DatabasePlugin;
  readonly details: ConnectionDetails;
  /** Where its servers are. */
  readonly place: string;
  /** What the operator has accounts called; undefined: as we call them. */
  readonly ownTemplate: string | undefined;
  readonly #server: DatabaseServer;
  readonly #in: OpenSurroundings;
  #users = 0;
  #closing: Promise<void> | undefined;
  #isLetGo = false;

  constructor(
    record: DatabaseConnectionRecord,
    plugin: DatabasePlugin,
    details: ConnectionDetails,
    surroundings: OpenSurroundings,
  ) {
    this.record = record;
    this.plugin = plugin;
    this.details = details;
    this.#in = surroundings;
    const { username_template: template } = details;
    this.ownTemplate = typeof template === "string" && template !== "" ? template : undefined;
    const settings = settingsOf(details);
    this.#server = plugin.open(settings);
    this.place = plugin.targetOf(settings).place;
  }

  /** Random characters that names which we give end in. */
  get randomLength(): number {
    return this.plugin.usernameParts(this.record.pluginName).random;
  }

  /** A name for a user's account: `v-`, as much of theirs as there is room for, and what it ends in. */
  usernameFor(user: string, end: string): string {
    const { user: length } = this.plugin.usernameParts(this.record.pluginName);
    return `v-${cleanName(user).slice(0, length)}${end}`;
  }

  /** A password as it stands in statements: no less a secret, as it may be the password itself. */
  async passwordInSql(password: string): Promise<string> {
    return await this.plugin.passwordInSql(password, settingsOf(this.details));
  }

  /** Does something with it; it isn't closed meanwhile. */
  async hold<T>(work: () => Promise<T>): Promise<T> {
    this.#users++;
    try {
      return await work();
    } finally {
      this.#users--;
      if (this.#isLetGo && this.#users === 0) void this.#close();
    }
  }

  /** Closes it as soon as nobody uses it. */
  letGo(): void {
    this.#isLetGo = true;
    if (this.#users === 0) void this.#close();
  }

  /** Closes it now. */
  async close(): Promise<void> {
    this.#isLetGo = true;
    await this.#close();
  }

  /**
   * Asks something of the server; what it says when it fails has no secret in it.
   *
   * @param secrets That the work hands to the server.
   * @throws {VaultError} `upstream_failed`; its `data.isCertain` tells whether the server does nothing more of it.
   */
  async ask<T>(
    operation: DatabaseOperation,
    secrets: readonly string[],
    work: (server: DatabaseServer) => Promise<T>,
  ): Promise<T> {
    const startedAt = this.#in.clock.monotonic();
    let isOk = false;
    try {
      const answer = await work(this.#server);
      isOk = true;
      return answer;
    } catch (error) {
      const data = { isCertain: this.plugin.isCertain(error) };
      throw new VaultError("upstream_failed", saidBy(this.plugin, error, this.details, secrets), { data });
    } finally {
      const { pluginName, name: connection } = this.record;
      const seconds = (this.#in.clock.monotonic() - startedAt) / 1000;
      this.#in.observe({ pluginName, connection, operation, isOk, seconds });
    }
  }

  #close(): Promise<void> {
    return this.#closing ??= this.#server.close().catch((error: unknown) => {
      this.#in.notClosed(this.record.name, saidBy(this.plugin, error, this.details, []));
    });
  }
}

/** What a driver's error says, without the secrets in it. */
export function saidBy(
  plugin: DatabasePlugin,
  error: unknown,
  details: ConnectionDetails,
  secrets: readonly string[],
): string {
  return hideSecrets(plugin.messageOf(error), [...secrets, ...secretsOf(plugin, details)]);
}

/** Every value that may not be said. */
function secretsOf(plugin: DatabasePlugin, details: ConnectionDetails): string[] {
  const { password, tls_certificate_key: key } = details;
  const { url } = settingsOf(details);
  const all = [password, key, plugin.targetOf(settingsOf(details)).password, ...plugin.passwordsIn(url)];
  return all.filter((one): one is string => typeof one === "string" && one !== "");
}
