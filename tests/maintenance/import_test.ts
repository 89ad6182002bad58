/**
 * `runevault import rune-vault`: a team's installation becomes ours with one command.
 *
 * @module
 */

import { deepEqual, equal, match, ok } from "node:assert/strict";
import { status } from "@grpc/grpc-js";
import type { RoleRow, StatusReport } from "../../admin/wire.ts";
import { AdminHttp, cli, eventually, VaultClient } from "../clients.ts";
import { findTracesBelow } from "../secret_traces.ts";
import { programCommand, StartedServer, temporaryFolder } from "../started_server.ts";
import v1 from "../vectors/metadata-envelope-v1.json" with { type: "json" };

const CASE = v1.cases[0]!;
const API_KEY = "an-api-key-of-the-team";

/** An installation as a team leaves it. */
async function installation(place: string, env: Record<string, string> = {}) {
  const dir = `${place}/rune-vault`;
  await Deno.mkdir(`${dir}/config`, { recursive: true });
  const roles = "roles:\n  researcher:\n    scope: [get_public_key]\n    top_k: 3\n    rate_limit: 10/60s\n";
  await Deno.writeTextFile(`${dir}/config/vault-roles.yml`, roles);
  const tokens = `tokens:\n  - user: alice\n    token: ${CASE.token}\n    role: member\n    created: '2026-03-20'\n`;
  await Deno.writeTextFile(`${dir}/config/vault-tokens.yml`, tokens);
  const all = {
    VAULT_TEAM_SECRET: CASE.team_secret,
    VAULT_TOKENS_FILE: "/app/config/vault-tokens.yml",
    VAULT_INDEX_NAME: "team",
    ENVECTOR_API_KEY: API_KEY,
    VAULT_GRPC_PORT: "50051",
    ...env,
  };
  const lines = Object.entries(all).map(([name, value]) => `${name}='${value}'`);
  await Deno.writeTextFile(`${dir}/.env`, `# of the team\n${lines.join("\n")}\n`);
  return dir;
}

async function namesIn(folder: string): Promise<string[]> {
  return (await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => name).sort();
}

async function assertTakenOver(server: StartedServer): Promise<void> {
  using vault = VaultClient.of(server);
  using admin = AdminHttp.of(server);
  const { code, message } = await vault.open(CASE.token, [CASE.envelope]);
  deepEqual([code, message?.decryptedMetadata], [status.OK, [CASE.plaintext]]);
  const { roles } = await admin.expect<{ roles: RoleRow[] }>("GET", "/roles");
  ok(roles.some(({ name }) => name === "researcher"));
}

Deno.test("a dry run says what would be done, shows no secret, and does nothing", async () => {
  await using place = await temporaryFolder();
  const dir = await installation(place.path);
  const dataDir = `${place.path}/data`;
  const { code, stdout, stderr } = await cli({ dataDir }, ["import", "rune-vault", "--dry-run", dir]);
  equal(code, 0, stderr);
  match(stdout, /^take 1 roles from .*vault-roles\.yml\ntake 1 users with their tokens/);
  match(stdout, /make the team secret version 1, sealed\n/);
  match(stdout, /write index_name, envector_api_key to .*runevault\.yml\nnote: VAULT_GRPC_PORT is not taken over\n$/);
  for (const secret of [CASE.token, CASE.team_secret, API_KEY]) ok(!`${stdout}${stderr}`.includes(secret));
  deepEqual(await namesIn(place.path), ["rune-vault"]);
});

Deno.test("with the server stopped everything is taken over: tokens, team secret, roles, settings, keys, certificate", async () => {
  await using place = await temporaryFolder();
  await using other = await temporaryFolder();
  {
    await using server = await StartedServer.start({ dataDir: `${other.path}/data`, args: ["--tls", "auto"] });
    equal((await cli(server, ["keys", "generate", "--dim", "384", "--key-id", "team-key"])).code, 0);
    equal((await cli(server, ["keys", "export", `${other.path}/vault_keys/team-key`])).code, 0);
  }
  const dir = await installation(place.path, {
    VAULT_TLS_CERT: "/certs/server.pem",
    VAULT_TLS_KEY: "/certs/server.key",
  });
  await Deno.rename(`${other.path}/vault_keys`, `${dir}/vault_keys`);
  await Deno.mkdir(`${dir}/certs`);
  for (const name of ["server.pem", "server.key"]) {
    await Deno.copyFile(`${other.path}/data/tls/${name}`, `${dir}/certs/${name}`);
  }
  const dataDir = `${place.path}/data`;
  const { code, stdout, stderr } = await cli({ dataDir }, ["import", "rune-vault", dir]);
  equal(code, 0, stderr + stdout);
  match(stdout, /take over the FHE key set in .*team-key/);
  deepEqual(await findTracesBelow(dataDir, { token: CASE.token, secret: CASE.team_secret }), []);
  equal((await Deno.stat(`${dataDir}/runevault.yml`)).mode! & 0o777, 0o600);
  match(await Deno.readTextFile(`${dataDir}/runevault.yml`), /^tls: "files"\ntls_cert: ".*tls-imported\/server\.pem"/m);
  await using server = await StartedServer.start({ dataDir, without: ["--tls"] });
  using admin = AdminHttp.of(server);
  const report = await admin.expect<StatusReport>("GET", "/status");
  deepEqual([report.fhe_key_id, report.tls?.mode, report.users], ["team-key", "files", 1]);
});

