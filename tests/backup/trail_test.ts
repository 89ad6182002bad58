/**
 * The audit trail in a backup: the file that is written and those that rotation moved away, whole and as they were.
 *
 * @module
 */

import { deepEqual, equal, match, ok } from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { lineParts } from "../../vault/audit/entry.ts";
import { generateX25519Identity, identityToRecipient } from "age-encryption";
import { trailFiles } from "../../vault/audit/trail_files.ts";
import { encryptBackup, restoreBackup } from "../../server/backup/mod.ts";
import { type PartSink, readArchive, writeArchive } from "../../server/backup/archive.ts";
import { readExtent } from "../../server/backup/collected.ts";
import { type SnapshotSources, takeSnapshot } from "../../server/backup/snapshot.ts";
import { holdTrail, releaseAll } from "../../server/backup/trail_parts.ts";
import { systemClock } from "../../server/clock.ts";
import { AdminHttp, eventually, VaultClient } from "../clients.ts";
import { StartedServer, temporaryFolder } from "../started_server.ts";
import { must, type Place } from "./_backup.ts";

const IDENTITY = await generateX25519Identity();

/** Names of the files beside `audit.log`, oldest first. */
async function trailNames(path: string): Promise<string[]> {
  return (await trailFiles(path)).map((file) => file.path.slice(path.lastIndexOf("/") + 1));
}

/** A vault whose trail has another name and place, and was rotated by logrotate and by itself. */
async function rotated(place: Place): Promise<{ server: StartedServer; trail: string }> {
  await Deno.mkdir(`${place.path}/logs`, { mode: 0o700 });
  const trail = `${place.path}/logs/trail.log`;
  const args = ["--audit-file", trail, "--audit-max-mb", "1", "--audit-compress", "gzip"];
  const server = await StartedServer.start({ dataDir: `${place.path}/data`, args });
  using admin = AdminHttp.of(server);
  const token = await admin.issue("alice");
  await Deno.rename(trail, `${trail}.1`);
  server.signal("SIGHUP");
  await eventually("a new file", () => Deno.stat(trail).then(() => true, () => false));
  using vault = VaultClient.of(server);
  for (let i = 0; i < 60; i++) await Promise.all(Array.from({ length: 100 }, () => vault.manifest(token)));
  await eventually("a packed file", async () => (await trailNames(trail)).some((name) => name.endsWith(".log.gz")));
  return { server, trail };
}

function sourcesOf(dataDir: string, auditFile: string): SnapshotSources {
  return {
    dataDir,
    sealKeyFile: `${dataDir}/seal.key`,
    rolesFile: `${dataDir}/vault-roles.yml`,
    tokensFile: `${dataDir}/vault-tokens.yml`,
    auditFile,
    configPath: null,
    clock: systemClock,
  };
}

/** What `audit verify` says of a folder's trail, with the first key of the vault that wrote it. */
async function verified(dataDir: string, key: string): Promise<string> {
  return (await must(dataDir, ["audit", "verify", "--key", key])).stdout;
}

Deno.test("former audit files come back as they were, and the trail verifies from its first entry on", async () => {
  await using place = await temporaryFolder();
  const { server, trail } = await rotated(place);
  await using _ = server;
  const other = `${place.path}/other`;
  await must(server.dataDir, ["backup", `${place.path}/vault.age`]);
  const here = await trailFiles(trail);
  await must(other, ["restore", `${place.path}/vault.age`]);
  const there = await trailFiles(`${other}/audit.log`);
  deepEqual(
    there.map(({ path }) => path.slice(other.length + 1)),
    here.map(({ path }) => path.slice(trail.length - "trail.log".length).replace("trail", "audit")),
  );
  ok(there.length >= 3, "one of logrotate's, one of our own, and the present one");
  for (const [i, { path }] of there.slice(0, -1).entries()) {
    deepEqual(await Deno.readFile(path), await Deno.readFile(here[i]!.path), path);
    equal((await Deno.stat(path)).mode! & 0o777, 0o600);
  }
  const report = await verified(other, `${server.dataDir}/audit.k0`);
  match(report, /^Result: +whole$/m);
  ok(!/anything about entries/.test(report), report);
});

