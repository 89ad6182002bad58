/**
 * The end of accounts: with every kind of token, where the database is away, and after a restart.
 */

import { deepEqual, equal, match, ok } from "node:assert/strict";
import { type DatabaseApi, databaseTest, stopServersAfterwards } from "./_database_api.ts";

async function gone(it: DatabaseApi, what: string): Promise<void> {
  await it.until(async () => (await it.accounts()).length === 0 && it.engine.leases.counts.live === 0, what);
}

databaseTest("a child's account ends with the token that made the child, an orphan's goes on", async (it) => {
  await it.role("reader");
  const root = await it.rootToken();
  const made = async (path: string, token: string) =>
    (await it.api.call("POST", path, { token })).body.auth.client_token;
  const child = await made("auth/token/create", root);
  const grandchild = await made("auth/token/create", child);
  const orphan = await made("auth/token/create-orphan", root);
  await it.issue("reader", grandchild);
  const kept = await it.issue("reader", orphan);
  equal((await it.api.call("POST", "auth/token/revoke-self", { token: root })).status, 204);
  await it.until(async () => (await it.accounts()).length === 1, "the grandchild's account");
  deepEqual(await it.accounts(), [kept.username]);
  equal((await it.api.call("POST", "auth/token/revoke-self", { token: orphan })).status, 204);
  await gone(it, "the orphan's account");
});

databaseTest("an account ends with its token's TTL, and the answer says so beforehand", async (it) => {
  await it.role("reader");
  const root = await it.rootToken();
  const { body } = await it.api.call("POST", "auth/token/create", { token: root, body: { ttl: "2s" } });
  const answer = await it.read("reader", body.auth.client_token);
  match(answer.body.warnings[0], /^The lease ends with the token, in [12]s, before its TTL is over$/);
  await gone(it, "the account of a token that expired");
});

databaseTest("a token's last use makes no account", async (it) => {
  await it.role("reader");
  const root = await it.rootToken();
  const { body } = await it.api.call("POST", "auth/token/create", { token: root, body: { num_uses: 2 } });
  const token = body.auth.client_token;
  equal((await it.read("reader", token)).status, 200);
  const last = await it.read("reader", token);
  deepEqual([last.status, /^Secret cannot be returned; token had one use left/.test(last.body.errors[0])], [400, true]);
  await gone(it, "the account of a token that is used up");
});

databaseTest("accounts end with a rotated or expired evt token, with a disabled or deleted user", async (it) => {
  await it.role("reader");
  await it.evtRole("dba");
  const evtOf = (user: string) => it.api.vault.issue(user, "dba");
  const { tokens, users } = it.api.vault.vault;
  await it.issue("reader", await evtOf("rotated"));
  await tokens.rotate({ user: "rotated" });
  await gone(it, "the account of a rotated token");
  await it.issue("reader", await evtOf("disabled"));
  await users.disable("disabled");
  await gone(it, "the account of a user who is disabled");
  const child = await it.api.call("POST", "auth/token/create", { token: await evtOf("parent") });
  await it.issue("reader", child.body.auth.client_token);
  await tokens.revoke("parent");
  await gone(it, "the account of an evt token's child");
  const login = await it.user("deleted");
  await it.issue("reader", login);
  await it.api.must("DELETE", "identity/entity/name/deleted");
  await gone(it, "the account of an entity that is deleted");
  await it.issue("reader", await it.user("gone"));
  await it.api.must("DELETE", "sys/auth/userpass");
  await gone(it, "accounts that came through a mount which goes");
});

