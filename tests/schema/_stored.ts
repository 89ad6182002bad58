/**
 * A data folder as an earlier version of the program left it, kept as text.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { DatabaseSync } from "node:sqlite";
import type { FilledFacts } from "../filled_vault.ts";

/** What `tests/schema/<version>.json` holds. */
export interface StoredFolder {
  /** The version of the program that wrote it. */
  readonly program: string;
  readonly schema: number;
  /** Base64. */
  readonly sealKey: string;
  /** The audit trail's next key, base64; absent of versions that had no trail. */
  readonly auditKey?: string;
  readonly facts: FilledFacts;
  /** `CREATE` statements, in order. */
  readonly tables: readonly string[];
  readonly rows: Readonly<Record<string, readonly (readonly (string | number | null)[])[]>>;
}

/** Takes a stopped vault's folder apart. */
export async function takeApart(dataDir: string, program: string, facts: FilledFacts): Promise<StoredFolder> {
  using db = new DatabaseSync(`${dataDir}/runevault.db`, { readOnly: true });
  const named = db.prepare("SELECT name, sql FROM sqlite_schema WHERE type = 'table' ORDER BY name").all();
  const rows = named.map(({ name }) => [String(name), rowsOf(db, String(name))] as const);
  return {
    program,
    schema: Number(db.prepare("PRAGMA user_version").get()!["user_version"]),
    sealKey: Buffer.from(await Deno.readFile(`${dataDir}/seal.key`)).toString("base64"),
    auditKey: Buffer.from(await Deno.readFile(`${dataDir}/audit.key`)).toString("base64"),
    facts,
    tables: named.map(({ sql }) => String(sql)),
    rows: Object.fromEntries(rows),
  };
}

function rowsOf(db: DatabaseSync, table: string) {
  return db.prepare(`SELECT * FROM ${table}`).all().map((row) => Object.values(row) as (string | number | null)[]);
}

/** Puts one together again in an empty folder. */
export async function putTogether(stored: StoredFolder, dataDir: string): Promise<void> {
  await Deno.writeFile(`${dataDir}/seal.key`, Buffer.from(stored.sealKey, "base64"), { mode: 0o600 });
  if (stored.auditKey !== undefined) {
    await Deno.writeFile(`${dataDir}/audit.key`, Buffer.from(stored.auditKey, "base64"), { mode: 0o600 });
  }
  using db = new DatabaseSync(`${dataDir}/runevault.db`);
  for (const sql of stored.tables) db.exec(sql);
  for (const [table, rows] of Object.entries(stored.rows)) {
    for (const row of rows) db.prepare(`INSERT INTO ${table} VALUES (${row.map(() => "?").join(",")})`).run(...row);
  }
  db.exec(`PRAGMA application_id = ${0x52566c74}; PRAGMA user_version = ${stored.schema}`);
  await Deno.chmod(`${dataDir}/runevault.db`, 0o600);
}