Deno.test("--no-former-audit leaves them out, and says so", async () => {
  await using place = await temporaryFolder();
  const { server, trail } = await rotated(place);
  await using _ = server;
  await Deno.rename(trail, `${trail}.2`);
  server.signal("SIGHUP");
  await eventually("a new file", () => Deno.stat(trail).then(() => true, () => false));
  using admin = AdminHttp.of(server);
  await admin.issue("bob");
  const former = (await trailNames(trail)).length - 1;
  const taken = await must(server.dataDir, ["backup", `${place.path}/vault.age`, "--no-former-audit"]);
  match(taken.stderr, new RegExp(`left out: ${former} former audit files`));
  await must(`${place.path}/other`, ["restore", `${place.path}/vault.age`]);
  deepEqual(await trailNames(`${place.path}/other/audit.log`), ["audit.log"]);
  match(await verified(`${place.path}/other`, `${server.dataDir}/audit.k0`), /anything about entries 1 to [0-9]+/);
});

Deno.test("--no-former-audit takes the newest former file where the present one has just been begun", async () => {
  await using place = await temporaryFolder();
  const { server, trail } = await rotated(place);
  using admin = AdminHttp.of(server);
  await admin.issue("bob");
  await server.stop();
  if ((await Deno.stat(trail)).size > 0) await Deno.rename(trail, `${trail}.2`);
  await Deno.writeFile(trail, new Uint8Array(), { mode: 0o600 });
  const names = await trailNames(trail);
  const snapshot = await takeSnapshot(sourcesOf(server.dataDir, trail), { formerAudit: false });
  const taken = snapshot.parts.map(({ path }) => path).filter((path) => path.startsWith("audit"));
  deepEqual(taken, names.slice(-2).map((name) => name.replace("trail", "audit")));
  deepEqual(snapshot.leftOut, [`${names.length - 2} former audit files`]);
  await snapshot[Symbol.asyncDispose]();
});

Deno.test("what rotation moves or removes while a backup is made is in it all the same", async () => {
  await using place = await temporaryFolder();
  const { server, trail } = await rotated(place);
  await server.stop();
  const names = await trailNames(trail);
  const snapshot = await takeSnapshot(sourcesOf(server.dataDir, trail), { formerAudit: true });
  await Deno.remove(`${place.path}/logs`, { recursive: true });
  const parts: string[] = [];
  const sink: PartSink = { write: () => Promise.resolve(), close: () => Promise.resolve() };
  const open = ({ path }: { path: string }) => Promise.resolve((parts.push(path), sink));
  await readArchive(writeArchive(snapshot), { begin: () => {}, open });
  deepEqual(parts.filter((path) => path.startsWith("audit")), names.map((name) => name.replace("trail", "audit")));
  await snapshot[Symbol.asyncDispose]();
  const left = (await Array.fromAsync(Deno.readDir(server.dataDir))).filter(({ name }) => name.startsWith(".backup-"));
  deepEqual(left, []);
});

Deno.test({
  name: "a trail on another disk than the data is held open, and let go of again",
  ignore: !await isOtherDisk("/dev/shm"),
  async fn() {
    await using place = await temporaryFolder();
    const logs = await Deno.makeTempDir({ dir: "/dev/shm" });
    await Deno.writeTextFile(`${logs}/trail.log`, "the present one\n");
    await Deno.writeTextFile(`${logs}/trail.log.1`, "the one before\n");
    const held = await holdTrail(`${logs}/trail.log`, place.path, true);
    await Deno.remove(logs, { recursive: true });
    const texts: Record<string, string> = {};
    for (const { part, source } of held) {
      ok(typeof source !== "string", part);
      const chunks = await Array.fromAsync(readExtent(source, (await source.stat()).size));
      texts[part] = chunks.map((chunk) => new TextDecoder().decode(chunk)).join("");
    }
    deepEqual(texts, { "audit.log": "the present one\n", "audit.log.1": "the one before\n" });
    await releaseAll(held);
  },
});

