/**
 * The vault's state in memory: what every request is answered from.
 *
 * It changes in one way only: {@link VaultState.apply}, with writes that the store has already committed, at start and
 * at each change alike. Nothing here decides anything; the rooms beside it do.
 *
 * @module
 */

import type { RecordKind, Records, RoleRecord, UserRecord, UserTokenRecord } from "./storage/records.ts";
import type { FheKeyRecord, FileRecord, SecretVersionRecord } from "./storage/records.ts";
import type { Store, Write } from "./storage/store.ts";
import { hashText, RowIndex } from "./rows/row_index.ts";
import { TokenRows, type UserToken } from "./rows/token_rows.ts";
import { UserList } from "./rows/user_list.ts";
import { type User, UserRows } from "./rows/user_rows.ts";
import { Windows } from "./tokens/windows.ts";
import { isTableKind, TABLE_KINDS, type TableKind, Tables, type Watcher } from "./tables.ts";

export type { User, UserToken };

/** The agent id of a token: the first 32 hex digits of its SHA-256. */
export function agentIdOf(tokenHash: string): string {
  return tokenHash.slice(0, 32);
}

/** Kinds that are read from the store when they are wanted. */
const NOT_IN_MEMORY: ReadonlySet<RecordKind> = new Set(["file_change", "audit_outbox", "audit_open", "audit_head"]);

/** Everything the vault knows, indexed for look-up. */
export class VaultState {
  /** Number of the last change applied. */
  sequence = 0;
  /** Every entity by its id, deleted ones included. */
  readonly users: UserRows = new UserRows();
  /** All users in the order of their creation; one that was deleted keeps its place. */
  readonly userList: UserList = new UserList(this.users);
  /** Users by case-folded name; more than one only where an old file had names that clash. */
  readonly #byFoldedName = new RowIndex((row) => hashText(foldName(this.users.nameOf(row))));
  /** Every token ever issued, live or dead, by agent id. */
  readonly tokens: TokenRows = new TokenRows(this.users);
  /** How often users called lately; only remembered while the process runs. */
  readonly windows: Windows = new Windows();
  /** Agent id of the replaced token that a user may still present until its grace ends (perhaps in the past). */
  readonly graceByUser = new Map<string, string>();
  readonly roles = new Map<string, RoleRecord>();
  readonly secrets = new Map<number, SecretVersionRecord>();
  /** Counts changes of {@link secrets}, so that what was derived from them can tell that it is old. */
  secretsStamp = 0;
  readonly fheKeys = new Map<string, FheKeyRecord>();
  readonly files = new Map<string, FileRecord>();
  readonly meta = new Map<string, string | number>();
  /** Users that there are, without deleted ones and without entities of the identity API. */
  userCount = 0;
  /** Tokens that are some user's current one. */
  liveTokenCount = 0;
  /** How many current tokens name each role. */
  readonly tokensByRole = new Map<string, number>();
  readonly #tables = new Tables();
  readonly #entityWatchers: Watcher<UserRecord>[] = [];

  constructor() {
    this.users.join(this.tokens);
  }

  /** Reads a whole store into memory. */
  static async load(store: Store): Promise<VaultState> {
    const state = new VaultState();
    const kinds = ["meta", "secret", "role", "user", "user_token", "fhe_key", "file", ...TABLE_KINDS] as const;
    for (const kind of kinds) {
      for await (const page of store.read(kind)) {
        for (const row of page) state.#put(kind, row.key, row.value);
      }
    }
    state.sequence = await store.sequence();
    return state;
  }

  /** The records of a kind by key, live. */
  table<K extends TableKind>(kind: K): ReadonlyMap<string, Records[K]> {
    return this.#tables.of(kind);
  }

  /** Tells `watcher` of every record of a kind that there is, and of every later change. */
  watch<K extends TableKind>(kind: K, watcher: Watcher<Records[K]>): void {
    this.#tables.watch(kind, watcher);
  }

  /** Tells `watcher` of every change of an entity from now on. */
  watchEntities(watcher: Watcher<UserRecord>): void {
    this.#entityWatchers.push(watcher);
  }

  /** Applies committed writes. */
  apply(writes: readonly Write[], sequence: number): void {
    for (const write of writes) {
      if (write.value === undefined) this.#delete(write.kind, write.key);
      else this.#put(write.kind, write.key, write.value);
    }
    this.sequence = sequence;
  }

  /** The user with exactly this name. */
  userByName(name: string): User | undefined {
    return this.usersByFoldedName(name).find((user) => user.record.name === name);
  }

  /** The replaced token of a user that nobody has ended yet; its grace may be over. */
  graceTokenOf(entityId: string): UserToken | undefined {
    const agentId = this.graceByUser.get(entityId);
    return agentId === undefined ? undefined : this.tokens.get(agentId);
  }

