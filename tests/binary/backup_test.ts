/**
 * Backup, restore, doctor and certificates of the compiled binary: threads and libraries that are inside of it.
 *
 * @module
 */

import { deepEqual, equal, match } from "node:assert/strict";
import type { BackupBody } from "../../admin/wire.ts";
import { type PartTaker, readArchive } from "../../server/backup/archive.ts";
import type { Finding } from "../../server/maintenance/mod.ts";
import { must, run, serve, startFilled } from "../backup/_backup.ts";
import { AdminHttp } from "../clients.ts";
import { assertFilled, assertTokensDead } from "../filled_vault.ts";
import { StartedServer, temporaryFolder } from "../started_server.ts";
import { binaryPath } from "./_binary.ts";

Deno.test("backup, destroy, restore, by the binary: refused, then accepted with every token dead", async () => {
  binaryPath();
  await using place = await temporaryFolder();
  const data = `${place.path}/data`;
  const { api, facts } = await startFilled(place);
  await must(data, ["keys", "generate", "--dim", "384"]);
  await must(data, ["backup", `${place.path}/vault.age`]);
  await api[Symbol.asyncDispose]();
  await Deno.remove(data, { recursive: true });
  await must(data, ["restore", "--check", `${place.path}/vault.age`]);
  await must(data, ["restore", `${place.path}/vault.age`]);
  equal((await StartedServer.refused({ dataDir: data })).code, 78);
  await using accepted = await serve(data, ["--accept-rollback"]);
  await assertTokensDead(accepted, facts);
  await assertFilled(accepted, facts);
});

Deno.test("doctor, upgrade --check and tls, by the binary", async () => {
  binaryPath();
  await using place = await temporaryFolder();
  const data = `${place.path}/data`;
  await must(data, ["tls", "ca", "--new"]);
  match((await must(data, ["tls", "show"])).stdout, /^CA: +RuneVault CA /m);
  await (await StartedServer.start({ dataDir: data })).stop();
  match((await must(data, ["upgrade", "--check"])).stdout, /^Verdict: +this program can serve it/m);
  const env = { RUNEVAULT_GRPC_ADDR: "off", RUNEVAULT_API_ADDR: "off", RUNEVAULT_ADMIN_ADDR: "off" };
  const { stdout, stderr } = await run(data, ["doctor", "--json"], { ...env, RUNEVAULT_METRICS_ADDR: "off" });
  const { findings } = JSON.parse(stdout) as { findings: Finding[] };
  deepEqual(findings.filter(({ level }) => level === "problem"), [], stderr);
});

/** Has each part's digest checked, and keeps none. */
const NOWHERE: PartTaker = {
  begin: () => {},
  open: () => Promise.resolve({ write: () => Promise.resolve(), close: () => Promise.resolve() }),
};

Deno.test("an archive of megabytes comes whole over the admin socket, each time", async () => {
  binaryPath();
  await using place = await temporaryFolder();
  const { api: served, facts } = await startFilled(place);
  await using api = served;
  const { server } = api;
  await must(server.dataDir, ["keys", "generate", "--dim", "1024"]);
  // On Deno 2.7.11 sockets that were paused mixed up what they read only once somebody had logged in.
  await assertFilled(api, facts);
  using admin = AdminHttp.of(server);
  using client = Deno.createHttpClient({ proxy: { transport: "unix", path: server.addresses.admin_socket! } });
  for (let i = 0; i < 12; i++) {
    const { id } = await admin.expect<BackupBody>("POST", "/backups", {});
    const request = { method: "POST", headers: { "content-type": "application/json" }, body: "{}" };
    const { body } = await fetch(`http://localhost/backups/${id}/fetch`, { ...request, client });
    await readArchive(body!, NOWHERE);
  }
});
