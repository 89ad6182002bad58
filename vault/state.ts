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
import { isTableKind, TABLE_KINDS, type TableKind, Tables, type Watcher } from "./tables.ts";
import type { SlidingWindow } from "./tokens/sliding_window.ts";

/** A user, or an entity of the identity API, with what is only remembered while the process runs. */
export interface User {
  record: UserRecord;
  /** Its place in {@link VaultState.userList}; -1 while it is an entity of the identity API alone. */
  index: number;
  /** The one user token that is current, if any; older ones may still live in their grace. */
  token: UserToken | null;
  window: SlidingWindow | null;
}

/** A user token with its owner. */
export interface UserToken {
  record: UserTokenRecord;
  readonly user: User;
}

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
  readonly users = new Map<string, User>();
  /** All users in the order of their creation; one that was deleted keeps its place. */
  readonly userList: User[] = [];
  /** Users by case-folded name; more than one only where an old file had names that clash. */
  readonly #usersByFoldedName = new Map<string, User | User[]>();
  /** Every token ever issued, live or dead, by agent id. */
  readonly tokens = new Map<string, UserToken>();
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

  /** Tells `watcher` of every entity that there is, and of every later change. */
  watchEntities(watcher: Watcher<UserRecord>): void {
    for (const { record } of this.users.values()) watcher(record, undefined, record.entityId);
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
    const found = this.#usersByFoldedName.get(foldName(name));
    return found === undefined ? [] : Array.isArray(found) ? found : [found];
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
    const user = this.users.get(record.entityId) ?? { record, index: -1, token: null, window: null };
    const before = this.users.has(record.entityId) ? user.record : undefined;
    user.record = record;
    this.users.set(record.entityId, user);
    if (isListed(record)) this.#listUser(user);
    else if (before !== undefined && isListed(before)) this.#forgetUser(user);
    for (const watcher of this.#entityWatchers) watcher(record, before, record.entityId);
  }

  #listUser(user: User): void {
    if (user.index >= 0) return;
    user.index = this.userList.push(user) - 1;
    this.userCount++;
    const folded = foldName(user.record.name);
    const others = this.usersByFoldedName(user.record.name);
    this.#usersByFoldedName.set(folded, others.length === 0 ? user : [...others, user]);
  }

  #forgetUser(user: User): void {
    this.userCount--;
    const others = this.usersByFoldedName(user.record.name).filter((other) => other !== user);
    if (others.length === 0) this.#usersByFoldedName.delete(foldName(user.record.name));
    else this.#usersByFoldedName.set(foldName(user.record.name), [...others]);
  }

  #putToken(record: UserTokenRecord): void {
    const agentId = agentIdOf(record.tokenHash);
    const known = this.tokens.get(agentId);
    const token = known ?? { record, user: this.users.get(record.entityId)! };
    if (token.user.token === token) this.#count(token.record.role, -1);
    token.record = record;
    this.tokens.set(agentId, token);
    this.#noteGrace(agentId, record);
    if (isCurrent(record)) this.#makeCurrent(token);
    else if (token.user.token === token) token.user.token = null;
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

  #makeCurrent(token: UserToken): void {
    const former = token.user.token;
    if (former !== null && former !== token) this.#count(former.record.role, -1);
    token.user.token = token;
    this.#count(token.record.role, 1);
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
export function isListed({ isUser, deletedAt }: UserRecord): boolean {
  return isUser !== false && deletedAt === undefined;
}

function foldName(name: string): string {
  return name.toLowerCase();
}
