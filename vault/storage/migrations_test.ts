import { deepEqual, equal, throws } from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { migrate, type Migration, MIGRATIONS, pendingMigrations, SCHEMA_VERSION } from "./migrations.ts";

const NEXT: Migration = { to: SCHEMA_VERSION + 1, what: "a note", sql: "CREATE TABLE note (text TEXT)" };

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
