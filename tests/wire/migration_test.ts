/**
 * A team stops Rune-Vault and starts this on the same files, the same team secret, the same environment.
 *
 * @module
 */

import { deepEqual, equal, match, ok } from "node:assert/strict";
import { status } from "@grpc/grpc-js";
import type { RoleRow, StatusReport, TokenRow } from "../../admin/wire.ts";
import { AdminHttp, eventually, VaultClient } from "../clients.ts";
import { findTraces, findTracesBelow } from "../secret_traces.ts";
import { StartedServer, type StartOptions, temporaryFolder } from "../started_server.ts";
import v1 from "../vectors/metadata-envelope-v1.json" with { type: "json" };
import v2 from "../vectors/metadata-envelope-v2.json" with { type: "json" };

const ALICE = "evt_00112233445566778899aabbccddeeff";
const SECRET = "correct horse battery staple";

const OLD_ROLES = `roles:
  admin:
    scope: [get_public_key, decrypt_scores, decrypt_metadata, manage_tokens]
    top_k: 50
    rate_limit: 150/60s
  member:
    scope: [get_public_key, decrypt_scores, decrypt_metadata]
    top_k: 10
    rate_limit: 1000/60s
`;

interface OldToken {
  readonly user: string;
  readonly token: string;
  readonly role?: string;
  readonly expires?: string;
}

function oldTokens(tokens: readonly OldToken[]): string {
  const rows = tokens.map(({ user, token, role = "member", expires }) =>
    `  - user: ${user}\n    token: ${token}\n    role: ${role}\n    created: '2026-03-20'\n` +
    (expires === undefined ? "" : `    expires: '${expires}'\n`)
  );
  return `tokens:\n${rows.join("")}`;
}

/** A data folder as a team leaves it: the two files, 0600. */
async function oldFolder(tokens: string, roles = OLD_ROLES) {
  const folder = await temporaryFolder();
  await writePrivate(`${folder.path}/vault-roles.yml`, roles);
  await writePrivate(`${folder.path}/vault-tokens.yml`, tokens);
  return folder;
}

function writePrivate(path: string, text: string): Promise<void> {
  return Deno.writeTextFile(path, text, { mode: 0o600 });
}

