/**
 * Connections over TLS: the server's certificate is checked against the authority that is given, and nothing goes in the clear.
 */

import { deepEqual, equal, match } from "node:assert/strict";
import { databaseTest, stopServersAfterwards } from "./_database_api.ts";
import { VAULT_PASSWORD, VAULT_USER } from "./_servers.ts";

databaseTest("TLS: the right authority lets in, another one and a server without TLS don't", async (it) => {
  const { certificate, port, url, kind, pluginName } = it.server;
  const ca = await Deno.readTextFile(`${certificate!.folder}/ca.pem`);
  const other = await Deno.readTextFile(`${certificate!.folder}/other.pem`);
  const secure = kind === "mysql" ? `${url}?tls=true` : url.replace("sslmode=disable", "sslmode=verify-full");
  const write = async (body: Record<string, unknown>) => {
    const account = { username: VAULT_USER, password: VAULT_PASSWORD, plugin_name: pluginName, allowed_roles: "*" };
    const answer = await it.api.operator("POST", "database/config/main", {
      ...account,
      connection_url: secure,
      ...body,
    });
    return `${answer.status} ${answer.body?.errors?.[0] ?? ""}`;
  };
  equal(await write({ tls_ca: ca }), "204 ");
  match(await write({ tls_ca: other }), /^400 error creating database object: error verifying/);
  match(await write({ tls_ca: null }), /^400 error creating database object: error verifying/);
  equal(await write({ tls_ca: null, tls_skip_verify: true }), "204 ");
  equal(await write({ tls_ca: ca, tls_skip_verify: false }), "204 ");
  await it.role("reader");
  const { username, password, leaseId } = await it.issue("reader", await it.user("alice"));
  equal(await it.server.logsIn(username, password), true);
  const encrypted = kind === "mysql"
    ? `SELECT COUNT(*) AS count FROM information_schema.PROCESSLIST WHERE USER = '${VAULT_USER}'`
    : `SELECT COUNT(*) AS count FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE usename = '${VAULT_USER}' AND ssl`;
  const [row] = await it.server.admin(encrypted);
  equal(Number(row!["count"]) > 0, true);
  equal((await it.api.operator("PUT", "sys/leases/revoke", { lease_id: leaseId })).status, 204);
  deepEqual([await it.accounts(), port > 0], [[], true]);
}, { fresh: true, hasTls: true });

stopServersAfterwards();
