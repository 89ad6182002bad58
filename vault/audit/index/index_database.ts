/**
 * The index of the trail: where each entry's line stands, by who, when and what. It holds nothing that the files don't, and
 * is made anew where it is missing or damaged.
 *
 * @module
 */

import { DatabaseSync, type StatementSync } from "node:sqlite";
import type { StoredEntry } from "../entry.ts";

/** Raised when the tables change: an index of another version is made anew. */
const VERSION = 1;

const TABLES = `
  CREATE TABLE names (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE);
  CREATE TABLE users (name TEXT NOT NULL, who INTEGER NOT NULL, PRIMARY KEY (name, who)) WITHOUT ROWID;
  CREATE TABLE files (first INTEGER PRIMARY KEY, bytes INTEGER NOT NULL);
  CREATE TABLE entries (
    seq INTEGER PRIMARY KEY, time INTEGER NOT NULL, who INTEGER NOT NULL, operation INTEGER NOT NULL,
    file INTEGER NOT NULL, at INTEGER NOT NULL, length INTEGER NOT NULL);
  PRAGMA user_version = ${VERSION};`;
const BY_WHO = "CREATE INDEX IF NOT EXISTS by_who ON entries (who, seq)";

/** Entries that nobody in particular caused. */
const NOBODY = "";

/** What is asked for. */
export interface IndexQuery {
  /** A user's name or entity id; absent: everybody. */
  readonly user?: string | undefined;
  /** An entity id alone: a name may have meant others. */
  readonly entityId?: string | undefined;
  /** Milliseconds since 1970, inclusive. */
  readonly since?: number | undefined;
  /** Milliseconds since 1970, exclusive. */
  readonly until?: number | undefined;
  /** An operation, or a word of it. */
  readonly operation?: string | undefined;
  /** After this entry. */
  readonly after?: number | undefined;
  /** So many at most; with {@link isNewest} the last ones. */
  readonly limit: number;
  readonly isNewest?: boolean | undefined;
}

/** Where a line stands. */
export interface LinePlace {
  readonly seq: number;
  /** Number of the first line of its file. */
  readonly file: number;
  readonly at: number;
  readonly length: number;
}

/** The index file. */
export class IndexDatabase {
  readonly #db: DatabaseSync;
  readonly #names = new Map<string, number>();
  readonly #insert: StatementSync;
  readonly #insertName: StatementSync;
  readonly #insertUser: StatementSync;
  readonly #setBytes: StatementSync;

  /** Opens it; one that can't be read is made anew. */
  constructor(path: string) {
    this.#db = openOrMake(path);
    this.#insert = this.#db.prepare("INSERT OR REPLACE INTO entries VALUES (?, ?, ?, ?, ?, ?, ?)");
    this.#insertName = this.#db.prepare("INSERT OR IGNORE INTO names (text) VALUES (?)");
    this.#insertUser = this.#db.prepare("INSERT OR IGNORE INTO users VALUES (?, ?)");
    this.#setBytes = this.#db.prepare("INSERT INTO files VALUES (?1, ?2) ON CONFLICT DO UPDATE SET bytes = ?2");
  }

