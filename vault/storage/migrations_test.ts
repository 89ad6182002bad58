import { deepEqual, equal, throws } from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { migrate, type Migration, MIGRATIONS, pendingMigrations, SCHEMA_VERSION } from "./migrations.ts";
import { allRecords } from "./record_tables.ts";

const NEXT: Migration = { to: SCHEMA_VERSION + 1, what: "a note", sql: "CREATE TABLE note (text TEXT)" };

function pad(number: number): string {
  return String(number).padStart(16, "0");
}

function versionOf(db: DatabaseSync): unknown {
  return db.prepare("PRAGMA user_version").get()!["user_version"];
}

function tablesOf(db: DatabaseSync): unknown[] {
  return db.prepare("SELECT name FROM sqlite_schema ORDER BY name").all().map((row) => row["name"]);
}

/** A store of this version with one record. */
function stored(): DatabaseSync {
  const db = new DatabaseSync(":memory:");
  migrate(db, 0);
  db.exec(
    `INSERT INTO records (kind, key, value) VALUES ('meta', 'a', '{"value":1}'); UPDATE change_sequence SET sequence = 1`,
  );
  return db;
}

Deno.test("the steps count up by one, so that every version can be brought to every later one", () => {
  deepEqual(MIGRATIONS.map(({ to }) => to), MIGRATIONS.map((_step, i) => i + 1));
  deepEqual(pendingMigrations(SCHEMA_VERSION), []);
  deepEqual(pendingMigrations(0), MIGRATIONS);
});

Deno.test("a step leaves what is stored as it was and raises the version", () => {
  using db = stored();
  migrate(db, SCHEMA_VERSION, [...MIGRATIONS, NEXT]);
  equal(versionOf(db), SCHEMA_VERSION + 1);
  equal(tablesOf(db).includes("note"), true);
  equal(db.prepare("SELECT value FROM records").get()!["value"], '{"value":1}');
});

Deno.test("steps that fail halfway change nothing at all", () => {
  using db = stored();
  const before = tablesOf(db);
  const broken: Migration = { to: SCHEMA_VERSION + 2, what: "nonsense", sql: "CREATE TABLE more (a); SELECT nonsense" };
  throws(() => migrate(db, SCHEMA_VERSION, [...MIGRATIONS, NEXT, broken]), /nonsense/);
  equal(versionOf(db), SCHEMA_VERSION);
  deepEqual(tablesOf(db), before);
  equal(db.isTransaction, false);
});

Deno.test("a store that is up to date is not written to", () => {
  using db = stored();
  const changes = () => db.prepare("SELECT total_changes() AS n").get()!["n"];
  const before = changes();
  migrate(db, SCHEMA_VERSION);
  equal(changes(), before);
});

Deno.test("lines of the audit trail get a table of their own, as they were, and are found in stores of either kind", () => {
  using db = new DatabaseSync(":memory:");
  migrate(db, 0, MIGRATIONS.slice(0, 2));
  const rows = [["audit_head", "head", "{}", 1], ["audit_outbox", pad(9), '{"lines":"b"}', null]] as const;
  const more = [["audit_outbox", pad(10), '{"lines":"c"}', 12], ["audit_outbox", pad(2), '{"lines":"a"}', 11]] as const;
  for (const row of [...rows, ...more]) db.prepare("INSERT INTO records VALUES (?, ?, ?, ?)").run(...row);
  const all = () => db.prepare(`SELECT kind, key, value, checksum FROM ${allRecords(db)} ORDER BY kind, key`).all();
  const before = all();
  equal(before.length, 4);
  migrate(db, 2);
  deepEqual(all(), before);
  deepEqual(db.prepare("SELECT last, value, checksum FROM audit_outbox").all().map(Object.values), [
    [2, '{"lines":"a"}', 11],
    [9, '{"lines":"b"}', null],
    [10, '{"lines":"c"}', 12],
  ]);
  deepEqual(db.prepare("SELECT kind FROM records").all().map(Object.values), [["audit_head"]]);
});
