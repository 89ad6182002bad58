/**
 * A server whose driver is loaded when it is first asked something: most vaults never ask one, and a driver with its tables of
 * errors and character sets is a hundred modules.
 *
 * @module
 */

import type { DatabaseServer, EndedAccount } from "../vault/database/ports.ts";

/** Stands for a server until somebody asks it. */
export class LateServer implements DatabaseServer {
  readonly #open: () => Promise<DatabaseServer>;
  #opened: Promise<DatabaseServer> | undefined;

  /** @param open Loads the driver and gets ready; called again only where it failed. */
  constructor(open: () => Promise<DatabaseServer>) {
    this.#open = open;
  }

  async ping(): Promise<void> {
    await (await this.#server()).ping();
  }

  async run(statements: readonly string[]): Promise<void> {
    await (await this.#server()).run(statements);
  }

  async hasAccount(username: string): Promise<boolean | undefined> {
    return await (await this.#server()).hasAccount(username);
  }

  async accountsEnding(end: string): Promise<readonly string[] | undefined> {
    return await (await this.#server()).accountsEnding(end);
  }

  async end(username: string, statements: readonly string[]): Promise<EndedAccount> {
    return await (await this.#server()).end(username, statements);
  }

  async close(): Promise<void> {
    // Whoever asked one that couldn't be opened was told.
    const server = await this.#opened?.catch(() => undefined);
    await server?.close();
  }

  #server(): Promise<DatabaseServer> {
    if (this.#opened === undefined) {
      this.#opened = this.#open();
      this.#opened.catch(() => this.#opened = undefined);
    }
    return this.#opened;
  }
}
