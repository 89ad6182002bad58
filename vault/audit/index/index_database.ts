/**
 * The index of the trail: where each entry's line stands, by who, when and what. It holds nothing that the files don't, and
 * is made anew where it is missing or damaged.
 *
 * @module
 */

import { DatabaseSync, type StatementSync } from "node:sqlite";
import type { ScannedEntry } from "./entry_scan.ts";

/** Raised when the tables change: an index of another version is made anew. */
const VERSION = 2;

const TABLES = `
  CREATE TABLE holders (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE);
  CREATE TABLE users (name TEXT NOT NULL, who INTEGER NOT NULL, PRIMARY KEY (name, who)) WITHOUT ROWID;
  CREATE TABLE operations (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE);
  CREATE TABLE words (word TEXT NOT NULL, operation INTEGER NOT NULL, PRIMARY KEY (word, operation)) WITHOUT ROWID;
  CREATE TABLE files (first INTEGER PRIMARY KEY, bytes INTEGER NOT NULL);
  CREATE TABLE entries (
    seq INTEGER PRIMARY KEY, time INTEGER NOT NULL, who INTEGER NOT NULL, operation INTEGER NOT NULL,
    file INTEGER NOT NULL, at INTEGER NOT NULL, length INTEGER NOT NULL);
  PRAGMA user_version = ${VERSION};`;
/** What a question filters by stands in them too, so that only the rows that are wanted are looked up. */
const INDEXES = `
  CREATE INDEX IF NOT EXISTS by_who ON entries (who, seq, operation, time);
  CREATE INDEX IF NOT EXISTS by_operation ON entries (operation, seq, time);`;

/** Entries that nobody in particular caused. */
const NOBODY = "";
/**
 * With more than that the entries in their order are the shorter way: a word of many operations is a common one. Nor may a
 * statement have more than 500 parts.
 */
const MOST_SEARCHES = { who: 100, operation: 16 } as const;

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

/** Rows of which a column is one of these. */
interface Among {
  readonly column: "who" | "operation";
  readonly ids: readonly number[];
}

/** An entry with the place of its line in its file. */
export interface PlacedEntry extends ScannedEntry {
  readonly at: number;
  readonly length: number;
}

/** The index file. */
export class IndexDatabase {
  readonly #db: DatabaseSync;
  readonly #ids = new Map<string, number>();
  readonly #statements: Readonly<Record<keyof typeof STATEMENTS, StatementSync>>;