Deno.test("with the server stopped, users and their envelopes go on as before", async () => {
  await using place = await temporaryFolder();
  const dir = await installation(place.path);
  const dataDir = `${place.path}/data`;
  equal((await cli({ dataDir }, ["import", "rune-vault", dir])).code, 0);
  {
    await using server = await StartedServer.start({ dataDir });
    await assertTakenOver(server);
  }
  const again = await cli({ dataDir }, ["import", "rune-vault", dir]);
  equal(again.code, 1);
  match(again.stderr, /has a runevault\.db already/);
});

Deno.test("a running server without users takes over, if it was started with the team secret", async () => {
  await using place = await temporaryFolder();
  const dir = await installation(place.path);
  await using server = await StartedServer.start({ env: { VAULT_TEAM_SECRET: CASE.team_secret } });
  const refused = await cli(server, ["import", "rune-vault", dir]);
  equal(refused.code, 1);
  match(refused.stderr, /team secret can't be exchanged/);
  const { code, stderr } = await cli(server, ["import", "rune-vault", "--team-secret-set", dir]);
  equal(code, 0, stderr);
  await assertTakenOver(server);
  const again = await cli(server, ["import", "rune-vault", "--team-secret-set", dir]);
  equal(again.code, 1);
  match(again.stderr, /has users already/);
});

Deno.test("an installation that can't be taken leaves nothing behind, and says which line is wrong", async () => {
  await using place = await temporaryFolder();
  const dir = await installation(place.path);
  await Deno.writeTextFile(`${dir}/config/vault-tokens.yml`, "tokens:\n  - user: alice\n    role: member\n");
  const { code, stderr } = await cli({ dataDir: `${place.path}/data` }, ["import", "rune-vault", dir]);
  equal(code, 78);
  match(stderr, /vault-tokens\.yml, line 2/);
  deepEqual(await namesIn(place.path), ["rune-vault"]);
  const nothing = await cli({ dataDir: `${place.path}/data` }, ["import", "rune-vault", `${dir}/config/none`]);
  equal(nothing.code, 1);
});

Deno.test("a key folder that can't be taken undoes the whole, in a folder that was there before too", async () => {
  await using place = await temporaryFolder();
  const dir = await installation(place.path);
  await Deno.mkdir(`${dir}/vault_keys/team-key`, { recursive: true });
  for (const name of ["SecKey.json", "EncKey.json"]) {
    await Deno.writeTextFile(`${dir}/vault_keys/team-key/${name}`, "{}");
  }
  const dataDir = `${place.path}/data`;
  await Deno.mkdir(dataDir, { mode: 0o700 });
  await Deno.writeTextFile(`${dataDir}/mine`, "kept");
  const { code, stderr } = await cli({ dataDir }, ["import", "rune-vault", dir]);
  equal(code, 1, stderr);
  deepEqual(await namesIn(dataDir), ["mine"]);
});

/** Runs an import and kills it as soon as a file is there; null lets it end. */
async function killedImport(dataDir: string, dir: string, file: string | null): Promise<void> {
  const { command, args } = programCommand(["import", "rune-vault", dir, "--data-dir", dataDir]);
  const child = new Deno.Command(command, { args, stdout: "null", stderr: "null" }).spawn();
  if (file !== null) {
    await eventually(file, async () => (await namesIn(dataDir).catch((): string[] => [])).includes(file), 60_000);
    child.kill("SIGKILL");
  }
  await child.status;
}

Deno.test("an import that is killed is served by nobody, and the next one is as if it had been the first", async () => {
  await using place = await temporaryFolder();
  const dir = await installation(place.path);
  const dataDir = `${place.path}/data`;
  for (const file of ["vault-tokens.yml", "runevault.db", "seal.key"]) {
    await killedImport(dataDir, dir, file);
    const { code, log } = await StartedServer.refused({ dataDir });
    equal(code, 78);
    match(log, /was interrupted, or is under way\nhint: run the same `runevault import` again/);
    match((await cli({ dataDir }, ["keys", "generate", "--dim", "384"])).stderr, /was interrupted/);
  }
  await killedImport(dataDir, dir, null);
  ok(!(await namesIn(dataDir)).includes(".importing"));
  await using server = await StartedServer.start({ dataDir });
  await assertTakenOver(server);
});

Deno.test("what an import left that was killed goes with the next one, and nothing else does", async () => {
  await using place = await temporaryFolder();
  const dir = await installation(place.path);
  const dataDir = `${place.path}/data`;
  await Deno.mkdir(dataDir, { mode: 0o700 });
  await Deno.writeTextFile(`${dataDir}/mine`, "of the operator");
  await Deno.writeTextFile(`${dataDir}/.importing`, JSON.stringify(["mine"]));
  await Deno.writeTextFile(`${dataDir}/runevault.db`, "half a store");
  await Deno.writeTextFile(`${dataDir}/seal.key`, "another key");
  equal((await cli({ dataDir }, ["import", "rune-vault", dir])).code, 0);
  equal(await Deno.readTextFile(`${dataDir}/mine`), "of the operator");
  await using server = await StartedServer.start({ dataDir });
  await assertTakenOver(server);
});

Deno.test("two imports into one folder: the second waits outside", async () => {
  await using place = await temporaryFolder();
  const dir = await installation(place.path);
  const dataDir = `${place.path}/data`;
  await Deno.mkdir(dataDir, { mode: 0o700 });
  using first = await Deno.open(`${dataDir}/.importing`, { write: true, create: true });
  await first.lock(true);
  const { code, stderr } = await cli({ dataDir }, ["import", "rune-vault", dir]);
  equal(code, 1);
  match(stderr, /Another import into .* is under way/);
  deepEqual(await namesIn(dataDir), [".importing"]);
});
