/**
 * Accounts that are made while their leases are still on their way to the disk: whatever dies or fails in between, none is left
 * without a lease, and none that somebody has goes.
 */

import { deepEqual, equal, ok } from "node:assert/strict";
import { type DatabaseApi, databaseTest, stopServersAfterwards } from "./_database_api.ts";
import { VAULT_PASSWORD } from "./_servers.ts";

/** As many as a role has at most. */
const MOST = 8;

function spares(it: DatabaseApi): string[] {
  return [...it.api.vault.vault.state.table("spare_account").keys()];
}

async function revoke(it: DatabaseApi, leaseId: string): Promise<void> {
  equal((await it.api.operator("PUT", "sys/leases/revoke", { lease_id: leaseId })).status, 204);
}

/** Issues and revokes until a name is set aside for the next account. */
async function haveSpare(it: DatabaseApi, token: string, role = "reader"): Promise<void> {
  await it.until(async () => {
    await revoke(it, (await it.issue(role, token)).leaseId);
    return spares(it).length > 0;
  }, "a spare");
}

/** Asks for an account, and returns when it is there; nothing is committed until `release` is called. */
async function madeBeforeItsLease(it: DatabaseApi, token: string, role = "reader") {
  const made = Promise.withResolvers<void>();
  const release = it.api.vault.store.hold();
  it.faults.afterRun = made.resolve;
  const answer = it.read(role, token);
  const late = new Promise<never>((_, reject) => setTimeout(() => reject(new Error("no account is made")), 10_000));
  try {
    await Promise.race([made.promise, late]);
  } catch (error) {
    release();
    throw error;
  } finally {
    it.faults.afterRun = undefined;
  }
  return { answer, release };
}

databaseTest("killed between the account and its lease on disk: the next start takes the account away", async (it) => {
  await it.role("reader");
  const token = await it.user("alice");
  const kept = await it.issue("reader", token);
  for (let kill = 1; kill <= 3; kill++) {
    await haveSpare(it, token);
    await madeBeforeItsLease(it, token);
    equal((await it.accounts()).length, 2, "one of them has no lease");
    await it.restart();
    await it.until(async () => (await it.accounts()).length === 1, `the account of kill ${kill} goes`);
  }
  deepEqual(await it.accounts(), [kept.username]);
  equal(await it.server.logsIn(kept.username, kept.password), true, "what was handed out stays");
});

databaseTest("killed with the server away: the account waits for it, and goes when it is back", async (it) => {
  await it.role("reader");
  const token = await it.user("alice");
  await haveSpare(it, token);
  await madeBeforeItsLease(it, token);
  await it.server.stop();
  await it.restart();
  await it.until(() => it.engine.leases.held().some(({ revokeError }) => revokeError !== undefined), "a failure");
  const [pending] = it.engine.leases.held();
  deepEqual([pending!.state, pending!.username.startsWith("*-"), spares(it)], ["ending", true, []]);
  await it.server.start();
  await it.until(async () => (await it.accounts()).length === 0, "the account goes", 30_000);
}, { fresh: true });

databaseTest("the commit fails while the account is made: it is taken away before the answer", async (it) => {
  await it.role("reader");
  const token = await it.user("alice");
  await haveSpare(it, token);
  const { answer, release } = await madeBeforeItsLease(it, token);
  it.api.vault.store.failNext();
  release();
  const { status } = await answer;
  deepEqual([status, await it.accounts()], [500, []]);
  equal(it.engine.leases.list("database").length <= 1, true, "at most what is looked for once more");
  const next = await it.issue("reader", token);
  equal(await it.server.logsIn(next.username, next.password), true);
});

databaseTest("a token that ends while its account is made gets none", async (it) => {
  await it.role("reader");
  const token = await it.user("alice");
  await haveSpare(it, token);
  const made = Promise.withResolvers<void>();
  it.faults.afterRun = made.resolve;
  const release = it.api.vault.store.hold();
  const revoked = it.api.call("POST", "auth/token/revoke-self", { token });
  const answer = it.read("reader", token);
  await made.promise;
  it.faults.afterRun = undefined;
  release();
  deepEqual([(await revoked).status, (await answer).status], [204, 403]);
  await it.until(async () => (await it.accounts()).length === 0, "the account goes");
});

databaseTest("statements that fail half-way leave no account, also beside the commit", async (it) => {
  await it.role("reader");
  const token = await it.user("alice");
  await haveSpare(it, token);
  it.faults.run = "after";
  equal((await it.read("reader", token)).status, 500);
  it.faults.run = undefined;
  await it.until(async () => (await it.accounts()).length === 0, "the account goes");
});

databaseTest("a role or a connection that changes has no spares any more, nor a vault that was stopped", async (it) => {
  const token = await it.user("alice");
  const changes: [what: string, change: () => Promise<unknown>][] = [
    ["role written", () => it.role("reader", { default_ttl: "2h" })],
    ["role deleted", () => it.api.must("DELETE", "database/roles/reader")],
    ["connection written", () => it.connect()],
    ["connection deleted", () => it.api.must("DELETE", "database/config/main")],
    ["vault stopped", async () => {
      await it.api.vault.close();
      await it.api.reopen();
      it.startSweepers();
    }],
  ];
  for (const [what, change] of changes) {
    await it.connect();
    await it.role("reader");
    await haveSpare(it, token);
    await change();
    deepEqual([spares(it), it.api.vault.store.disk.table("spare_account").size], [[], 0], what);
  }
});