  /** Opens it; one that can't be read is made anew. */
  constructor(path: string) {
    this.#db = openOrMake(path);
    const prepared = Object.entries(STATEMENTS).map(([name, sql]) => [name, this.#db.prepare(sql)]);
    this.#statements = Object.fromEntries(prepared);
  }

  /** How many bytes of a file are indexed. */
  indexedBytes(first: number): number {
    return (this.#statements.bytesOf.get(first)?.["bytes"] ?? 0) as number;
  }

  /** Does something in one transaction, all or nothing. */
  together<T>(work: () => T): T {
    this.#db.exec("BEGIN");
    try {
      const result = work();
      this.#db.exec("COMMIT");
      return result;
    } catch (error) {
      if (this.#db.isTransaction) this.#db.exec("ROLLBACK");
      this.#ids.clear();
      throw error;
    }
  }

  /** Adds entries of a file and notes how far it is read; within {@link together}. */
  add(file: number, entries: readonly PlacedEntry[], bytes: number): void {
    const { insert, insertMany, setBytes } = this.#statements;
    const values: number[] = [];
    for (const { seq, time, operation, user, entityId, at, length } of entries) {
      const who = this.#holder(entityId ?? user ?? NOBODY);
      values.push(seq, Date.parse(time), who, this.#operation(operation), file, at, length);
      if (user !== undefined) this.#noteUser(user, who);
      if (values.length === COLUMNS * ROWS_AT_ONCE) insertMany.run(...values.splice(0));
    }
    for (let row = 0; row < values.length; row += COLUMNS) insert.run(...values.slice(row, row + COLUMNS));
    setBytes.run(file, bytes);
  }

  /** Forgets entries whose files are gone. */
  forgetBefore(sequence: number): void {
    this.#db.prepare("DELETE FROM entries WHERE seq < ?").run(sequence);
    this.#db.prepare("DELETE FROM files WHERE first < ?").run(sequence);
  }

  /** Makes queries fast: after the entries of a new index, which that would slow down. */
  finish(): void {
    this.#db.exec(INDEXES);
  }

  /** Where the entries that are asked for stand, in their order. */
  find(query: IndexQuery): LinePlace[] {
    const { sql, values } = this.#search(query);
    const places = this.#db.prepare(sql).all(...values) as unknown as LinePlace[];
    return query.isNewest ? places.reverse() : places;
  }

  close(): void {
    this.#db.close();
  }

  /** A search for each user or operation, each in the order of an index, and of their answers the first ones. */
  #search(query: IndexQuery): { sql: string; values: number[] } {
    const order = query.isNewest ? "DESC" : "ASC";
    const { lead, filters } = this.#leads(query);
    const { where, values } = conditionsOf(query, filters);
    const ends = `ORDER BY seq ${order} LIMIT ${query.limit}`;
    if (lead === undefined) {
      return { sql: `SELECT seq, file, at, length FROM entries NOT INDEXED WHERE ${where} ${ends}`, values };
    }
    const { column, ids } = lead;
    const arm = `SELECT seq FROM entries INDEXED BY by_${column} WHERE ${column} = ? AND ${where} ${ends}`;
    const arms = ids.map(() => `SELECT seq FROM (${arm})`).join(" UNION ");
    const among = arms === "" ? "NULL" : arms;
    return {
      sql: `SELECT seq, file, at, length FROM entries WHERE seq IN (${among}) ${ends}`,
      values: ids.flatMap((id) => [id, ...values]),
    };
  }

  /** By what to search, and what to filter by besides. */
  #leads({ user, entityId, operation }: IndexQuery): { lead: Among | undefined; filters: Among[] } {
    const among: Among[] = [];
    if (user !== undefined) among.push({ column: "who", ids: this.#whoIs(user) });
    else if (entityId !== undefined) among.push({ column: "who", ids: this.#holdersOf(entityId) });
    if (operation !== undefined) among.push({ column: "operation", ids: this.#operationsOf(operation) });
    const lead = among.find(({ column, ids }) => ids.length <= MOST_SEARCHES[column]);
    return { lead, filters: among.filter((one) => one !== lead) };
  }

  /** Everybody whom a name ever meant, or one entity by its id. */
  #whoIs(user: string): number[] {
    const named = this.#db.prepare("SELECT who AS id FROM users WHERE name = ?").all(user) as { id: number }[];
    return [...new Set([...named.map(({ id }) => id), ...this.#holdersOf(user)])];
  }

  #holdersOf(text: string): number[] {
    return (this.#statements.holder.all(text) as { id: number }[]).map(({ id }) => id);
  }

  #operationsOf(wanted: string): number[] {
    const found = this.#db.prepare("SELECT operation AS id FROM words WHERE word = ?").all(wanted) as { id: number }[];
    return found.map(({ id }) => id);
  }

  #noteUser(name: string, who: number): void {
    const key = `user ${who} ${name}`;
    if (this.#ids.has(key)) return;
    this.#statements.insertUser.run(name, who);
    this.#remember(key, who);
  }

  #holder(text: string): number {
    return this.#idOf(`holder ${text}`, text, this.#statements.holder, this.#statements.insertHolder);
  }

  #operation(text: string): number {
    const { operation, insertOperation, insertWord } = this.#statements;
    return this.#idOf(`operation ${text}`, text, operation, insertOperation, (id) => {
      for (const word of new Set([text, ...text.split(" ")])) insertWord.run(word, id);
    });
  }

  #idOf(
    key: string,
    text: string,
    select: StatementSync,
    insert: StatementSync,
    onNew: (id: number) => void = () => {},
  ): number {
    const known = this.#ids.get(key);
    if (known !== undefined) return known;
    const isNew = insert.run(text).changes > 0;
    const id = select.get(text)!["id"] as number;
    if (isNew) onNew(id);
    this.#remember(key, id);
    return id;
  }

  #remember(key: string, id: number): void {
    if (this.#ids.size >= MAX_REMEMBERED) this.#ids.clear();
    this.#ids.set(key, id);
  }
}

const COLUMNS = 7;
/** Running a statement costs more than a row of it. */
const ROWS_AT_ONCE = 64;
const ROW = `(${Array(COLUMNS).fill("?").join(",")})`;

const STATEMENTS = {
  insert: `INSERT OR REPLACE INTO entries VALUES ${ROW}`,
  insertMany: `INSERT OR REPLACE INTO entries VALUES ${Array(ROWS_AT_ONCE).fill(ROW).join(",")}`,
  holder: "SELECT id FROM holders WHERE text = ?",
  insertHolder: "INSERT OR IGNORE INTO holders (text) VALUES (?)",
  operation: "SELECT id FROM operations WHERE text = ?",
  insertOperation: "INSERT OR IGNORE INTO operations (text) VALUES (?)",
  insertWord: "INSERT OR IGNORE INTO words VALUES (?, ?)",
  insertUser: "INSERT OR IGNORE INTO users VALUES (?, ?)",
  bytesOf: "SELECT bytes FROM files WHERE first = ?",
  setBytes: "INSERT INTO files VALUES (?1, ?2) ON CONFLICT DO UPDATE SET bytes = ?2",
} as const;

const MAX_REMEMBERED = 200_000;

function conditionsOf({ since, until, after }: IndexQuery, filters: readonly Among[]) {
  const terms = ["seq > ?"];
  const values = [after ?? 0];
  if (since !== undefined && terms.push("time >= ?")) values.push(since);
  if (until !== undefined && terms.push("time < ?")) values.push(until);
  for (const { column, ids } of filters) {
    terms.push(`${column} IN (${ids.map(() => "?").join(",")})`);
    values.push(...ids);
  }
  return { where: terms.join(" AND "), values };
}

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
