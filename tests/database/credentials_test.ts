/**
 * Accounts on real servers: made for one token, usable, and gone with it.
 */

import { deepEqual, equal, match, notEqual, ok } from "node:assert/strict";
import { databaseTest, stopServersAfterwards } from "./_database_api.ts";
import { VAULT_PASSWORD, VAULT_USER } from "./_servers.ts";

databaseTest("an account is made for a user, works, and is gone when its lease is revoked", async (it) => {
  await it.role("reader");
  const token = await it.user("alice");
  const { leaseId, username, password, ttl } = await it.issue("reader", token);
  match(username, /^v-alice-[0-9A-Za-z]{10,}$/);
  match(password, /^(?=.*[A-Z])(?=.*[a-z])(?=.*[0-9])(?=.*-)[A-Za-z0-9-]{20}$/);
  match(leaseId, /^database\/creds\/reader\/[0-9A-Za-z]{24}$/);
  equal(ttl, 3600);
  equal(await it.server.logsIn(username, password), true);
  equal(await it.server.logsIn(username, "wrong"), false);
  const { status, body } = await it.api.operator("PUT", "sys/leases/lookup", { lease_id: leaseId });
  deepEqual([status, body.data.id, body.data.renewable, body.data.ttl > 3590], [200, leaseId, true, true]);
  equal((await it.api.operator("PUT", "sys/leases/revoke", { lease_id: leaseId })).status, 204);
  equal(await it.server.logsIn(username, password), false);
  deepEqual(await it.accounts(), []);
  equal((await it.api.operator("PUT", "sys/leases/lookup", { lease_id: leaseId })).status, 400);
});

databaseTest("S15: an open session dies with its account", async (it) => {
  await it.role("reader");
  const { leaseId, username, password } = await it.issue("reader", await it.user("alice"));
  const answers = await it.server.session(username, password);
  equal(await answers(), true);
  equal((await it.api.operator("PUT", "sys/leases/revoke", { lease_id: leaseId })).status, 204);
  equal(await answers(), false);
});

databaseTest("revoking a token answers at once, and its accounts are gone soon after", async (it) => {
  await it.role("reader");
  const token = await it.user("alice");
  const [one, two] = [await it.issue("reader", token), await it.issue("reader", token)];
  notEqual(one.username, two.username);
  equal((await it.api.call("POST", "auth/token/revoke-self", { token })).status, 204);
  await it.until(async () => (await it.accounts()).length === 0, "accounts of a revoked token");
  equal(await it.server.logsIn(one.username, one.password), false);
  deepEqual(it.engine.leases.list("database"), []);
});

databaseTest("an evt token's accounts end with it, and with its user's epoch", async (it) => {
  await it.role("reader");
  await it.evtRole("dba");
  const { tokens } = it.api.vault.vault;
  const evt = await it.api.vault.issue("bob", "dba");
  await it.issue("reader", evt);
  equal((await it.accounts()).length, 1);
  await tokens.revoke("bob");
  await it.until(async () => (await it.accounts()).length === 0, "accounts of a revoked evt token");
});

databaseTest("a lease that isn't renewed ends by itself; a renewed one lives on, up to its maximum", async (it) => {
  await it.role("short", { default_ttl: "2s", max_ttl: "5s" });
  const token = await it.user("alice");
  const [left, renewed] = [await it.issue("short", token), await it.issue("short", token)];
  const { body } = await it.api.operator("PUT", "sys/leases/renew", { lease_id: renewed.leaseId, increment: "1h" });
  ok(body.lease_duration <= 5 && body.lease_duration >= 3, JSON.stringify(body));
  match(body.warnings[0], /exceeded the effective max_ttl/);
  await it.until(async () => !await it.server.logsIn(left.username, left.password), "the end of a lease");
  equal(await it.server.logsIn(renewed.username, renewed.password), true);
  await it.until(async () => (await it.accounts()).length === 0, "the end of a renewed lease");
});

databaseTest("a creation that fails half-way leaves no account, and its message no password", async (it) => {
  const [first] = it.server.creation[0]!.split(";");
  await it.role("broken", { creation_statements: [`${first}; GRANT nonsense '{{password}}' ON nothing`] });
  const token = await it.user("alice");
  const { status, body } = await it.read("broken", token);
  equal(status, 500);
  match(body.errors[0], /syntax|SQLSTATE|1064/);
  ok(!/[A-Za-z0-9-]{20}/.test(body.errors[0].replaceAll(/v-alice-[0-9A-Za-z]+/g, "")), body.errors[0]);
  ok(!body.errors[0].includes(VAULT_PASSWORD));
  deepEqual(await it.accounts(), []);
  deepEqual([...it.engine.leases.index.all()], []);
});

databaseTest("rollback statements run where they are given, and what they leave is dropped", async (it) => {
  const [first] = it.server.creation[0]!.split(";");
  await it.server.admin("DELETE FROM app.notes").catch(() => it.server.admin("DELETE FROM notes"));
  const table = it.server.kind === "mysql" ? "app.notes" : "notes";
  await it.server.admin(
    `GRANT INSERT ON ${table} TO ${it.server.kind === "mysql" ? `'${VAULT_USER}'@'%'` : VAULT_USER}`,
  );
  await it.role("broken", {
    creation_statements: [`${first}; SELECT * FROM nowhere`],
    rollback_statements: [`INSERT INTO ${table} VALUES ('rolled back {{username}}')`],
  });
  equal((await it.read("broken", await it.user("alice"))).status, 500);
  const rows = await it.server.admin(`SELECT text FROM ${table}`);
  match(String(rows[0]!["text"]), /^rolled back v-alice-/);
  deepEqual(await it.accounts(), []);
});

