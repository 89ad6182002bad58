/**
 * Restores that must fail, and leave nothing behind.
 *
 * @module
 */

import { deepEqual, equal, match, ok, rejects } from "node:assert/strict";
import { Buffer } from "node:buffer";
import { generateX25519Identity, identityToRecipient } from "age-encryption";
import { SealKey, VaultError } from "../../vault/mod.ts";
import { createTarPacker } from "modern-tar";
import { encryptBackup, restoreBackup } from "../../server/backup/mod.ts";
import { eventually } from "../clients.ts";
import { assertTokensLive } from "../filled_vault.ts";
import { programCommand, StartedServer, temporaryFolder } from "../started_server.ts";
import { must, PASSPHRASE, type Place, run, serve, startFilled, withPassphrase } from "./_backup.ts";

/** A filled vault's backup; the vault is stopped. */
async function backedUp(place: Place, args: readonly string[] = []) {
  const { api, facts } = await startFilled(place);
  await must(`${place.path}/data`, ["backup", ...args, `${place.path}/vault.age`]);
  await api[Symbol.asyncDispose]();
  return { file: `${place.path}/vault.age`, facts };
}

/** Faster than a passphrase, and none the weaker. */
const IDENTITY = await generateX25519Identity();
const RECIPIENT = await identityToRecipient(IDENTITY);

/** A restore that is refused with these words, and after which there is no data folder. */
async function assertRefused(place: Place, file: string, words: RegExp, identities = [IDENTITY]): Promise<void> {
  const dataDir = `${place.path}/target`;
  const identity = () => Promise.resolve({ identities });
  await rejects(restoreBackup({ file, dataDir, identity }), (error) => {
    ok(error instanceof VaultError, String(error));
    match(error.message, words);
    return true;
  });
  await rejects(Deno.lstat(dataDir), Deno.errors.NotFound);
}

async function damaged(place: Place, file: string, change: (bytes: Uint8Array) => Uint8Array): Promise<string> {
  const path = `${place.path}/damaged-${crypto.randomUUID()}.age`;
  await Deno.writeFile(path, change(await Deno.readFile(file)), { mode: 0o600 });
  return path;
}

