/**
 * `runevault doctor` on vaults that are well, and on vaults with each thing that can be wrong with them.
 *
 * @module
 */

import { deepEqual, equal, match, ok } from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import type { Finding } from "../../server/maintenance/mod.ts";
import { hashOf } from "../../vault/audit/chain.ts";
import { LOOPBACK, madeCa, madeServer, writePair } from "../../server/tls/_fixtures.ts";
import { cli, eventually } from "../clients.ts";
import { runProgram, StartedServer, temporaryFolder } from "../started_server.ts";

async function examined(dataDir: string, env: Record<string, string> = {}, args: readonly string[] = []) {
  const { code, stdout, stderr } = await runProgram(["doctor", "--json", "--data-dir", dataDir, ...args], { env });
  ok(stdout !== "", stderr);
  const { findings } = JSON.parse(stdout) as { findings: Finding[] };
  return { code, findings, bad: findings.filter(({ level }) => level !== "ok") };
}

/** A stopped vault's folder. */
async function stopped(env: Record<string, string> = {}) {
  const folder = await temporaryFolder();
  const server = await StartedServer.start({ dataDir: folder.path, env });
  await server.stop();
  return folder;
}

/** The configuration of the tests' servers, so that no usual port is looked at. */
const QUIET = {
  RUNEVAULT_GRPC_ADDR: "off",
  RUNEVAULT_API_ADDR: "off",
  RUNEVAULT_ADMIN_ADDR: "off",
  RUNEVAULT_METRICS_ADDR: "off",
};

Deno.test("a vault that is well has no problem, running or stopped; the warnings say what to do", async () => {
  await using folder = await temporaryFolder();
  const server = await StartedServer.start({ dataDir: folder.path, args: ["--tls", "auto"] });
  const running = await examined(folder.path, QUIET);
  deepEqual([running.code, running.bad.filter(({ level }) => level === "problem")], [0, []]);
  await server.stop();
  const after = await examined(folder.path, QUIET);
  deepEqual([after.code, after.bad.filter(({ level }) => level === "problem")], [0, []]);
  for (const { remedy } of [...running.bad, ...after.bad]) ok(remedy !== null);
  const checks = new Set(after.findings.map(({ check }) => check));
  for (
    const check of ["modes", "ports", "tls", "clock", "disk", "store", "seal key", "team secret", "leases", "databases"]
  ) {
    ok(checks.has(check), check);
  }
  const { stdout } = await cli({ dataDir: folder.path }, ["doctor"]);
  match(stdout, /^ok +store +it is sound; [0-9]+ changes$/m);
});

Deno.test("a trail whose file was just rotated away is no problem", async () => {
  await using folder = await temporaryFolder();
  const server = await StartedServer.start({ dataDir: folder.path });
  await Deno.rename(`${folder.path}/audit.log`, `${folder.path}/audit.log.1`);
  server.signal("SIGHUP");
  await eventually("a new file", () => Deno.stat(`${folder.path}/audit.log`).then(() => true, () => false));
  await server.stop();
  equal((await Deno.stat(`${folder.path}/audit.log`)).size, 0);
  const { bad } = await examined(folder.path, QUIET);
  deepEqual(bad.filter(({ level }) => level === "problem"), []);
});

Deno.test("loose modes are a problem with the chmod that mends them", async () => {
  await using folder = await stopped();
  await Deno.chmod(`${folder.path}/seal.key`, 0o644);
  const { code, bad } = await examined(folder.path, QUIET);
  equal(code, 1);
  deepEqual(bad.find(({ check }) => check === "modes")?.remedy, `chmod 600 ${folder.path}/seal.key`);
});