  /** The users whose names equal this one when case is ignored. */
  usersByFoldedName(name: string): readonly User[] {
    const folded = foldName(name);
    const rows = this.#byFoldedName.all(hashText(folded), (row) => foldName(this.users.nameOf(row)) === folded);
    // In the order of their making, as lists show them.
    return rows.map((row) => this.users.at(row)).sort((one, other) => one.index - other.index);
  }

  #put<K extends RecordKind>(kind: K, key: string, value: Records[K]): void {
    if (isTableKind(kind)) return this.#tables.set<TableKind>(kind, key, value as Records[TableKind]);
    switch (kind) {
      case "user":
        return this.#putUser(value as UserRecord);
      case "user_token":
        return this.#putToken(value as UserTokenRecord);
      case "role":
        this.roles.set(key, value as RoleRecord);
        return;
      case "secret":
        this.secrets.set(Number(key), value as SecretVersionRecord);
        this.secretsStamp++;
        return;
      case "fhe_key":
        this.fheKeys.set(key, value as FheKeyRecord);
        return;
      case "file":
        this.files.set(key, value as FileRecord);
        return;
      case "meta":
        this.meta.set(key, (value as Records["meta"]).value);
    }
  }

  #delete(kind: RecordKind, key: string): void {
    if (isTableKind(kind)) this.#tables.set(kind, key, undefined);
    else if (kind === "role") this.roles.delete(key);
    else if (kind === "meta") this.meta.delete(key);
    else if (kind === "file") this.files.delete(key);
    else if (!NOT_IN_MEMORY.has(kind)) throw new TypeError(`Records of kind ${kind} are never deleted`);
  }

  #putUser(record: UserRecord): void {
    const known = this.users.rowOf(record.entityId);
    const before = known < 0 ? undefined : this.users.record(known);
    const wasListed = before !== undefined && isListed(before);
    if (wasListed && (!isListed(record) || record.name !== before.name)) {
      this.#byFoldedName.remove(known, hashText(foldName(before.name)));
    }
    const row = this.users.put(record);
    if (isListed(record)) this.#listUser(row, wasListed && record.name === before!.name);
    else if (wasListed) this.userCount--;
    for (const watcher of this.#entityWatchers) watcher(record, before, record.entityId);
  }

  #listUser(row: number, isIndexed: boolean): void {
    if (!isIndexed) this.#byFoldedName.add(row);
    if (this.users.placeOf(row) >= 0) return;
    this.userList.add(row);
    this.userCount++;
  }

  #putToken(record: UserTokenRecord): void {
    const known = this.tokens.rowOf(agentIdOf(record.tokenHash));
    const wasCurrent = known >= 0 && this.users.currentTokenOf(this.tokens.ownerOf(known)) === known;
    if (wasCurrent) this.#count(this.tokens.roleOf(known), -1);
    const row = this.tokens.put(record);
    this.#noteGrace(agentIdOf(record.tokenHash), record);
    if (isCurrent(record)) this.#makeCurrent(row, record.role);
    else if (wasCurrent) this.users.setCurrentToken(this.tokens.ownerOf(row), -1);
  }

  #noteGrace(agentId: string, record: UserTokenRecord): void {
    const { entityId, graceUntil, ended } = record;
    if (graceUntil === undefined) return;
    const noted = this.graceByUser.get(entityId);
    if (ended !== undefined) {
      if (noted === agentId) this.graceByUser.delete(entityId);
      return;
    }
    // A store is read in the order of hashes: an older token whose grace is long over must not hide the newer one.
    const former = noted === undefined ? undefined : this.tokens.get(noted)?.record.graceUntil;
    if (former === undefined || former <= graceUntil) this.graceByUser.set(entityId, agentId);
  }

  #makeCurrent(row: number, role: string): void {
    const owner = this.tokens.ownerOf(row);
    const former = this.users.currentTokenOf(owner);
    if (former >= 0 && former !== row) this.#count(this.tokens.roleOf(former), -1);
    this.users.setCurrentToken(owner, row);
    this.#count(role, 1);
  }

  #count(role: string, by: number): void {
    this.liveTokenCount += by;
    this.tokensByRole.set(role, (this.tokensByRole.get(role) ?? 0) + by);
  }
}

/** Whether a token is its user's current one: neither ended nor replaced by a newer one that it outlives in grace. */
function isCurrent(record: UserTokenRecord): boolean {
  return record.ended === undefined && record.graceUntil === undefined;
}

/** Whether a record is a user of the vault, whose name is taken. */
function isListed({ isUser, deletedAt }: UserRecord): boolean {
  return isUser !== false && deletedAt === undefined;
}

function foldName(name: string): string {
  return name.toLowerCase();
}
