/**
 * `runevault upgrade --check`: tried on a copy, beside a vault that may be running.
 *
 * @module
 */

import { deepEqual, equal, match } from "node:assert/strict";
import { createHash } from "node:crypto";
import { DatabaseSync } from "node:sqlite";
import { SCHEMA_VERSION } from "../../vault/storage/migrations.ts";
import { cli } from "../clients.ts";
import { StartedServer, temporaryFolder } from "../started_server.ts";

async function digestsOf(folder: string): Promise<string[]> {
  const names = (await Array.fromAsync(Deno.readDir(folder))).filter(({ isFile }) => isFile).map(({ name }) => name);
  const digest = async (name: string) =>
    createHash("sha256").update(await Deno.readFile(`${folder}/${name}`)).digest("hex");
  return await Promise.all(names.sort().map(async (name) => `${name} ${await digest(name)}`));
}

Deno.test("a vault of today's schema can be served, running or stopped, and nothing of it changes", async () => {
  await using folder = await temporaryFolder();
  const server = await StartedServer.start({ dataDir: folder.path });
  const { code, stdout, stderr } = await cli(server, ["upgrade", "--check"]);
  equal(code, 0, stderr);
  match(stdout, /^Verdict: +this program can serve it/m);
  match(stdout, new RegExp(`^Schema: +${SCHEMA_VERSION}, today's$`, "m"));
  await server.stop();
  const before = await digestsOf(folder.path);
  equal((await cli({ dataDir: folder.path }, ["upgrade", "--check", "--json"])).code, 0);
  deepEqual((await digestsOf(folder.path)).filter((line) => !/-(wal|shm) /.test(line)), before);
});

Deno.test("a newer store is refused with what to do, by the check and by the start", async () => {
  await using folder = await temporaryFolder();
  await (await StartedServer.start({ dataDir: folder.path })).stop();
  {
    using db = new DatabaseSync(`${folder.path}/runevault.db`);
    db.exec(`PRAGMA user_version = ${SCHEMA_VERSION + 1}`);
  }
  const checked = await cli({ dataDir: folder.path }, ["upgrade", "--check"]);
  equal(checked.code, 78);
  match(checked.stderr, new RegExp(`has schema ${SCHEMA_VERSION + 1}; this runevault knows up to ${SCHEMA_VERSION}`));
  match(checked.stderr, /hint: start the newer runevault/);
  const refused = await StartedServer.refused({ dataDir: folder.path });
  equal(refused.code, 78);
  match(refused.log, /a store never goes back/);
});

Deno.test("without --check it says how an upgrade is made", async () => {
  const { code, stderr } = await cli({ dataDir: "/nowhere" }, ["upgrade"]);
  equal(code, 2);
  match(stderr, /the next start of `runevault serve`/);
});