databaseTest("sys/leases: looked up, listed, renewed within limits, revoked by prefix and by force", async (it) => {
  await it.role("reader", { default_ttl: "10m", max_ttl: "1h" });
  const [alice, bob] = [await it.user("al"), await it.user("alice")];
  const [one, two] = [await it.issue("reader", alice), await it.issue("reader", bob)];
  const lease = (path: string, body: unknown) => it.api.operator("PUT", `sys/leases/${path}`, body);
  deepEqual((await it.api.must("LIST", "sys/leases/lookup/database/creds")).keys, ["reader/"]);
  equal((await it.api.must("LIST", "sys/leases/lookup/database/creds/reader")).keys.length, 2);
  equal((await it.api.operator("LIST", "sys/leases/lookup/database/creds/read")).status, 404);
  const renewed = await lease("renew", { lease_id: one.leaseId, increment: "90m" });
  ok(renewed.body.lease_duration <= 3600 && renewed.body.lease_duration > 3500);
  equal(renewed.body.data, null);
  match(renewed.body.warnings[0], /^TTL of "1h30m0s" exceeded the effective max_ttl of "59m5[0-9]s"/);
  equal((await lease("renew", { lease_id: one.leaseId, increment: 60 })).body.lease_duration, 60);
  ok((await lease("renew", { lease_id: one.leaseId, increment: null })).body.lease_duration > 590);
  equal((await lease("renew", { lease_id: one.leaseId, increment: -5 })).status, 400);
  equal((await lease("renew", { lease_id: "database/creds/reader/nothing" })).body.errors[0], "lease not found");
  equal((await lease("revoke", {})).body.errors[0], "lease_id must be specified");
  equal((await lease("revoke", { lease_id: "database/creds/reader/nothing" })).status, 204);
  equal((await lease("revoke-prefix/database/creds/read", {})).status, 204);
  equal((await it.accounts()).length, 2, "prefixes are whole segments");
  equal((await lease(`revoke-prefix/${one.leaseId}`, { sync: false })).status, 204, "it was done in time");
  deepEqual(await it.accounts(), [two.username]);
  equal((await lease("revoke-force/database/creds/reader", {})).status, 204);
  deepEqual([await it.accounts(), it.engine.leases.held()], [[two.username], []], "the record goes, the account stays");
  await it.server.dropByHand(two.username);
});

databaseTest(
  "two roles, one renewal: an account that was dropped by hand isn't renewed where the server knows",
  async (it) => {
    await it.role("reader");
    const { leaseId, username } = await it.issue("reader", await it.user("alice"));
    await it.server.dropByHand(username);
    const { status, body } = await it.api.operator("PUT", "sys/leases/renew", { lease_id: leaseId });
    if (it.server.kind === "mysql") return equal(status, 200, "MySQL's accounts have no end of their own");
    deepEqual([status, /^failed to renew entry: /.test(body.errors[0])], [400, true]);
  },
);

databaseTest("the database is away: tokens die at once, accounts are pending, and go when it is back", async (it) => {
  await it.role("reader");
  const [alice, bob] = [await it.user("alice"), await it.user("bob")];
  const [first, second] = [await it.issue("reader", alice), await it.issue("reader", bob)];
  const third = await it.issue("reader", bob);
  await it.server.stop();
  const revoke = (body: Record<string, unknown>) => it.api.operator("PUT", "sys/leases/revoke", body);
  // Waited for: an error, and the lease is as it was.
  const waited = await revoke({ lease_id: second.leaseId });
  deepEqual([waited.status, /^failed to revoke entry: /.test(waited.body.errors[0])], [400, true]);
  ok(!waited.body.errors[0].includes(second.password));
  const { data } = (await it.api.operator("PUT", "sys/leases/lookup", { lease_id: second.leaseId })).body;
  deepEqual([data.renewable, data.ttl > 3000], [true, true]);
  // Queued.
  equal((await revoke({ lease_id: second.leaseId, sync: false })).status, 202);
  // By its token: that is dead whatever the database does.
  const began = Date.now();
  equal((await it.api.call("POST", "auth/token/revoke-self", { token: alice })).status, 204);
  ok(Date.now() - began < 5000, "nobody waits for the database");
  equal((await it.api.call("GET", "auth/token/lookup-self", { token: alice })).status, 403);
  await it.until(() => it.engine.leases.failing().length === 2, "failures");
  const { body } = await it.api.operator("GET", "sys/leases?type=irrevocable");
  deepEqual(body.data.lease_count, 2);
  match(body.data.leases[0].error, /connection refused|ECONNREFUSED|CONNECT/);
  const pending = (await it.api.operator("PUT", "sys/leases/lookup", { lease_id: first.leaseId })).body.data;
  deepEqual([pending.renewable, pending.ttl], [false, 0]);
  const renewed = await it.api.operator("PUT", "sys/leases/renew", { lease_id: first.leaseId });
  equal(renewed.body.errors[0], "lease is expired and has failed previous revocation attempts");
  // Issuing fails meanwhile, and leaves nothing behind.
  equal((await it.read("reader", bob)).status, 500);
  // Disabling the mount fails, and its paths are gone until it works.
  const disabled = await it.api.operator("DELETE", "sys/mounts/database");
  deepEqual([disabled.status, (await it.read("reader", bob)).status], [400, 404]);
  // Also after a restart.
  await it.restart();
  await it.server.start();
  await it.until(async () => (await it.accounts()).length === 1, "accounts that were pending", 30_000);
  deepEqual(await it.accounts(), [third.username]);
  // A name that was set aside is looked for twice after a kill, a minute apart.
  await it.until(() => it.engine.leases.counts.pending === 0, "forgotten leases", 90_000);
  equal((await it.api.operator("DELETE", "sys/mounts/database")).status, 204);
  deepEqual([await it.accounts(), it.engine.leases.held()], [[], []]);
}, { fresh: true });

