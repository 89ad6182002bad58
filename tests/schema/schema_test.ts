/**
 * Every released schema is opened by today's program, and all that was in it goes on working.
 *
 * @module
 */

import { equal, ok } from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { SCHEMA_VERSION } from "../../vault/storage/migrations.ts";
import { assertFilled, assertTokensLive } from "../filled_vault.ts";
import { ServedApi } from "../identity/_served.ts";
import { temporaryFolder } from "../started_server.ts";
import { putTogether, type StoredFolder } from "./_stored.ts";

const HERE = new URL("./", import.meta.url);

async function readStored(version: number): Promise<StoredFolder> {
  return JSON.parse(await Deno.readTextFile(new URL(`${version}.json`, HERE))) as StoredFolder;
}

for (let version = 1; version <= SCHEMA_VERSION; version++) {
  Deno.test(`a store of schema ${version} is brought to today's at the start, and everything in it works`, async () => {
    const stored = await readStored(version);
    equal(stored.schema, version);
    await using folder = await temporaryFolder();
    await putTogether(stored, folder.path);
    await using api = await ServedApi.start({ dataDir: folder.path });
    await assertTokensLive(api, stored.facts);
    await assertFilled(api, stored.facts);
    using db = new DatabaseSync(`${folder.path}/runevault.db`, { readOnly: true });
    equal(db.prepare("PRAGMA user_version").get()!["user_version"], SCHEMA_VERSION);
  });
}

Deno.test("what is kept of an old schema is its own tables, not today's", async () => {
  const { tables } = await readStored(1);
  ok(tables.every((sql) => /^CREATE TABLE (records|change_sequence)\b/.test(sql)), tables.join("\n"));
});