  /** How many bytes of a file are indexed. */
  indexedBytes(first: number): number {
    return (this.#db.prepare("SELECT bytes FROM files WHERE first = ?").get(first)?.["bytes"] ?? 0) as number;
  }

  /** Adds entries of a file and notes how far it is read, all or nothing. */
  add(file: number, entries: readonly { entry: StoredEntry; at: number; length: number }[], bytes: number): void {
    this.#db.exec("BEGIN");
    try {
      for (const { entry, at, length } of entries) {
        const who = this.#id(entry.entity_id ?? entry.user ?? NOBODY);
        const operation = this.#id(entry.operation);
        this.#insert.run(entry.seq, Date.parse(entry.time), who, operation, file, at, length);
        if (entry.user !== undefined) this.#noteUser(entry.user, who);
      }
      this.#setBytes.run(file, bytes);
      this.#db.exec("COMMIT");
    } catch (error) {
      if (this.#db.isTransaction) this.#db.exec("ROLLBACK");
      this.#names.clear();
      throw error;
    }
  }

  /** Forgets entries whose files are gone. */
  forgetBefore(sequence: number): void {
    this.#db.prepare("DELETE FROM entries WHERE seq < ?").run(sequence);
    this.#db.prepare("DELETE FROM files WHERE first < ?").run(sequence);
  }

  /** Makes queries by user fast: after the entries of a new index, which it would slow down. */
  finish(): void {
    this.#db.exec(BY_WHO);
  }

  /** How many entries there are. */
  count(): number {
    return this.#db.prepare("SELECT count(*) AS n FROM entries").get()!["n"] as number;
  }

  /** Where the entries that are asked for stand, in their order. */
  find(query: IndexQuery): LinePlace[] {
    const { where, values } = this.#conditions(query);
    const order = query.isNewest ? "DESC" : "ASC";
    const sql = `SELECT seq, file, at, length FROM entries WHERE ${where} ORDER BY seq ${order} LIMIT ?`;
    const places = this.#db.prepare(sql).all(...values, query.limit) as unknown as LinePlace[];
    return query.isNewest ? places.reverse() : places;
  }

  close(): void {
    this.#db.close();
  }

  #conditions({ user, entityId, since, until, operation, after }: IndexQuery): { where: string; values: number[] } {
    const terms = ["seq > ?"];
    const values = [after ?? 0];
    const among = (column: string, ids: readonly number[]) => {
      terms.push(`${column} IN (${ids.map(() => "?").join(",")})`);
      values.push(...ids);
    };
    if (user !== undefined) among("who", this.#whoIs(user));
    if (entityId !== undefined) among("who", this.#idsOf("SELECT id FROM names WHERE text = ?", entityId));
    if (since !== undefined && terms.push("time >= ?")) values.push(since);
    if (until !== undefined && terms.push("time < ?")) values.push(until);
    if (operation !== undefined) among("operation", this.#operations(operation));
    return { where: terms.join(" AND "), values };
  }

  /** Everybody whom a name ever meant, or one entity by its id. */
  #whoIs(user: string): number[] {
    return [
      ...this.#idsOf("SELECT who AS id FROM users WHERE name = ?", user),
      ...this.#idsOf("SELECT id FROM names WHERE text = ?", user),
    ];
  }

  /** Names are few beside entries, and those that are no operations fit no question by chance. */
  #operations(wanted: string): number[] {
    const known = this.#db.prepare("SELECT id, text FROM names").all() as { id: number; text: string }[];
    return known.filter(({ text }) => text === wanted || text.split(" ").includes(wanted)).map(({ id }) => id);
  }

  #idsOf(sql: string, value: string): number[] {
    return (this.#db.prepare(sql).all(value) as { id: number }[]).map(({ id }) => id);
  }

  #noteUser(name: string, who: number): void {
    const key = `user ${who} ${name}`;
    if (this.#names.has(key)) return;
    this.#insertUser.run(name, who);
    this.#remember(key, who);
  }

  #id(text: string): number {
    const known = this.#names.get(text);
    if (known !== undefined) return known;
    this.#insertName.run(text);
    const id = this.#db.prepare("SELECT id FROM names WHERE text = ?").get(text)!["id"] as number;
    this.#remember(text, id);
    return id;
  }

  #remember(key: string, id: number): void {
    if (this.#names.size >= MAX_REMEMBERED) this.#names.clear();
    this.#names.set(key, id);
  }
}

const MAX_REMEMBERED = 200_000;

function openOrMake(path: string): DatabaseSync {
  try {
    return open(path);
  } catch {
    // It can be made anew from the files, so whatever is wrong with it is no loss.
    for (const suffix of ["", "-wal", "-shm"]) removeIfThere(`${path}${suffix}`);
    return open(path);
  }
}

function open(path: string): DatabaseSync {
  const db = new DatabaseSync(path);
  try {
    db.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cache_size = -65536");
    const version = db.prepare("PRAGMA user_version").get()!["user_version"];
    if (version === 0) db.exec(TABLES);
    else if (version !== VERSION) throw new TypeError("Another version");
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

function removeIfThere(path: string): void {
  try {
    Deno.removeSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