Deno.test("a damaged store, a missing seal key and another's are each found", async () => {
  await using folder = await stopped();
  await Deno.writeFile(`${folder.path}/seal.key`, new Uint8Array(32).fill(1));
  match((await examined(folder.path, QUIET)).bad.map(({ message }) => message).join(), /is not the store's/);
  await Deno.remove(`${folder.path}/seal.key`);
  const { code, bad } = await examined(folder.path, QUIET);
  equal(code, 1);
  match(bad.map(({ message }) => message).join(), /seal\.key is missing/);
  const path = `${folder.path}/runevault.db`;
  const bytes = await Deno.readFile(path);
  await Deno.writeFile(path, bytes.fill(0x58, 4096, 12_288));
  const damaged = await examined(folder.path, QUIET);
  equal(damaged.code, 1);
  match(damaged.bad.map(({ check, message }) => `${check}: ${message}`).join("\n"), /store: .*(damaged|malformed)/);
});

Deno.test("a clock that is behind, a short team secret, a port that another program has: each is found", async () => {
  await using folder = await stopped({ VAULT_TEAM_SECRET: "short" });
  {
    using db = new DatabaseSync(`${folder.path}/runevault.db`);
    const value = JSON.stringify({ value: Date.now() + 3_600_000 });
    db.prepare("INSERT OR REPLACE INTO records (kind, key, value) VALUES ('meta', 'clock_tick', ?)").run(value);
  }
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const env = { ...QUIET, RUNEVAULT_GRPC_ADDR: `127.0.0.1:${(taken.addr as Deno.NetAddr).port}` };
  const { code, bad } = await examined(folder.path, env);
  equal(code, 1);
  const found = bad.map(({ check, level }) => `${level} ${check}`);
  for (const one of ["problem clock", "warning team secret", "problem ports"]) ok(found.includes(one), found.join());
});

/** Puts a lease into a stopped vault's store. */
function addLease(dataDir: string, more: Readonly<Record<string, unknown>>): void {
  using db = new DatabaseSync(`${dataDir}/runevault.db`);
  const account = { username: "v-app-1", place: "db.example:5432" };
  const lease = { id: "database/creds/app/x", account, expiresAt: 0, ...more };
  db.prepare("INSERT INTO records (kind, key, value) VALUES ('lease', ?, ?)").run(lease.id, JSON.stringify(lease));
}

Deno.test("an account that couldn't be taken away is found", async () => {
  await using folder = await stopped();
  addLease(folder.path, { state: "ending", failures: 3, lastError: "no route" });
  const { code, bad } = await examined(folder.path, QUIET);
  equal(code, 1);
  match(
    bad.find(({ check }) => check === "leases")!.message,
    /v-app-1 on db\.example:5432 can't be taken away: no route/,
  );
});

Deno.test("an account that has expired while the vault was stopped is a warning, with what to do", async () => {
  await using folder = await stopped();
  addLease(folder.path, { state: "live" });
  const { code, bad } = await examined(folder.path, QUIET);
  const { level, message, remedy } = bad.find(({ check }) => check === "leases")!;
  deepEqual([code, level, message], [0, "warning", "1 accounts have expired and are still there"]);
  match(remedy!, /start the server/);
});

Deno.test("a database that can't be reached is found, and its password isn't said", async () => {
  await using server = await StartedServer.start();
  const db = async (args: readonly string[], stdin?: string) => {
    const { code, stderr } = await cli(server, ["db", ...args], stdin);
    equal(code, 0, stderr);
  };
  await db(["enable"]);
  const url = "{{username}}:{{password}}@tcp(127.0.0.1:1)/";
  const connection = ["--plugin", "mysql", "--url", url, "--username", "vault", "--no-verify"];
  await db(["connection", "write", "main", ...connection], "a password of the test\n");
  const { code, bad } = await examined(server.dataDir, QUIET);
  equal(code, 1);
  const { message, remedy } = bad.find(({ check }) => check === "databases")!;
  match(message, /main \(.*127\.0\.0\.1:1.*\) can't be reached/);
  match(remedy!, /`runevault db` shows the connection main/);
  ok(!JSON.stringify(bad).includes("a password of the test"));
});

Deno.test("a certificate that ends soon is a warning, one that has ended a problem, each with what to do", async () => {
  await using folder = await stopped();
  await using elsewhere = await temporaryFolder();
  const ca = await madeCa();
  const examinedAt = async (ageDays: number) => {
    const { certPath, keyPath } = await writePair(elsewhere.path, await madeServer(ca, LOOPBACK, ageDays));
    const env = { ...QUIET, RUNEVAULT_TLS: "files", RUNEVAULT_TLS_CERT: certPath, RUNEVAULT_TLS_KEY: keyPath };
    const { code, bad } = await examined(folder.path, env);
    const { level, message, remedy } = bad.find(({ check }) => check === "tls")!;
    match(remedy!, /have its owner replace the certificate/);
    return `${code} ${level}: ${message}`;
  };
  match(await examinedAt(390), /^0 warning: the server certificate has [5-7] days left/);
  match(await examinedAt(400), /^1 problem: the server certificate has -[2-4] days left/);
});

Deno.test("a key set whose secret key is gone is found", async () => {
  await using server = await StartedServer.start();
  equal((await cli(server, ["keys", "generate", "--dim", "384"])).code, 0);
  await Deno.remove(`${server.dataDir}/keys/vault-key/SecKey.json`);
  const { code, bad } = await examined(server.dataDir, QUIET);
  equal(code, 1);
  match(bad.find(({ check }) => check === "fhe keys")!.message, /vault-key\/SecKey\.json is missing/);
});

Deno.test({
  name: "a disk with little room is found [needs root]",
  ignore: Deno.env.get("RUNEVAULT_TEST_ALL") !== "1" && Deno.uid() !== 0,
  async fn() {
    await using folder = await temporaryFolder();
    await run("mount", "-t", "tmpfs", "-o", "size=64m,mode=0700", "tmpfs", folder.path);
    try {
      await (await StartedServer.start({ dataDir: folder.path })).stop();
      const { code, bad } = await examined(folder.path, QUIET);
      equal(code, 1);
      const { level, message } = bad.find(({ check }) => check === "disk")!;
      match(`${level}: ${message}`, /^problem: [1-6]?[0-9] MiB are free for a store of 1 MiB$/);
    } finally {
      await run("umount", folder.path);
    }
  },
});

async function run(command: string, ...args: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command(command, { args }).output();
  ok(success, new TextDecoder().decode(stderr));
}

Deno.test("a restored vault that nobody accepted, and a first audit key that still lies about, are warnings", async () => {
  await using folder = await stopped();
  {
    using db = new DatabaseSync(`${folder.path}/runevault.db`);
    db.exec(
      `INSERT INTO records (kind, key, value) VALUES ('meta', 'restored_from', '{"value":"2026-01-01T00:00:00.000Z"}')`,
    );
  }
  const { code, bad } = await examined(folder.path, QUIET);
  equal(code, 0);
  match(bad.map(({ remedy }) => remedy).join("\n"), /--accept-rollback[^]*audit\.k0 to where/);
});

Deno.test("an audit trail from which a line was taken, and one whose end was, are found", async () => {
  await using folder = await stopped();
  const path = `${folder.path}/audit.log`;
  const whole = await Deno.readTextFile(path);
  const messages = async () => (await examined(folder.path, QUIET)).bad.map(({ message }) => message).join();
  ok(!/audit\.log/.test(await messages()));
  const lines = whole.trimEnd().split("\n");
  await Deno.writeTextFile(path, `${lines.toSpliced(1, 1).join("\n")}\n`);
  match(await messages(), /audit\.log, line 2 \(entry 2\): entry 3 stands where 2 should: 2 is missing/);
  await Deno.writeTextFile(path, `${lines.slice(0, -1).join("\n")}\n`);
  match(await messages(), /entries [0-9]+ to [0-9]+ are missing at the end/);
});

/** The trail with its last line written anew by somebody who knows everything but its key; the hashes fit. */
async function forgeLastLine(path: string, databasePath: string): Promise<void> {
  const lines = (await Deno.readTextFile(path)).trimEnd().split("\n");
  const forged = lines.pop()!.replace(/"time":"[^"]+"/, '"time":"2026-01-01T00:00:00.000Z"');
  await Deno.writeTextFile(path, `${[...lines, forged].join("\n")}\n`);
  using db = new DatabaseSync(databasePath);
  const { seq } = JSON.parse(forged) as { seq: number };
  const head = JSON.stringify({ sequence: seq, hash: hashOf(forged) });
  db.exec("DELETE FROM audit_outbox");
  db.prepare("INSERT OR REPLACE INTO records (kind, key, value) VALUES ('audit_head', 'head', ?)").run(head);
}

Deno.test("a line that was written anew is found by its MAC, where the first key lies there or is given", async () => {
  await using folder = await stopped();
  const said = async (...args: string[]) => {
    const { findings } = await examined(folder.path, QUIET, args);
    return findings.filter(({ check }) => check === "audit").map(({ level, message }) => `${level}: ${message}`).join();
  };
  match(await said(), /ok: [0-9]+ lines up to number [0-9]+, each follows from the one before; each has its MAC/);
  const taken = `${folder.path}-k0`;
  await Deno.rename(`${folder.path}/audit.k0`, taken);
  try {
    await forgeLastLine(`${folder.path}/audit.log`, `${folder.path}/runevault.db`);
    match(await said(), /ok: .* no MAC was checked \(--audit-key FILE\)/);
    match(await said("--audit-key", taken), /problem: .*its MAC is wrong/);
    const { code, stderr } = await runProgram(["doctor", "--audit-key", "/nowhere/k0", "--data-dir", folder.path]);
    deepEqual([code, /^runevault: The key file \/nowhere\/k0 can't be read/.test(stderr)], [1, true], stderr);
  } finally {
    await Deno.remove(taken);
  }
});

Deno.test("a line that is missing between a file that was rotated away and the next is found", async () => {
  await using folder = await stopped();
  const lines = (await Deno.readTextFile(`${folder.path}/audit.log`)).trimEnd().split("\n");
  await Deno.writeTextFile(`${folder.path}/audit.log.1`, `${lines[0]}\n`, { mode: 0o600 });
  await Deno.writeTextFile(`${folder.path}/audit.log`, `${lines.slice(2).join("\n")}\n`);
  const { code, bad } = await examined(folder.path, QUIET);
  equal(code, 1);
  match(bad.map(({ message }) => message).join(), /audit\.log, line 1 \(entry 2\): .*2 is missing/);
});

Deno.test("a running server's ports are dialled, and one that nobody answers is a problem", async () => {
  await using server = await StartedServer.start();
  const well = await examined(server.dataDir, QUIET);
  match(well.findings.find(({ check }) => check === "ports")!.message, /the server answers on gRPC .*metrics/);
  const path = `${server.dataDir}/addresses.json`;
  const addresses = JSON.parse(await Deno.readTextFile(path)) as Record<string, unknown>;
  await Deno.writeTextFile(path, JSON.stringify({ ...addresses, api: "127.0.0.1:1" }));
  const { code, bad } = await examined(server.dataDir, QUIET);
  equal(code, 1);
  deepEqual(bad.filter(({ check }) => check === "ports").map(({ message }) => message), [
    "the server runs, and nobody answers on identity API 127.0.0.1:1",
  ]);
});
