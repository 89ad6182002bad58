/**
 * What is told of databases and leases, against a real server.
 */

import { equal, match, ok } from "node:assert/strict";
import { Registry } from "prom-client";
import { VaultMetrics } from "../../server/vault_metrics.ts";
import { databaseTest, stopServersAfterwards } from "./_database_api.ts";

databaseTest("requests to servers are timed by plugin, operation and outcome, and leases are counted", async (it) => {
  const registry = new Registry();
  new VaultMetrics(registry, it.api.vault.vault, {
    now: Date.now,
    loopDelaySeconds: () => 0,
    certificateEnds: () => [],
  });
  await it.role("reader");
  const { leaseId } = await it.issue("reader", await it.user("alice"));
  const labels = `plugin="${it.server.pluginName}",operation="[a-z_]+",status="success"`;
  const timed = new RegExp(`^runevault_database_request_duration_seconds_count\\{${labels}\\} \\d+$`, "m");
  match(await registry.metrics(), timed);
  const leases = async () => {
    const text = await registry.metrics();
    return ["live", "pending"].map((state) => Number(text.match(`runevault_leases{state="${state}"} (\\d+)`)![1]));
  };
  equal((await leases()).join(), "1,0");
  await it.api.must("PUT", "sys/leases/revoke", { lease_id: leaseId });
  equal((await leases()).join(), "0,0");
  ok(!(await registry.metrics()).includes('status="error"'));
});

stopServersAfterwards();