databaseTest("leases that expire while the vault is down end when it is up", async (it) => {
  await it.role("short", { default_ttl: "1s" });
  const { username, password } = await it.issue("short", await it.user("alice"));
  await it.api.vault.vault.engine.close();
  await new Promise((resolve) => setTimeout(resolve, 1200));
  ok((await it.accounts()).includes(username));
  await it.restart();
  await gone(it, "an account that expired meanwhile");
  equal(await it.server.logsIn(username, password), false);
});

databaseTest("a vault that is paused touches no account, whoever asks", async (it) => {
  await it.role("reader");
  const account = await it.issue("reader", await it.user("alice"));
  await it.server.asVault(
    it.server.kind === "mysql"
      ? "CREATE USER 'paused'@'%' IDENTIFIED BY 'old-Password-0'"
      : "CREATE ROLE paused LOGIN PASSWORD 'old-Password-0'",
  );
  const fixed = { db_name: "main", username: "paused", rotation_period: "24h" };
  await it.api.must("POST", "database/static-roles/fixed", fixed);
  const { password } = await it.api.must("GET", "database/static-creds/fixed");
  it.engine.pause();
  const attempts: [string, string, unknown?][] = [
    ["GET", "database/creds/reader"],
    ["POST", "database/rotate-role/fixed"],
    ["POST", "database/static-roles/other", fixed],
    ["POST", "database/rotate-root/main"],
    ["PUT", "sys/leases/renew", { lease_id: account.leaseId }],
    ["PUT", "sys/leases/revoke", { lease_id: account.leaseId }],
  ];
  for (const [method, path, body] of attempts) {
    const { status, body: answer } = await it.api.operator(method, path, body);
    deepEqual([status, /leaves database accounts alone/.test(answer.errors[0])], [400, true], path);
  }
  deepEqual(await it.accounts(), [account.username]);
  equal(await it.server.logsIn(account.username, account.password), true);
  equal((await it.api.operator("POST", "database/config/main", { allowed_roles: "reader" })).status, 204);
  await it.restart();
  equal((await it.api.must("GET", "database/static-creds/fixed")).password, password, "nothing was left to be done");
  deepEqual(await it.accounts(), [account.username]);
});

databaseTest("S15: nobody is called like a database role, unless an administrator means it", async (it) => {
  await it.role("dba");
  await it.api.withUsers("alice");
  await it.api.policy(
    "people",
    `path "auth/*" { capabilities = ["create", "update"] }
    path "identity/*" { capabilities = ["create", "update", "read"] }`,
  );
  await it.api.must("POST", "auth/userpass/users/alice", { policies: ["people"] });
  const { client_token: token } = await it.api.login("alice");
  const accessor = (await it.api.must("GET", "sys/auth"))["userpass/"].accessor;
  const attempts: [string, Record<string, unknown>][] = [
    ["auth/userpass/users/dba", { password: "x" }],
    ["auth/userpass/users/DBA", { password: "x" }],
    ["identity/entity", { name: "dba" }],
    ["identity/entity/name/Dba", {}],
    ["identity/entity-alias", { name: "dba", mount_accessor: accessor }],
  ];
  for (const [path, body] of attempts) {
    for (const force of [false, true]) {
      const { status, body: answer } = await it.api.call("POST", path, { token, body: { ...body, force } });
      deepEqual([status, /is the name of a database role/.test(answer.errors[0])], [400, true], path);
    }
  }
  for (const [path, body] of attempts.slice(0, 1)) {
    equal((await it.api.operator("POST", path, body)).status, 400, path);
    equal((await it.api.operator("POST", path, { ...body, force: true })).status, 204, path);
  }
});

databaseTest("an account whose answer can't be wrapped is taken back at once", async (it) => {
  await it.role("reader");
  const token = await it.user("alice");
  const wrapped = () => it.api.call("GET", "database/creds/reader", { token, headers: { "x-vault-wrap-ttl": "60s" } });
  it.faults.afterRun = () => it.api.vault.store.failNext();
  const { status, body } = await wrapped();
  it.faults.afterRun = undefined;
  deepEqual([status, body.wrap_info], [500, undefined], JSON.stringify(body));
  await it.until(async () => (await it.accounts()).length === 0, "the account's end");
  await it.until(() => it.engine.leases.list("database").length === 0, "the lease's end");
  const well = await wrapped();
  equal(well.status, 200);
  equal((await it.accounts()).length, 1, "nobody takes back what was answered");
});

stopServersAfterwards();
