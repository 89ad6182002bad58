/**
 * A cut-off and the accounts that a user has on other servers: gone at once, or told to be pending and since when.
 */

import { deepEqual, equal, match, ok } from "node:assert/strict";
import { systemClock } from "../../server/clock.ts";
import { databaseTest, stopServersAfterwards } from "./_database_api.ts";

databaseTest("a cut-off takes the user's accounts away, and their open sessions with them", async (it) => {
  await it.role("reader");
  const token = await it.user("alice");
  const { username, password } = await it.issue("reader", token);
  await it.issue("reader", token);
  const answers = await it.server.session(username, password);
  const { ended, pending } = await it.api.vault.vault.engine.cutOff.cutOff("alice");
  deepEqual([ended.leases, pending], [2, []]);
  deepEqual([await answers(), await it.server.logsIn(username, password), await it.accounts()], [false, false, []]);
});

databaseTest(
  "accounts on a server that is away are pending until it answers again, and the vault refuses meanwhile",
  async (it) => {
    await it.role("reader");
    const token = await it.user("alice");
    const { leaseId, username } = await it.issue("reader", token);
    await it.server.stop();
    const { cutOff } = it.api.vault.vault.engine;
    const before = systemClock.now();
    const { ended, pending } = await cutOff.cutOff("alice");
    equal(ended.leases, 1);
    deepEqual(pending.map(({ leaseId, account }) => [leaseId, account]), [[leaseId, `${username} on main`]]);
    ok(pending[0]!.since >= before && pending[0]!.since <= systemClock.now());
    equal((await it.read("reader", token)).status, 403);
    await it.until(() => cutOff.show("alice").pending[0]?.reason !== null, "a reason");
    const again = await cutOff.cutOff("alice");
    deepEqual([again.ended.leases, again.pending[0]!.since], [0, pending[0]!.since], "still since the first cut-off");
    await it.server.start();
    await it.until(() => cutOff.show("alice").pending.length === 0, "the account's end", 30_000);
    deepEqual(await it.accounts(), []);
  },
  { fresh: true },
);

databaseTest("S16: passwords of static accounts that a user has read are told, until they change", async (it) => {
  const statement = it.server.kind === "mysql"
    ? "CREATE OR REPLACE USER 'payroll'@'%' IDENTIFIED BY 'old-Password-0'"
    : "CREATE ROLE payroll LOGIN PASSWORD 'old-Password-0'";
  await (it.server.kind === "mysql" ? it.server.admin(statement) : it.server.asVault(statement));
  const role = { db_name: "main", username: "payroll", rotation_period: "24h" };
  await it.api.must("POST", "database/static-roles/payroll", role);
  await it.api.must("POST", "database/static-roles/unread", { ...role, rotation_period: "48h" });
  await it.api.policy("static", `path "database/static-creds/payroll" { capabilities = ["read"] }`);
  await it.api.withUsers("alice");
  await it.api.must("POST", "auth/userpass/users/alice", { policies: ["static"] });
  const { client_token: token } = await it.api.login("alice");
  const before = systemClock.now();
  for (let time = 0; time < 2; time++) {
    equal((await it.api.call("GET", "database/static-creds/payroll", { token })).status, 200);
  }
  await it.restart();
  await it.api.must("POST", "database/static-roles/payroll", { ...role, rotation_period: "36h" });
  const { cutOff } = it.api.vault.vault.engine;
  const [held, ...others] = (await cutOff.cutOff("alice")).held;
  deepEqual([held!.what, held!.path, others], ["database password", "database/static-creds/payroll", []]);
  ok(held!.since! >= before && held!.since! <= systemClock.now());
  match(held!.remedy, /`runevault db static-role rotate payroll`$/);
  await it.api.must("POST", "database/rotate-role/payroll");
  deepEqual(cutOff.show("alice").held, []);
});

stopServersAfterwards();