databaseTest("a lease keeps what it needs: its role may be edited, moved or deleted", async (it) => {
  await it.role("reader");
  const token = await it.user("alice");
  const [edited, deleted] = [await it.issue("reader", token), await it.issue("reader", token)];
  await it.role("reader", { db_name: "elsewhere", revocation_statements: "SELECT * FROM nowhere" });
  equal((await it.api.operator("PUT", "sys/leases/revoke", { lease_id: edited.leaseId })).status, 204);
  await it.api.must("DELETE", "database/roles/reader");
  equal((await it.api.operator("PUT", "sys/leases/revoke", { lease_id: deleted.leaseId })).status, 204);
  deepEqual(await it.accounts(), []);
});

databaseTest(
  "an account that was dropped by hand counts as revoked, also with statements of the operator's",
  async (it) => {
    await it.role("reader", { revocation_statements: it.server.revocation });
    const token = await it.user("alice");
    const [mine, byHand] = [await it.issue("reader", token), await it.issue("reader", token)];
    await it.server.dropByHand(byHand.username);
    for (const { leaseId } of [mine, byHand]) {
      equal((await it.api.operator("PUT", "sys/leases/revoke", { lease_id: leaseId })).status, 204);
    }
    deepEqual(await it.accounts(), []);
  },
);

databaseTest("users are served by their own names, by the one role for users", async (it) => {
  await it.role("chatbot-users");
  const [alice, bob] = [await it.user("alice"), await it.user("bob")];
  const own = await it.issue("alice", alice);
  match(own.username, /^v-alice-/);
  match(own.leaseId, /^database\/creds\/alice\//);
  const others = await it.read("alice", bob);
  deepEqual([others.status, /unknown role: alice/.test(others.body.errors[0])], [400, true]);
  // A second role makes it unclear which is meant, until one says so.
  await it.role("admins");
  equal((await it.read("alice", alice)).status, 400);
  await it.role("chatbot-users", { user_bound: true });
  match((await it.issue("alice", alice)).username, /^v-alice-/);
  await it.role("admins", { user_bound: true });
  match((await it.read("alice", alice)).body.errors[0], /several roles have user_bound=true: admins, chatbot-users/);
  // A role of the user's own name wins, with a warning.
  const { body } = await it.api.operator("POST", "database/roles/bob", {
    db_name: "main",
    creation_statements: it.server.creation,
  });
  match(body.warnings[0], /there is a user "bob"/);
  match((await it.issue("bob", bob)).leaseId, /^database\/creds\/bob\//);
});

databaseTest("a connection serves the roles that it allows", async (it) => {
  await it.connect({ allowed_roles: ["chat*", "*-ro"] });
  for (const name of ["chatbot", "app-ro", "other"]) await it.role(name);
  const token = await it.user("alice");
  equal((await it.read("chatbot", token)).status, 200);
  equal((await it.read("app-ro", token)).status, 200);
  const { status, body } = await it.read("other", token);
  deepEqual([status, /"other" is not an allowed role/.test(body.errors[0])], [400, true]);
});

databaseTest("200 callers in the same second each get an account of their own", async (it) => {
  await it.role("reader");
  const token = await it.user("alice");
  const all = await Promise.all(Array.from({ length: 200 }, () => it.issue("reader", token)));
  equal(new Set(all.map(({ username }) => username)).size, 200);
  equal((await it.accounts()).length, 200);
  const { status } = await it.api.operator("PUT", "sys/leases/revoke-prefix/database/creds");
  equal(status, 204);
  deepEqual(await it.accounts(), []);
});

databaseTest("no name of a user breaks out of a statement", async (it) => {
  await it.role("reader");
  const { entity_id } = await it.api.must("POST", "identity/entity", { name: "x'; DROP TABLE notes; --" }).then(() =>
    it.user("eve").then(async (token) => (await it.api.call("GET", "auth/token/lookup-self", { token })).body.data)
  );
  const odd = `e've"; DROP TABLE notes; --`;
  await it.api.must("POST", `identity/entity/id/${entity_id}`, { name: odd });
  const { client_token: token } = await it.api.login("eve");
  const { username, password } = await it.issue("reader", token);
  match(username, /^v-e-ve---DROP-TABL-/);
  equal(await it.server.logsIn(username, password), true);
});

databaseTest("what an entity holds is listed, counted and ended together", async (it) => {
  await it.role("reader");
  const [alice, bob] = [await it.user("alice"), await it.user("bob")];
  const [one, two, bobs] = [
    await it.issue("reader", alice),
    await it.issue("reader", alice),
    await it.issue("reader", bob),
  ];
  const { leases } = it.engine;
  const entityId = [...leases.index.all()].find(({ id }) => id === one.leaseId)!.entityId;
  deepEqual(leases.heldBy(entityId).map(({ username }) => username), [one.username, two.username]);
  deepEqual(leases.counts, { live: 3, pending: 0 });
  const seen: string[] = [];
  it.engine.connections.addObserver(({ operation, isOk, seconds }) => seen.push(`${operation} ${isOk} ${seconds > 0}`));
  equal((await leases.endOfEntity(entityId)).isQueued, false);
  deepEqual(await it.accounts(), [bobs.username]);
  deepEqual(leases.counts, { live: 1, pending: 0 });
  deepEqual(seen, ["revoke true true", "revoke true true"]);
});

stopServersAfterwards();
