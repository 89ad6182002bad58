/**
 * Leases of database accounts come back, and a copy of a vault leaves the accounts alone.
 *
 * @module
 */

import { equal, match } from "node:assert/strict";
import { cli, eventually, sleep } from "../clients.ts";
import { serversAreThere, startPostgres, VAULT_PASSWORD, VAULT_USER } from "../database/_servers.ts";
import { ServedApi } from "../identity/_served.ts";
import { temporaryFolder } from "../started_server.ts";
import { must, serve } from "./_backup.ts";

async function withLease(api: ServedApi, server: Awaited<ReturnType<typeof startPostgres>>) {
  const operator = async (method: string, path: string, body?: unknown) => {
    const answered = await api.operator(method, path, body);
    equal(answered.status < 300, true, `${path}: ${JSON.stringify(answered.body)}`);
  };
  await operator("POST", "sys/mounts/database", { type: "database" });
  await operator("POST", "database/config/main", {
    plugin_name: server.pluginName,
    connection_url: server.url,
    username: VAULT_USER,
    password: VAULT_PASSWORD,
    allowed_roles: "*",
  });
  await operator("POST", "database/roles/reader", { db_name: "main", creation_statements: server.creation });
  const { body } = await api.call("GET", "database/creds/reader", await api.rootToken());
  return {
    leaseId: body.lease_id as string,
    username: body.data.username as string,
    password: body.data.password as string,
  };
}

Deno.test({
  name:
    "a lease comes back with its token, and ends in a copy only where nothing says to leave it alone [apt install postgresql]",
  ignore: !await serversAreThere(),
  // The drivers keep what they have read of certificates.
  sanitizeResources: false,
  sanitizeOps: false,
  async fn() {
    await using place = await temporaryFolder();
    await using server = await startPostgres();
    const [file, kept, ended] = ["vault.age", "kept", "ended"].map((name) => `${place.path}/${name}`) as [
      string,
      string,
      string,
    ];
    const original = await ServedApi.start({ dataDir: `${place.path}/data` });
    const { leaseId, username, password } = await withLease(original, server);
    await must(original.server.dataDir, ["backup", file]);
    await original.server.kill();
    const logsIn = () => server.logsIn(username, password);

    await must(kept, ["restore", file]);
    {
      await using api = await serve(kept, ["--accept-rollback", "--keep-tokens"]);
      const { status, body } = await api.operator("PUT", "sys/leases/lookup", { lease_id: leaseId });
      equal(status, 200, JSON.stringify(body));
      equal(await logsIn(), true);
    }

    await must(ended, ["restore", file]);
    {
      // Its token ends with all others, so the lease is to end.
      await using api = await serve(ended, ["--accept-rollback", "--pause-revocation"]);
      await sleep(2000);
      equal(await logsIn(), true, "the account belongs to the vault that still runs");
      const { code, stderr } = await cli(api.server, ["lease", "revoke", leaseId]);
      equal(code, 1);
      match(stderr, /leaves database accounts alone/);
      equal(await logsIn(), true);
    }
    await using api = await serve(ended);
    await eventually("the account is taken away", async () => !await logsIn(), 20_000);
    equal((await api.operator("PUT", "sys/leases/lookup", { lease_id: leaseId })).status, 400);
  },
});