databaseTest("200 callers at once leave a handful of spares, and a start after a kill none", async (it) => {
  await it.role("reader");
  const token = await it.user("alice");
  await haveSpare(it, token);
  const all = await Promise.all(Array.from({ length: 200 }, () => it.issue("reader", token)));
  ok(spares(it).length > 1 && spares(it).length <= MOST, `${spares(it).length}`);
  equal(new Set(all.map(({ username }) => username)).size, 200);
  await it.restart();
  await it.until(() => spares(it).length === 0, "those of before");
  equal((await it.accounts()).length, 200, "no account that somebody has is taken for one that nobody has");
});

databaseTest(
  "tokens end, roles change and go, pools are reset while accounts are made: none is left that isn't leased",
  async (it) => {
    await it.role("reader");
    const live = () => it.engine.leases.held().filter(({ state }) => state === "live").map(({ username }) => username);
    const disturbances: [what: string, status: number, disturb: (token: string) => Promise<unknown>][] = [
      ["token ended", 403, (token) => it.api.call("POST", "auth/token/revoke-self", { token })],
      ["role deleted", 200, () => it.api.must("DELETE", "database/roles/reader")],
      ["role written", 200, () => it.role("reader", { default_ttl: "2h" })],
      ["pool reset", 200, () => it.api.must("POST", "database/reset/main")],
    ];
    for (const [what, status, disturb] of disturbances) {
      const token = await it.user(`user-of-${what.replace(" ", "-")}`);
      await it.role("reader");
      await haveSpare(it, token);
      const asked = Array.from({ length: 12 }, () => it.read("reader", token));
      const [answers] = await Promise.all([Promise.all(asked), disturb(token)]);
      const statuses = new Set(answers.map((one) => one.status));
      statuses.delete(200);
      ok(
        statuses.size === 0 || status !== 200 && statuses.size === 1 && statuses.has(status),
        `${what}: ${[...statuses]}`,
      );
      await it.until(
        async () => `${await it.accounts()}` === `${live().sort()}`,
        `${what}: accounts as leased`,
        20_000,
      );
      if (status !== 200) deepEqual(live(), [], what);
    }
  },
);

databaseTest("an account of another kind of name is left alone, whatever it ends in", async (it) => {
  await it.role("reader");
  const token = await it.user("alice");
  await haveSpare(it, token);
  const [end] = spares(it);
  const name = `w${end}`;
  const at = it.server.kind === "mysql" ? `'${name}'@'%' IDENTIFIED BY` : `"${name}" LOGIN PASSWORD`;
  await it.server.admin(`CREATE USER ${at} '${VAULT_PASSWORD}'`);
  await it.restart();
  await it.until(() => it.engine.leases.counts.pending > 0 && spares(it).length === 0, "the look for it");
  await new Promise((resolve) => setTimeout(resolve, 500));
  deepEqual(await it.server.accounts("w-"), [name]);
  await it.server.admin(`DROP USER ${it.server.kind === "mysql" ? `'${name}'@'%'` : `"${name}"`}`);
});

databaseTest("a restored store takes no account away that was made after its backup", async (it) => {
  await it.role("reader");
  const token = await it.user("alice");
  await haveSpare(it, token);
  const backup = [...it.api.vault.store.disk.table("spare_account")];
  const { username } = await it.issue("reader", token);
  ok(backup.some(([end]) => username.endsWith(end)), "the account that the copy knows the end of the name of");
  await it.api.vault.kill();
  const { disk } = it.api.vault.store;
  disk.table("lease").clear();
  for (const [end, text] of backup) disk.table("spare_account").set(end, text);
  disk.table("meta").set("restored_from", JSON.stringify({ value: "yesterday" }));
  await it.api.vault.restart({ rollback: { accept: true, keepTokens: true } });
  it.startSweepers();
  deepEqual([spares(it), it.engine.leases.held()], [[], []]);
  await it.api.reopen();
  it.startSweepers();
  await new Promise((resolve) => setTimeout(resolve, 500));
  deepEqual(await it.accounts(), [username]);
  await it.server.dropByHand(username);
});

databaseTest("where accounts can't be looked for, and where operators name them, there are no spares", async (it) => {
  const token = await it.user("alice");
  await it.connect({ username_template: 'v-{{ printf "%s-%s" (.RoleName) (random 12) }}' });
  await it.role("reader");
  for (let time = 0; time < 3; time++) await revoke(it, (await it.issue("reader", token)).leaseId);
  deepEqual(spares(it), []);
  if (it.server.kind === "mysql") {
    await it.server.admin(`CREATE OR REPLACE USER blind@'%' IDENTIFIED BY '${VAULT_PASSWORD}'`);
    await it.server.admin("GRANT CREATE USER ON *.* TO blind@'%'");
    await it.server.admin("GRANT SELECT ON app.* TO blind@'%' WITH GRANT OPTION");
    await it.connect({ username: "blind", username_template: "" });
    for (let time = 0; time < 3; time++) await it.issue("reader", token);
    deepEqual(spares(it), []);
  }
  await it.connect({ username_template: "" });
});

stopServersAfterwards();