Deno.test("a wrong key, a cut-off file, a changed byte, another file: each is refused and leaves nothing", async () => {
  await using place = await temporaryFolder();
  const { file } = await backedUp(place, ["--recipient", RECIPIENT]);
  await assertRefused(place, file, /doesn't open with this identity/, [await generateX25519Identity()]);
  const cut = (share: number) => damaged(place, file, (bytes) => bytes.subarray(0, bytes.length * share));
  for (const share of [0.001, 0.3, 0.9, 0.9999]) await assertRefused(place, await cut(share), /backup/);
  const flip = (at: number) =>
    damaged(place, file, (bytes) => bytes.with(Math.floor(bytes.length * at), bytes.at(bytes.length * at)! ^ 1));
  for (const at of [0.02, 0.5, 0.999]) await assertRefused(place, await flip(at), /backup/);
  const more = await damaged(place, file, (bytes) => Buffer.concat([bytes, Buffer.from("more")]));
  await assertRefused(place, more, /not a whole backup/);
  await Deno.writeTextFile(`${place.path}/text`, "this is no backup\n".repeat(100));
  await assertRefused(place, `${place.path}/text`, /is no backup/);
  await assertRefused(place, `${place.path}/nothing`, /can't be read/);
});

/** A backup that whoever knows the passphrase made by hand. */
async function forge(place: Place, entries: readonly [name: string, content: string][]): Promise<string> {
  const { readable, controller } = createTarPacker();
  (async () => {
    for (const [name, content] of entries) {
      const bytes = new TextEncoder().encode(content);
      const writer = controller.add({ name, size: bytes.length, type: "file" }).getWriter();
      await writer.write(bytes);
      await writer.close();
    }
    controller.finalize();
  })();
  const sealed = await encryptBackup(readable, { recipients: [RECIPIENT] });
  const path = `${place.path}/forged-${crypto.randomUUID()}.age`;
  await Deno.writeFile(path, sealed);
  return path;
}

function manifest(parts: unknown, more: Record<string, unknown> = {}): [string, string] {
  const about = { format: 1, program: "0.1.0", created_at: "2026-11-28T00:00:00.000Z", schema: 1, sequence: 1 };
  return ["manifest.json", JSON.stringify({ ...about, parts, ...more })];
}

Deno.test("a forged backup can't write outside of the folder, nor what no vault's file is called", async () => {
  await using place = await temporaryFolder();
  const sha256 = "ab".repeat(32);
  const needed = ["runevault.db", "seal.key"].map((path) => ({ path, bytes: 1, sha256 }));
  const paths = [
    "../evil",
    "/etc/cron.d/evil",
    "native/evil.node",
    "keys/../../evil/SecKey.json",
    "a\0b",
    "tls/ca.pem/x",
  ];
  for (const path of paths) {
    const file = await forge(place, [manifest([...needed, { path, bytes: 1, sha256 }])]);
    await assertRefused(place, file, /a name that no vault's file has/);
  }
  await assertRefused(place, await forge(place, [manifest([needed[0]])]), /it has no seal\.key/);
  await assertRefused(place, await forge(place, [manifest(needed), ["seal.key", "x"]]), /something else in the place/);
  await assertRefused(place, await forge(place, [manifest(needed), ["runevault.db", "xy"]]), /another size/);
  await assertRefused(place, await forge(place, [manifest(needed), ["runevault.db", "x"]]), /was changed/);
  await assertRefused(place, await forge(place, [["runevault.db", "x"]]), /doesn't begin with a manifest/);
  await assertRefused(place, await forge(place, [manifest(needed, { format: 2 })]), /has form 2/);
  equal((await Array.fromAsync(Deno.readDir(place.path))).some(({ name }) => name === "evil"), false);
});

Deno.test("a folder that isn't empty is refused and keeps what it has, and so is one that a server holds", async () => {
  await using place = await temporaryFolder();
  const { file } = await backedUp(place);
  const data = `${place.path}/data`;
  const before = await Deno.readFile(`${data}/runevault.db`);
  const refused = await run(data, ["restore", file]);
  equal(refused.code, 1);
  match(refused.stderr, /is not empty/);
  deepEqual(await Deno.readFile(`${data}/runevault.db`), before);
  await using _server = await StartedServer.start({ dataDir: data });
  const held = await run(data, ["restore", file]);
  equal(held.code, 78);
  match(held.stderr, /Another runevault uses the data folder/);
});

Deno.test("a check that is ended by a signal leaves no key beside the backup, and one that is killed until the next", async () => {
  await using place = await temporaryFolder();
  const { file } = await backedUp(place);
  const left = async () => (await namesOf(place)).filter((name) => name.startsWith(".runevault-check-"));
  const end = async (signal: Deno.Signal) => {
    const { command, args } = programCommand(["restore", "--check", file, "--data-dir", `${place.path}/target`]);
    const child = new Deno.Command(command, { args, env: withPassphrase(), stdout: "null", stderr: "null" }).spawn();
    const known = await left();
    await eventually("a folder", async () => (await left()).some((name) => !known.includes(name)), 20_000);
    child.kill(signal);
    await child.status;
    return await left();
  };
  deepEqual(await end("SIGINT"), []);
  equal((await end("SIGKILL")).length, 1);
  await must(`${place.path}/target`, ["restore", "--check", file]);
  deepEqual(await left(), []);
});

async function namesOf({ path }: Place): Promise<string[]> {
  return (await Array.fromAsync(Deno.readDir(path))).map(({ name }) => name);
}

Deno.test("--check reads and checks all of it and restores nothing", async () => {
  await using place = await temporaryFolder();
  const { file } = await backedUp(place);
  const names = async () => (await Array.fromAsync(Deno.readDir(place.path))).map(({ name }) => name).sort();
  const before = await names();
  const { stdout } = await must(`${place.path}/target`, ["restore", "--check", file]);
  match(stdout, /^Whole: /m);
  ok(!stdout.includes("Restored to"));
  deepEqual(await names(), before);
});

Deno.test("a restore that dies at any moment is all there at the next start, or not there at all", async () => {
  await using place = await temporaryFolder();
  const { file, facts } = await backedUp(place);
  const target = `${place.path}/target`;
  const outcomes = new Set<string>();
  for (const ms of [300, 1000, 1400, 1800, 2400]) {
    await killedRestore(target, file, ms);
    const names = await namesIn(target);
    if (names.includes("runevault.db") || names.includes(".restored")) {
      await using api = await serve(target, ["--accept-rollback", "--keep-tokens"]);
      await assertTokensLive(api, facts);
      outcomes.add("restored");
    } else {
      deepEqual(names.filter((name) => name !== "runevault.lock" && name !== ".restoring"), []);
      outcomes.add("nothing");
    }
    if (outcomes.has("restored")) break;
  }
  ok(outcomes.has("nothing"));
  if (!outcomes.has("restored")) await must(target, ["restore", file]);
});

Deno.test("no vault is begun where a restore was interrupted, and what one left beside a vault goes", async () => {
  await using place = await temporaryFolder();
  const { file, facts } = await backedUp(place);
  const target = `${place.path}/target`;
  const left = async () => {
    await Deno.mkdir(`${target}/.restoring`, { recursive: true, mode: 0o700 });
    await Deno.writeTextFile(`${target}/.restoring/seal.key`, "a key in clear");
  };
  await left();
  await Deno.chmod(target, 0o700);
  const { code, log } = await StartedServer.refused({ dataDir: target });
  equal(code, 78);
  match(log, /was interrupted\nhint: run `runevault restore` again/);
  deepEqual((await namesIn(target)).filter((name) => name !== "runevault.lock"), [".restoring"]);
  await must(target, ["restore", file]);
  await left();
  await using api = await serve(target, ["--accept-rollback", "--keep-tokens"]);
  await assertTokensLive(api, facts);
  ok(!(await namesIn(target)).includes(".restoring"));
});

async function namesIn(folder: string): Promise<string[]> {
  try {
    return (await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => name);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

async function killedRestore(target: string, file: string, ms: number): Promise<void> {
  const { command, args } = programCommand(["restore", file, "--data-dir", target]);
  const child = new Deno.Command(command, { args, env: withPassphrase(), stdout: "null", stderr: "null" }).spawn();
  await new Promise((resolve) => setTimeout(resolve, ms));
  try {
    child.kill("SIGKILL");
  } catch (error) {
    // It had ended by itself.
    if (!(error instanceof TypeError)) throw error;
  }
  await child.status;
}

Deno.test("a backup to a recipient opens with its identity alone, and takes no passphrase", async () => {
  await using place = await temporaryFolder();
  const { file, facts } = await backedUp(place, ["--recipient", RECIPIENT]);
  const refused = await run(`${place.path}/target`, ["restore", file]);
  equal(refused.code, 1);
  match(refused.stderr, /doesn't open with this passphrase/);
  await Deno.writeTextFile(`${place.path}/key.txt`, `# created: today\n${IDENTITY}\n`, { mode: 0o600 });
  await must(`${place.path}/target`, ["restore", file, "--identity", `${place.path}/key.txt`], {});
  await using api = await serve(`${place.path}/target`, ["--accept-rollback", "--keep-tokens"]);
  await assertTokensLive(api, facts);
  const { code, stderr } = await run(`${place.path}/data`, [
    "backup",
    `${place.path}/x.age`,
    "--recipient",
    "age1nobody",
  ]);
  equal(code, 1);
  match(stderr, /is no age recipient/);
});

Deno.test("the passphrase comes from a file or a credential, which must be private, or from standard input", async () => {
  await using place = await temporaryFolder();
  const data = `${place.path}/data`;
  await using _server = await StartedServer.start({ dataDir: data });
  const file = `${place.path}/pass`;
  await Deno.writeTextFile(file, `${PASSPHRASE}\n`, { mode: 0o644 });
  const loose = await run(data, ["backup", `${place.path}/a.age`, "--passphrase-file", file], {});
  match(loose.stderr, /others may read or change it/);
  await Deno.chmod(file, 0o600);
  await must(data, ["backup", `${place.path}/a.age`, "--passphrase-file", file], withPassphrase("one that isn't used"));
  await Deno.mkdir(`${place.path}/credentials`);
  await Deno.copyFile(file, `${place.path}/credentials/backup-passphrase`);
  await must(data, ["backup", `${place.path}/b.age`], { CREDENTIALS_DIRECTORY: `${place.path}/credentials` });
  await must(`${place.path}/x`, ["restore", "--check", `${place.path}/b.age`]);
  const short = await run(data, ["backup", `${place.path}/c.age`], withPassphrase("short"));
  equal(short.code, 1);
  match(short.stderr, /12 characters/);
});

Deno.test("a restored vault whose seal key was exchanged doesn't start, and names both", async () => {
  await using place = await temporaryFolder();
  const { file } = await backedUp(place, ["--recipient", RECIPIENT]);
  const identity = () => Promise.resolve({ identities: [IDENTITY] });
  await restoreBackup({ file, dataDir: `${place.path}/target`, identity });
  const foreign = new SealKey(new Uint8Array(32).fill(7), { bytes: (length) => new Uint8Array(length) });
  await Deno.writeFile(`${place.path}/target/seal.key`, new Uint8Array(32).fill(7));
  const { code, log } = await StartedServer.refused({
    dataDir: `${place.path}/target`,
    args: ["--accept-rollback", "--keep-tokens"],
  });
  equal(code, 78);
  ok(log.includes(foreign.fingerprint));
});

Deno.test({
  name:
    "root restores for whoever owns the folder, and works on nobody's folder without a server otherwise [run as root]",
  ignore: Deno.uid() !== 0,
  async fn() {
    await using place = await temporaryFolder();
    const { file } = await backedUp(place, ["--recipient", RECIPIENT]);
    const dataDir = `${place.path}/target`;
    await Deno.mkdir(dataDir, { mode: 0o700 });
    await Deno.chown(dataDir, 4711, 4711);
    await restoreBackup({ file, dataDir, identity: () => Promise.resolve({ identities: [IDENTITY] }) });
    for (const path of ["runevault.db", "seal.key", "runevault.lock", "audit.log"]) {
      equal((await Deno.stat(`${dataDir}/${path}`)).uid, 4711, path);
    }
    const { code, stderr } = await run(dataDir, ["backup", `${place.path}/again.age`]);
    equal(code, 78);
    match(stderr, /belongs to user 4711[^]*sudo -u '#4711' runevault/);
  },
});
