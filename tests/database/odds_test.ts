/**
 * What goes wrong with servers and rights: too many at once, rights that are missing, objects that belong to accounts, servers
 * that say nothing any more.
 */

import { deepEqual, equal, match, ok } from "node:assert/strict";
import { databaseTest, stopServersAfterwards } from "./_database_api.ts";
import { VAULT_PASSWORD } from "./_servers.ts";

databaseTest("200 callers on 40 connections: no collision of grants or drops surfaces", async (it) => {
  await it.connect({ max_open_connections: 40 });
  await it.role("reader");
  const token = await it.user("alice");
  const began = Date.now();
  const all = await Promise.all(Array.from({ length: 200 }, () => it.read("reader", token)));
  const failed = all.filter(({ status }) => status !== 200);
  deepEqual(failed.map(({ body }) => body), []);
  const revoked = await Promise.all(
    all.map(({ body }) => it.api.operator("PUT", "sys/leases/revoke", { lease_id: body.lease_id })),
  );
  deepEqual(revoked.filter(({ status }) => status !== 204).map(({ body }) => body), []);
  deepEqual(await it.accounts(), []);
  ok(Date.now() - began < 120_000);
});

databaseTest("creds answers to GET alone, and to nobody without the right", async (it) => {
  await it.role("reader");
  equal((await it.api.operator("POST", "database/creds/reader", {})).status, 405);
  equal((await it.api.operator("LIST", "database/creds")).status, 404);
  await it.api.withUsers("nobody");
  const { client_token: token } = await it.api.login("nobody");
  equal((await it.read("reader", token)).status, 403);
  deepEqual(await it.accounts(), []);
});

databaseTest("bad roles are refused when they are written", async (it) => {
  const write = async (body: unknown) => {
    const answer = await it.api.operator("POST", "database/roles/odd", body);
    return `${answer.status} ${answer.body?.errors?.[0] ?? ""}`;
  };
  match(await write({}), /^400 database name is required/);
  match(await write({ db_name: "main", creation_statements: " ; " }), /^400 invalid statements: there is no statement/);
  match(await write({ db_name: "main", credential_type: "rsa" }), /^400 invalid credential_type "rsa"/);
  match(await write({ db_name: "main", default_ttl: "1.5" }), /^400 error converting input for field "default_ttl"/);
  match(await write({ db_name: "main", default_ttl: "-1s" }), /^400 /);
  equal(await write({ db_name: "nowhere" }), "204 ");
  const token = await it.user("alice");
  match((await it.read("odd", token)).body.errors[0], /^empty creation statements/);
  equal(await write({ creation_statements: it.server.creation }), "204 ");
  const { status, body } = await it.read("odd", token);
  deepEqual([status, body.errors[0]], [500, 'failed to find entry for connection with name: "nowhere"']);
  match((await it.read("x'; DROP", token)).body.errors[0], /unsupported path|unknown role/);
});

databaseTest(
  "S15: where the right to end sessions is missing the revocation says so, and drops the account",
  async (it) => {
    if (it.server.kind === "postgresql") return await pgWithoutSignals(it);
    await it.server.admin(`CREATE OR REPLACE USER weak@'%' IDENTIFIED BY '${VAULT_PASSWORD}'`);
    await it.server.admin("GRANT CREATE USER ON *.* TO weak@'%'");
    await it.server.admin("GRANT SELECT ON app.* TO weak@'%' WITH GRANT OPTION");
    await it.connect({ username: "weak" });
    await it.role("reader");
    const { leaseId, username, password } = await it.issue("reader", await it.user("alice"));
    const { status, body } = await it.api.operator("PUT", "sys/leases/revoke", { lease_id: leaseId });
    deepEqual([status, /sessions not ended/.test(body.warnings[0])], [200, true]);
    equal(await it.server.logsIn(username, password), false);
    await it.connect();
  },
);

databaseTest("S15: whoever may not end sessions is told of those that may go on, and of none else", async (it) => {
  if (it.server.kind === "postgresql") return;
  for (const maySee of [false, true]) {
    await it.server.admin(`CREATE OR REPLACE USER weak@'%' IDENTIFIED BY '${VAULT_PASSWORD}'`);
    await it.server.admin(`GRANT CREATE USER${maySee ? ", PROCESS" : ""} ON *.* TO weak@'%'`);
    // Whoever has this sees what others are allowed, too.
    await it.server.admin("GRANT SELECT ON mysql.* TO weak@'%'");
    await it.server.admin("GRANT SELECT ON app.* TO weak@'%' WITH GRANT OPTION");
    await it.connect({ username: "weak" });
    await it.role("reader");
    const token = await it.user("alice");
    for (const isOpen of [false, true, true]) {
      const { leaseId, username, password } = await it.issue("reader", token);
      const answers = isOpen ? await it.server.session(username, password) : () => Promise.resolve(false);
      const { status, body } = await it.api.operator("PUT", "sys/leases/revoke", { lease_id: leaseId });
      const isTold = /sessions not ended/.test(body?.warnings?.[0]);
      const isToBeTold = isOpen || !maySee;
      deepEqual([status, isTold], [isToBeTold ? 200 : 204, isToBeTold], `may see: ${maySee}`);
      deepEqual([await answers(), await it.server.logsIn(username, password)], [isOpen, false]);
    }
    await it.server.admin("DROP USER weak@'%'");
  }
  await it.connect();
});