Deno.test("a trail that is a link to somewhere else, and rotated there or here, is in a backup whole", async () => {
  await using place = await temporaryFolder();
  const [data, logs] = [`${place.path}/data`, `${place.path}/logs`];
  for (const folder of [data, logs]) await Deno.mkdir(folder, { mode: 0o700 });
  await Deno.writeTextFile(`${logs}/real.log`, "", { mode: 0o600 });
  await Deno.symlink("../logs/real.log", `${data}/audit.log`);
  const server = await StartedServer.start({ dataDir: data });
  await using _ = server;
  using admin = AdminHttp.of(server);
  await admin.issue("alice");
  await Deno.rename(`${data}/audit.log`, `${data}/audit.log.1`);
  server.signal("SIGHUP");
  await eventually("a new file", () => Deno.stat(`${data}/audit.log`).then(() => true, () => false));
  await admin.issue("bob");
  deepEqual(await trailNames(`${data}/audit.log`), ["audit.log.1", "audit.log"]);
  await must(data, ["backup", `${place.path}/vault.age`]);
  await must(`${place.path}/other`, ["restore", `${place.path}/vault.age`]);
  deepEqual(await Deno.readFile(`${place.path}/other/audit.log.1`), await Deno.readFile(`${logs}/real.log`));
  match(await verified(`${place.path}/other`, `${data}/audit.k0`), /^Result: +whole$/m);
});

Deno.test({
  name: "more files on another disk than there are descriptors for are let go of again",
  ignore: !await isOtherDisk("/dev/shm"),
  async fn() {
    await using place = await temporaryFolder();
    const logs = await Deno.makeTempDir({ dir: "/dev/shm" });
    for (let i = 1; i <= 100; i++) await Deno.writeTextFile(`${logs}/trail.log.${i}`, "one\n");
    const room = new URL("../../server/backup/trail_parts.ts", import.meta.url).href;
    const script = `
      import { holdTrail } from ${JSON.stringify(room)};
      const open = () => [...Deno.readDirSync("/proc/self/fd")].length;
      const before = open();
      const reason = await holdTrail(${JSON.stringify(`${logs}/trail.log`)}, ${JSON.stringify(place.path)}, true)
        .then(() => "none", ({ message }) => message);
      console.log(JSON.stringify({ reason, left: open() - before }));`;
    const run = 'ulimit -n 80; exec "$0" eval "$1"';
    const { stdout, stderr } = await new Deno.Command("sh", { args: ["-c", run, Deno.execPath(), script] }).output();
    await Deno.remove(logs, { recursive: true });
    const text = new TextDecoder().decode(stdout);
    match(text, /"reason":"Too many open files/, new TextDecoder().decode(stderr));
    equal(JSON.parse(text).left, 0);
  },
});

async function isOtherDisk(path: string): Promise<boolean> {
  await using here = await temporaryFolder();
  const { dev } = await Deno.stat(here.path);
  return await Deno.stat(path).then((there) => there.dev !== dev, () => false);
}

Deno.test("S9: a trail that was just rotated away came with the backup too, and says nothing of what came after", async () => {
  await using place = await temporaryFolder();
  const [data, other] = [`${place.path}/data`, `${place.path}/other`];
  const server = await StartedServer.start({ dataDir: data });
  using admin = AdminHttp.of(server);
  await admin.issue("alice");
  await Deno.rename(`${data}/audit.log`, `${data}/audit.log-20261128`);
  server.signal("SIGHUP");
  await eventually("a new file", () => Deno.stat(`${data}/audit.log`).then(() => true, () => false));
  const snapshot = await takeSnapshot(sourcesOf(data, `${data}/audit.log`), { formerAudit: true });
  await server.stop();
  const sealed = await encryptBackup(writeArchive(snapshot), { recipients: [await identityToRecipient(IDENTITY)] });
  await Deno.writeFile(`${place.path}/vault.age`, sealed, { mode: 0o600 });
  await snapshot[Symbol.asyncDispose]();
  const identity = () => Promise.resolve({ identities: [IDENTITY] });
  await restoreBackup({ file: `${place.path}/vault.age`, dataDir: other, identity });
  equal((await Deno.stat(`${other}/audit.log`)).size, 0);
  const last = lineParts((await Deno.readTextFile(`${other}/audit.log-20261128`)).trimEnd().split("\n").at(-1)!).seq;
  using db = new DatabaseSync(`${other}/runevault.db`, { readOnly: true });
  const marked = db.prepare("SELECT value FROM records WHERE kind = 'meta' AND key = 'restored_trail'").get();
  deepEqual(JSON.parse(String(marked!["value"])), { value: last });
});
