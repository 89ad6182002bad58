/**
 * A cut-off and the accounts that a user has on other servers: gone at once, or told to be pending and since when.
 */

import { deepEqual, equal, ok } from "node:assert/strict";
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

stopServersAfterwards();
