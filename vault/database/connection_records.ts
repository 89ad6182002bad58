/**
 * Connections as they are stored: what operators wrote, with the details sealed.
 *
 * @module
 */

import { VaultError } from "../errors.ts";
import type { SealKey } from "../keys/seal_key.ts";
import { quoteName } from "../names.ts";
import type { VaultState } from "../state.ts";
import type { DatabaseConnectionRecord } from "../storage/database_records.ts";
import type { Write } from "../storage/store.ts";
import type { Writer } from "../writer.ts";
import type { ConnectionDetails } from "./connection_details.ts";
import type { DatabasePlugin } from "./ports.ts";

/** What the records need. */
export interface RecordSurroundings {
  readonly state: VaultState;
  readonly writer: Writer;
  readonly sealKey: SealKey;
  readonly plugins: readonly DatabasePlugin[];
}

/** Reads and writes connections. */
export class ConnectionRecords {
  readonly #in: RecordSurroundings;

  constructor(surroundings: RecordSurroundings) {
    this.#in = surroundings;
  }

  /** A connection by its name. */
  get(mountAccessor: string, name: string): DatabaseConnectionRecord | undefined {
    return this.#in.state.table("database_connection").get(connectionKey(mountAccessor, name));
  }

  /** A connection by its name; `upstream_failed` where there is none. */
  existing(mountAccessor: string, name: string): DatabaseConnectionRecord {
    const record = this.get(mountAccessor, name);
    if (record !== undefined) return record;
    throw new VaultError("upstream_failed", `failed to find entry for connection with name: ${quoteName(name)}`);
  }

  /** The connections of a mount, by name. */
  list(mountAccessor: string): DatabaseConnectionRecord[] {
    const all = [...this.#in.state.table("database_connection").values()];
    return all.filter((one) => one.mountAccessor === mountAccessor).sort((a, b) => a.name < b.name ? -1 : 1);
  }

  /** Writes one. */
  put(value: DatabaseConnectionRecord): Promise<void> {
    const key = connectionKey(value.mountAccessor, value.name);
    return this.#in.writer.change(() => ({
      writes: [{ kind: "database_connection", key, value }],
      result: () => {},
    }));
  }

  /** Changes one as it is in the writer's turn. */
  update(
    { mountAccessor, name }: DatabaseConnectionRecord,
    change: (record: DatabaseConnectionRecord) => DatabaseConnectionRecord,
  ): Promise<void> {
    const key = connectionKey(mountAccessor, name);
    return this.#in.writer.change(() => ({
      writes: [{ kind: "database_connection", key, value: change(this.existing(mountAccessor, name)) }],
      result: () => {},
    }));
  }

  /** Deletes one; absent: nothing. */
  delete(mountAccessor: string, name: string): Promise<void> {
    return this.#in.writer.change(() => ({ writes: [deletion(mountAccessor, name)], result: () => {} }));
  }

  /** The writes that take away all connections of a mount. */
  planEndOfMount(mountAccessor: string): Write[] {
    return this.list(mountAccessor).map(({ name }) => deletion(mountAccessor, name));
  }

  /** The kind of server by the name that clients know it by; `invalid_argument`. */
  pluginOf(name: string): DatabasePlugin {
    if (name === "") throw new VaultError("invalid_argument", "empty plugin name");
    const plugin = this.#in.plugins.find(({ names }) => names.includes(name));
    if (plugin !== undefined) return plugin;
    throw new VaultError(
      "invalid_argument",
      "error creating database object: invalid database version: 2 errors occurred:\n\t* plugin not found in the catalog: " +
        name.slice(0, 80),
      { hint: `plugins are ${this.#in.plugins.flatMap(({ names }) => names).join(", ")}` },
    );
  }

  /** The details of a connection, secrets and all. */
  detailsOf(record: DatabaseConnectionRecord): ConnectionDetails {
    return openDetails(record, this.#in.sealKey);
  }

  /** Details, sealed for a connection. */
  sealDetails(of: Pick<DatabaseConnectionRecord, "mountAccessor" | "name">, details: ConnectionDetails): string {
    return this.#seal(identityOf(of), JSON.stringify(details));
  }

  /** The password that a rotation under way is setting; undefined: there is no such rotation. */
  pendingOf(record: DatabaseConnectionRecord): string | undefined {
    const { sealedPending } = record;
    return sealedPending === undefined ? undefined : this.#opened(`${identityOf(record)}/pending`, sealedPending);
  }

  /** Such a password, sealed. */
  sealPending(of: Pick<DatabaseConnectionRecord, "mountAccessor" | "name">, password: string): string {
    return this.#seal(`${identityOf(of)}/pending`, password);
  }

  #seal(identity: string, text: string): string {
    return this.#in.sealKey.seal(identity, new TextEncoder().encode(text));
  }

  #opened(identity: string, sealed: string): string {
    return new TextDecoder().decode(this.#in.sealKey.open(identity, sealed));
  }
}

/** The details of a connection, secrets and all; `storage_failed` where they don't open. */
export function openDetails(record: DatabaseConnectionRecord, sealKey: SealKey): ConnectionDetails {
  return JSON.parse(new TextDecoder().decode(sealKey.open(identityOf(record), record.sealed)));
}

/** The key of a connection's record. */
export function connectionKey(mountAccessor: string, name: string): string {
  return `${mountAccessor}/${name}`;
}

function deletion(mountAccessor: string, name: string): Write {
  return { kind: "database_connection", key: connectionKey(mountAccessor, name) };
}

function identityOf({ mountAccessor, name }: Pick<DatabaseConnectionRecord, "mountAccessor" | "name">): string {
  return `database_connection/${connectionKey(mountAccessor, name)}`;
}