/** Starts on a data folder and waits until both files have been rewritten. */
async function startSettled(options: StartOptions) {
  await using stack = new AsyncDisposableStack();
  const server = stack.use(await StartedServer.start(options));
  const admin = stack.use(AdminHttp.of(server));
  const vault = stack.use(VaultClient.of(server));
  const settled = async () => {
    const { files } = await admin.expect<StatusReport>("GET", "/status");
    return files.every(({ state }) => state === "written");
  };
  await eventually("the files are written", settled);
  const owned = stack.move();
  return { server, admin, vault, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

function dayFromNow(days: number): string {
  return new Date(Date.now() + days * 86_400_000).toISOString().slice(0, 10);
}

for (const secret of new Set(v1.cases.map((one) => one.team_secret))) {
  Deno.test(`old tokens, keys and envelopes go on working under the team secret ${JSON.stringify(secret)}`, async () => {
    const cases = v1.cases.filter((one) => one.team_secret === secret);
    const tokens = [...new Set(cases.map(({ token }) => token))];
    await using folder = await oldFolder(oldTokens(tokens.map((token, i) => ({ user: `user${i}`, token }))));
    await using running = await startSettled({ dataDir: folder.path, env: { VAULT_TEAM_SECRET: secret } });
    const { vault } = running;
    for (const { token, agent_id, dek_b64, plaintext, envelope } of cases) {
      const bundle = await vault.bundle(token);
      deepEqual([bundle.agent_id, bundle.agent_dek], [agent_id, dek_b64]);
      deepEqual((await vault.open(token, [envelope])).message?.decryptedMetadata, [plaintext]);
    }
    const all = await vault.open(tokens[0]!, cases.map(({ envelope }) => envelope));
    deepEqual(all.message?.decryptedMetadata, cases.map(({ plaintext }) => plaintext), "any member opens any's");
  });
}

Deno.test("version-2 envelopes under the imported team secret open, and forged ones don't", async () => {
  const ours = (one: { team_secret_b64: string }) => atob(one.team_secret_b64) === SECRET;
  const cases = v2.cases.filter(ours);
  const refused = v2.refused.filter(ours);
  ok(cases.length > 0 && refused.length > 0);
  await using folder = await oldFolder(oldTokens([{ user: "alice", token: ALICE }]));
  await using running = await startSettled({ dataDir: folder.path, env: { VAULT_TEAM_SECRET: SECRET } });
  const { vault } = running;
  for (const { envelope, plaintext } of cases) {
    deepEqual((await vault.open(ALICE, [envelope])).message?.decryptedMetadata, [plaintext]);
  }
  for (const { envelope, plaintext, why } of refused) {
    const { code, message } = await vault.open(ALICE, [envelope]);
    ok(message?.decryptedMetadata[0] !== plaintext, why);
    if (message === undefined) equal(code, status.INVALID_ARGUMENT, why);
  }
});

Deno.test("no usable token and no team secret is left on disk, nor in the log", async () => {
  const tokens = { alice: ALICE, bob: "evt_ffeeddccbbaa99887766554433221100" };
  await using folder = await oldFolder(oldTokens(Object.entries(tokens).map(([user, token]) => ({ user, token }))));
  const secrets = { "alice's token": tokens.alice, "bob's token": tokens.bob, "the team secret": SECRET };
  const running = await startSettled({ dataDir: folder.path, env: { VAULT_TEAM_SECRET: SECRET } });
  const issued = await running.admin.issue("carol");
  const rotated = await running.admin.rotate("alice", 600);
  for (const token of [...Object.values(tokens), issued, rotated]) await running.vault.bundle(token);
  const all = { ...secrets, "carol's token": issued, "alice's new token": rotated };
  deepEqual(await findTracesBelow(folder.path, all), []);
  await running[Symbol.asyncDispose]();
  deepEqual(await findTracesBelow(folder.path, all), [], "after the stop");
  deepEqual(findTraces("the log", running.server.log, all), []);
  const text = await Deno.readTextFile(`${folder.path}/vault-tokens.yml`);
  match(text, /token_hash: sha256:[0-9a-f]{64}/);
  equal((await Deno.stat(`${folder.path}/vault-tokens.yml`)).mode! & 0o777, 0o600);
});

Deno.test("a token is valid through its last day, in UTC", async () => {
  const token = (n: number) => `evt_${String(n).repeat(32)}`;
  // A test that begins just before midnight must not end after it.
  while (new Date(Date.now() + 60_000).toISOString().slice(0, 10) !== dayFromNow(0)) {
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
  await using folder = await oldFolder(oldTokens([
    { user: "yesterday", token: token(1), expires: dayFromNow(-1) },
    { user: "today", token: token(2), expires: dayFromNow(0) },
    { user: "tomorrow", token: token(3), expires: dayFromNow(1) },
    { user: "never", token: token(4) },
  ]));
  await using running = await startSettled({ dataDir: folder.path });
  const codes = await Promise.all([1, 2, 3, 4].map(async (n) => (await running.vault.manifest(token(n))).code));
  deepEqual(codes, [status.UNAUTHENTICATED, status.OK, status.OK, status.OK]);
  const listed = async () => {
    const { tokens } = await running.admin.expect<{ tokens: TokenRow[] }>("GET", "/tokens");
    return tokens.map(({ expires }) => expires);
  };
  await eventually("what has expired is ended for good", async () => !(await listed()).includes(dayFromNow(-1)));
  deepEqual(await listed(), [dayFromNow(0), dayFromNow(1), null]);
  const fresh = await running.admin.issue("yesterday");
  equal((await running.vault.manifest(fresh)).code, status.OK, "the user comes back, not the old token");
  equal((await running.vault.manifest(token(1))).code, status.UNAUTHENTICATED);
});

Deno.test("what old files leave out or name oddly is taken as the old vault took it, with a warning", async () => {
  const roles = `roles:
  agent:
    scope: [get_public_key]
  bare: {}
  odd:
    scope: [get_public_key, launch_missiles]
    top_k: 3
    rate_limit: 5/10s
    colour: blue
`;
  const names = ["alice smith", "../../etc/passwd", "한글", "a/b", "UPPER", "upper", "evil\\nname"];
  const rows = names.map((name, i) => `  - user: "${name}"\n    token: old-style-token-${i}\n    role: odd\n`);
  const more = [
    "  - {user: bare-user, token: t0, role: bare, issued_at: '2026-03-20T10:11:12', expires: '2999-12-31T00:00:00'}",
    "  - {user: agent-user, token: t1, role: agent, note: whatever}",
  ];
  await using folder = await oldFolder(`tokens:\n${rows.join("")}${more.join("\n")}\n`, roles);
  await using running = await startSettled({ dataDir: folder.path });
  const { admin, vault, server } = running;
  const rolesNow = (await admin.expect<{ roles: RoleRow[] }>("GET", "/roles")).roles;
  deepEqual(rolesNow.map(({ name }) => name), ["admin", "agent", "bare", "member", "odd"]);
  deepEqual(rolesNow[2], { name: "bare", scope: [], top_k: 5, rate_limit: "30/60s" });
  deepEqual(rolesNow[4], { name: "odd", scope: ["get_public_key"], top_k: 3, rate_limit: "5/10s" });
  for (const [i, name] of names.entries()) equal((await vault.manifest(`old-style-token-${i}`)).code, status.OK, name);
  equal((await vault.manifest("t1")).code, status.OK);
  equal((await vault.manifest("t0")).code, status.PERMISSION_DENIED);
  const { tokens } = await admin.expect<{ tokens: TokenRow[] }>("GET", "/tokens");
  const taken = names.map((name) => name.replace("\\n", "\n"));
  deepEqual(tokens.map(({ user }) => user), [...taken, "bare-user", "agent-user"]);
  equal(tokens.at(-2)?.expires, "2999-12-31");
  ok(server.log.includes("launch_missiles") && server.log.includes("colour"), "each is warned of");
  for (const line of server.log.trimEnd().split("\n")) JSON.parse(line);
  for (const name of taken) {
    await admin.revoke(encodeURIComponent(name));
    equal((await vault.manifest(`old-style-token-${taken.indexOf(name)}`)).code, status.UNAUTHENTICATED, name);
  }
});

Deno.test("the files may lie elsewhere, by VAULT_ROLES_FILE and VAULT_TOKENS_FILE", async () => {
  await using elsewhere = await oldFolder(oldTokens([{ user: "alice", token: ALICE }]));
  await using folder = await temporaryFolder();
  const env = {
    VAULT_TEAM_SECRET: SECRET,
    VAULT_ROLES_FILE: `${elsewhere.path}/vault-roles.yml`,
    VAULT_TOKENS_FILE: `${elsewhere.path}/vault-tokens.yml`,
  };
  await using running = await startSettled({ dataDir: folder.path, env });
  equal((await running.vault.manifest(ALICE)).code, status.OK);
  const { roles } = await running.admin.expect<{ roles: RoleRow[] }>("GET", "/roles");
  equal(roles.find(({ name }) => name === "member")?.rate_limit, "1000/60s");
  deepEqual(await findTracesBelow(elsewhere.path, { "alice's token": ALICE }), []);
  deepEqual((await fileNames(elsewhere.path)).sort(), ["vault-roles.yml", "vault-tokens.yml"]);
  ok(!(await fileNames(folder.path)).some((name) => name.endsWith(".yml")));
});

async function fileNames(folder: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { name } of Deno.readDir(folder)) found.push(name);
  return found;
}

Deno.test("what clients are told comes from the old variables, and ours beat them", async () => {
  const env = { VAULT_INDEX_NAME: "old-index", ENVECTOR_ENDPOINT: "host:50050", ENVECTOR_API_KEY: "old-api-key" };
  await using folder = await oldFolder(oldTokens([{ user: "alice", token: ALICE }]));
  await using first = await startSettled({ dataDir: folder.path, env });
  const bundle = await first.vault.bundle(ALICE);
  deepEqual(
    [bundle.index_name, bundle.envector_endpoint, bundle.envector_api_key],
    ["old-index", "host:50050", "old-api-key"],
  );
  await first[Symbol.asyncDispose]();
  await using second = await startSettled({
    dataDir: folder.path,
    env: { ...env, RUNEVAULT_INDEX_NAME: "env-index", RUNEVAULT_ENVECTOR_ENDPOINT: "env:1" },
    args: ["--index-name", "flag-index"],
  });
  const ours = await second.vault.bundle(ALICE);
  deepEqual([ours.index_name, ours.envector_endpoint], ["flag-index", "env:1"]);
});

Deno.test("VAULT_TLS_DISABLE serves plaintext on loopback, and asks for --allow-plaintext elsewhere", async () => {
  const env = { VAULT_TLS_DISABLE: "true", VAULT_TLS_CERT: "/nowhere/cert.pem", VAULT_TLS_KEY: "/nowhere/key.pem" };
  await using folder = await oldFolder(oldTokens([{ user: "alice", token: ALICE }]));
  const without = ["--tls"];
  const remote = ["--grpc-addr", "0.0.0.0:0"];
  const { code, log } = await StartedServer.refused({ dataDir: folder.path, env, without, args: remote });
  equal(code, 78);
  match(log, /--allow-plaintext/);
  for (const args of [[], [...remote, "--allow-plaintext"]]) {
    await using server = await StartedServer.start({ dataDir: folder.path, env, without, args });
    using vault = new VaultClient(server.addresses.grpc!.replace("0.0.0.0", "127.0.0.1"));
    equal((await vault.manifest(ALICE)).code, status.OK);
  }
});

Deno.test("VAULT_TOKENS makes legacy users once, and is the team secret where there is none", async () => {
  const [one, two] = ["evt_legacyteam_0123456789abcdef", "evt_ffeeddccbbaa99887766554433221100"];
  const raw = v1.cases.find(({ team_secret, token }) => team_secret === one && token === two)!;
  await using folder = await temporaryFolder();
  const env = { VAULT_TOKENS: `${one},${two}` };
  const first = await startSettled({ dataDir: folder.path, env });
  const { tokens } = await first.admin.expect<{ tokens: TokenRow[] }>("GET", "/tokens");
  deepEqual(tokens.map(({ user, role }) => [user, role]), [["legacy_0", "admin"], ["legacy_1", "admin"]]);
  equal((await first.vault.manifest(one)).code, status.OK);
  ok(first.server.log.includes("legacy_tokens_deprecated"));
  await first.admin.revoke("legacy_0");
  await first[Symbol.asyncDispose]();
  deepEqual(findTraces("the log", first.server.log, { one, two }), []);
  for (const remove of [false, true]) {
    if (remove) await Deno.remove(`${folder.path}/vault-tokens.yml`);
    await using again = await startSettled({ dataDir: folder.path, env });
    equal((await again.vault.manifest(one)).code, status.UNAUTHENTICATED, "a revoked one stays dead");
    equal((await again.vault.manifest(two)).code, status.OK);
  }
  await using alone = await temporaryFolder();
  await using single = await startSettled({ dataDir: alone.path, env: { VAULT_TOKENS: one } });
  const opened = await single.vault.open(one, [raw.envelope]);
  deepEqual(opened.message?.decryptedMetadata, [raw.plaintext], "the raw value is the team secret");
  ok(single.server.log.includes("team_secret_is_a_token"), "and that is reported");
});

Deno.test("VAULT_TOKENS is passed over where a token file exists", async () => {
  await using folder = await oldFolder(oldTokens([{ user: "alice", token: ALICE }]));
  const other = "evt_ffeeddccbbaa99887766554433221100";
  await using running = await startSettled({ dataDir: folder.path, env: { VAULT_TOKENS: other } });
  equal((await running.vault.manifest(ALICE)).code, status.OK);
  equal((await running.vault.manifest(other)).code, status.UNAUTHENTICATED);
});

Deno.test("with nothing configured there is no user, no demo token, and a hint", async () => {
  await using server = await StartedServer.start();
  using admin = AdminHttp.of(server);
  deepEqual((await admin.expect<{ users: unknown[] }>("GET", "/users")).users, []);
  match(server.log, /no_user_yet.*token issue/);
  using vault = VaultClient.of(server);
  for (const token of ["", "demo", "evt_demo", "evt_demo_token"]) {
    equal((await vault.manifest(token)).code, status.UNAUTHENTICATED);
  }
});
