/**
 * Who has read the present passwords of static roles: what a cut-off can't take back (S16), and the next rotation does.
 *
 * @module
 */

import type { VaultState } from "../state.ts";
import type { DatabaseStaticRoleRecord } from "../storage/database_records.ts";
import type { Writer } from "../writer.ts";

/** A password that somebody knows. */
export interface KnownPassword {
  readonly mountAccessor: string;
  /** The static role's name. */
  readonly role: string;
  /** When they read it first, in milliseconds since 1970. */
  readonly since: number;
}

/** What it needs. */
export interface KnownPasswordSurroundings {
  readonly state: VaultState;
  readonly writer: Writer;
  readonly clock: { now(): number };
}

/** Keeps, for each static role, the entities that have read its present password. */
export class KnownPasswords {
  readonly #in: KnownPasswordSurroundings;

  constructor(surroundings: KnownPasswordSurroundings) {
    this.#in = surroundings;
  }

  /**
   * Notes that an entity is about to be told the password of a static role; durable when this resolves.
   *
   * @returns The role as it is then; undefined: there is none.
   * @throws {VaultError} `storage_failed`: then they must not be told.
   */
  async note(key: string, entityId: string): Promise<DatabaseStaticRoleRecord | undefined> {
    const { state, writer, clock } = this.#in;
    const present = () => state.table("database_static_role").get(key);
    const isToNote = (role = present()) => role?.sealed !== undefined && role.knownTo?.[entityId] === undefined;
    if (!isToNote()) return present();
    return await writer.change(() => {
      const role = present();
      if (role === undefined || !isToNote(role)) return { writes: [], result: () => role };
      const value = { ...role, knownTo: { ...role.knownTo, [entityId]: clock.now() } };
      return { writes: [{ kind: "database_static_role", key, value }], result: () => value };
    });
  }

  /** The passwords that an entity knows. */
  of(entityId: string): KnownPassword[] {
    return [...this.#in.state.table("database_static_role").values()].flatMap(({ mountAccessor, name, knownTo }) => {
      const since = knownTo?.[entityId];
      return since === undefined ? [] : [{ mountAccessor, role: name, since }];
    });
  }
}
