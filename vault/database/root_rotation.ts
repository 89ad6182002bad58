/**
 * The password of a connection's own account, changed to one that nobody but the vault knows.
 *
 * @module
 */

import { asVaultError, VaultError } from "../errors.ts";
import type { DatabaseConnectionRecord } from "../storage/database_records.ts";
import { type ConnectionDetails, settingsOf } from "./connection_details.ts";
import type { ConnectionRecords } from "./connection_records.ts";
import type { OpenConnection } from "./open_connection.ts";
import { filled } from "./statements.ts";

/** Rotates, and finds out how a rotation ended that nobody saw the end of. */
export class RootRotation {
  readonly #records: ConnectionRecords;

  constructor(records: ConnectionRecords) {
    this.#records = records;
  }

  /**
   * Sets a password. What is to be is on disk before it is, so that the vault finds its way in after a crash at any point.
   *
   * @throws {VaultError} `upstream_failed`, `invalid_argument`.
   */
  async rotate(open: OpenConnection, password: string): Promise<void> {
    const { record, plugin } = open;
    const username = rotatable(open);
    const inSql = await open.passwordInSql(password);
    const sealedPending = this.#records.sealPending(record, password);
    await this.#records.update(record, (present) => ({ ...present, sealedPending }));
    const given = record.rootRotationStatements;
    const statements = filled(given.length > 0 ? given : plugin.passwordRotation, { username, password: inSql });
    try {
      await open.ask("rotate_root", [password, inSql], (server) => server.run(statements));
    } catch (error) {
      // It may have been done all the same, where the connection was lost before the answer.
      if (await this.settle(this.#records.existing(record.mountAccessor, record.name)) === password) return;
      throw new VaultError("upstream_failed", `failed to update user: ${asVaultError(error).message}`);
    }
    await this.#promote(record, password);
  }

  /**
   * After a rotation that ended nobody knows how: the password that the server takes is the password.
   *
   * @returns It; undefined where the server takes neither, or can't be asked.
   */
  async settle(record: DatabaseConnectionRecord): Promise<string | undefined> {
    const pending = this.#records.pendingOf(record);
    const details = this.#records.detailsOf(record);
    if (pending === undefined) return String(details["password"]);
    if (await this.#letsIn(record, { ...details, password: pending })) {
      await this.#promote(record, pending);
      return pending;
    }
    if (!await this.#letsIn(record, details)) return undefined;
    await this.#records.update(record, ({ sealedPending: _, ...kept }) => kept);
    return String(details["password"]);
  }

  async #letsIn(record: DatabaseConnectionRecord, details: ConnectionDetails): Promise<boolean> {
    const server = this.#records.pluginOf(record.pluginName).open(settingsOf(details));
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

  #promote(record: DatabaseConnectionRecord, password: string): Promise<void> {
    return this.#records.update(record, ({ sealedPending: _, ...present }) => ({
      ...present,
      sealed: this.#records.sealDetails(present, { ...this.#records.detailsOf(present), password }),
    }));
  }
}

/** The name of the connection's own account, where its password can be changed. */
function rotatable({ details, plugin }: OpenConnection): string {
  const { username, password, connection_url: url } = details;
  if (!username) {
    throw new VaultError("upstream_failed", "unable to rotate root credentials: no username in configuration");
  }
  if (!password) {
    throw new VaultError("upstream_failed", "unable to rotate root credentials: no password in configuration");
  }
  if (plugin.passwordsIn(String(url)).length > 0) {
    throw new VaultError("invalid_argument", "the password stands in connection_url, so a new one would lock us out", {
      hint: "write {{password}} in its place",
    });
  }
  return String(username);
}