/** There the account that made another is a member of it, and needs no more to end its sessions. */
async function pgWithoutSignals(it: Parameters<Parameters<typeof databaseTest>[1]>[0]): Promise<void> {
  await it.server.admin(`CREATE ROLE weak LOGIN CREATEROLE PASSWORD '${VAULT_PASSWORD}'`);
  await it.server.admin("GRANT SELECT ON notes TO weak WITH GRANT OPTION");
  await it.connect({ username: "weak" });
  await it.role("reader");
  const { leaseId, username, password } = await it.issue("reader", await it.user("alice"));
  const answers = await it.server.session(username, password);
  equal((await it.api.operator("PUT", "sys/leases/revoke", { lease_id: leaseId })).status, 204);
  equal(await answers(), false);
  await it.connect();
}

databaseTest(
  "S15: sessions end with each account that goes, the first on a connection and those after it",
  async (it) => {
    await it.role("reader");
    const token = await it.user("alice");
    for (let time = 1; time <= 3; time++) {
      const { leaseId, username, password } = await it.issue("reader", token);
      const answers = await it.server.session(username, password);
      equal((await it.api.operator("PUT", "sys/leases/revoke", { lease_id: leaseId })).status, 204);
      deepEqual([await answers(), await it.server.logsIn(username, password)], [false, false], `revocation ${time}`);
    }
  },
);

databaseTest("an account at several hosts is locked and dropped at all of them", async (it) => {
  if (it.server.kind === "postgresql") return;
  await it.role("reader");
  const first = await it.issue("reader", await it.user("alice"));
  equal((await it.api.operator("PUT", "sys/leases/revoke", { lease_id: first.leaseId })).status, 204);
  await it.role("two", {
    creation_statements: [
      ...it.server.creation,
      "CREATE USER '{{name}}'@'127.0.0.1' IDENTIFIED BY '{{password}}' -- too",
    ],
  });
  const { leaseId, username, password } = await it.issue("two", await it.user("alice"));
  deepEqual(await it.accounts(), [username, username]);
  const answers = await it.server.session(username, password);
  equal((await it.api.operator("PUT", "sys/leases/revoke", { lease_id: leaseId })).status, 204);
  deepEqual([await it.accounts(), await answers()], [[], false]);
});

databaseTest("what an account owned goes to the vault's account, and doesn't keep it", async (it) => {
  if (it.server.kind === "mysql") return;
  await it.server.admin("GRANT CREATE, USAGE ON SCHEMA public TO vaultadmin WITH GRANT OPTION");
  await it.role("maker", {
    creation_statements: [...it.server.creation, `GRANT CREATE, USAGE ON SCHEMA public TO "{{name}}"`],
  });
  const { leaseId, username, password } = await it.issue("maker", await it.user("alice"));
  await it.server.runAs(username, password, "CREATE TABLE drafts (text VARCHAR(10))");
  equal((await it.api.operator("PUT", "sys/leases/revoke", { lease_id: leaseId })).status, 204);
  deepEqual(await it.accounts(), []);
  const [row] = await it.server.admin("SELECT tableowner AS owner FROM pg_tables WHERE tablename = 'drafts'");
  equal(row!["owner"], "vaultadmin");
});

databaseTest(
  "240 revocations at once by an account that is a member of 2,000 roles: none lacks a right",
  async (it) => {
    if (it.server.kind === "mysql") return;
    const many =
      "FOR i IN 1..2000 LOOP EXECUTE 'CREATE ROLE many' || i; EXECUTE 'GRANT many' || i || ' TO vaultadmin'; END LOOP";
    await it.server.admin(`DO $$ BEGIN ${many}; END $$`);
    await it.connect({ max_open_connections: 16 });
    await it.role("reader");
    const token = await it.user("alice");
    const issued = await Promise.all(Array.from({ length: 240 }, () => it.issue("reader", token)));
    const revoked = await Promise.all(
      issued.map(({ leaseId }) => it.api.operator("PUT", "sys/leases/revoke", { lease_id: leaseId })),
    );
    deepEqual(revoked.filter(({ status }) => status !== 204).map(({ body }) => body), []);
    deepEqual(await it.accounts(), []);
  },
  { fresh: true },
);

databaseTest("a server that says nothing any more holds nobody up for ever", async (it) => {
  await it.role("reader");
  const token = await it.user("alice");
  const { leaseId } = await it.issue("reader", token);
  it.server.freeze(true);
  try {
    const began = Date.now();
    const [revoked, issued] = await Promise.all([
      it.api.operator("PUT", "sys/leases/revoke", { lease_id: leaseId }),
      it.read("reader", token),
    ]);
    deepEqual([revoked.status, issued.status], [400, 500]);
    ok(Date.now() - began < 60_000);
    equal(it.engine.leases.counts.pending, 1, "the account that may be made still");
  } finally {
    it.server.freeze(false);
  }
  equal((await it.api.operator("PUT", "sys/leases/revoke", { lease_id: leaseId })).status, 204);
  await it.until(async () => (await it.accounts()).length === 0, "the account that was made late", 90_000);
}, { fresh: true });

stopServersAfterwards();
