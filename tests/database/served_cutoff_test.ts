/**
 * `runevault user cutoff` on a started server, of somebody who holds one of everything while their database is away.
 */

import { deepEqual, equal, match, ok } from "node:assert/strict";
import { status } from "@grpc/grpc-js";
import { parseLine } from "../../vault/audit/entry.ts";
import { AdminHttp, cli, eventually, VaultClient } from "../clients.ts";
import { ServedApi } from "../identity/_served.ts";
import { serversAreThere, startMariaDb, VAULT_PASSWORD, VAULT_USER } from "./_servers.ts";

const POLICY = `path "database/creds/+" { capabilities = ["read"] }
  path "auth/token/create" { capabilities = ["create", "update"] }
  path "sys/wrapping/*" { capabilities = ["create", "update", "read"] }`;

Deno.test({
  name:
    "a cut-off with the database away: all else has ended at once, the accounts are pending since then, until it is back [apt install mariadb-server]",
  ignore: !await serversAreThere(),
  // The drivers keep what they have read of certificates.
  sanitizeResources: false,
  sanitizeOps: false,
  async fn() {
    await using server = await startMariaDb();
    await using api = await ServedApi.start();
    using admin = AdminHttp.of(api.server);
    using vault = VaultClient.of(api.server);
    const must = async (method: string, path: string, body?: unknown) => {
      const { status, body: answer } = await api.operator(method, path, body);
      equal(status < 300, true, `${path}: ${JSON.stringify(answer)}`);
      return answer;
    };
    await must("POST", "sys/mounts/database", { type: "database" });
    await must("POST", "database/config/main", {
      plugin_name: server.pluginName,
      connection_url: server.url,
      username: VAULT_USER,
      password: VAULT_PASSWORD,
      allowed_roles: "*",
    });
    await must("POST", "database/roles/reader", { db_name: "main", creation_statements: server.creation });
    const briefly = { db_name: "main", creation_statements: server.creation, default_ttl: "1s", max_ttl: "1s" };
    await must("POST", "database/roles/brief", briefly);
    await must("PUT", "sys/policies/acl/creds", { policy: POLICY });
    await must("POST", "sys/auth/userpass", { type: "userpass" });
    const role = {
      name: "dba",
      scope: ["get_bundle", "get_dek"],
      top_k: 1,
      rate_limit: "1000/60s",
      policies: ["creds"],
    };
    await admin.expect("POST", "/roles", role);
    await admin.expect("POST", "/users", { user: "alice", password: "pw" });
    await must("POST", "auth/userpass/users/alice", { policies: ["creds"] });
    const evt = await admin.issue("alice", "dba");
    await vault.bundle(evt);
    const call = async (method: string, path: string, token: string | undefined, body?: unknown) => {
      const answered = await api.call(method, path, token, body);
      equal(answered.status, 200, `${path}: ${JSON.stringify(answered.body)}`);
      return answered.body;
    };
    const login = (await call("POST", "auth/userpass/login/alice", undefined, { password: "pw" })).auth.client_token;
    const children = [];
    for (const token of [evt, login]) children.push((await call("POST", "auth/token/create", token)).auth.client_token);
    const brief = await call("GET", "database/creds/brief", evt);
    const accounts = [];
    for (const token of [evt, login, ...children]) {
      accounts.push((await call("GET", "database/creds/reader", token)).data.username as string);
    }
    await eventually("the end of the brief one", async () => (await server.accounts("v-")).length === 4, 30_000);

    const own = (await Deno.readTextFile(`${api.server.dataDir}/audit.log`)).split("\n").slice(0, -1).map(parseLine);
    const expired = own.filter(({ operation }) => operation === "expire_leases");
    deepEqual(expired.map(({ face, user, effects }) => [face, user, effects!.map(({ id, act }) => [id, act])]), [
      ["vault", undefined, [[brief.lease_id, "ended"]]],
    ]);

    await server.stop();
    const before = Date.now();
    const cut = await cli(api.server, ["user", "cutoff", "alice", "--reason", "laptop stolen"]);
    deepEqual([cut.code, cut.stderr], [0, ""], cut.stdout);
    match(cut.stdout, /^Ended: +1 user token, 3 login or child tokens, 0 wrapped answers, 4 leases$/m);
    match(cut.stdout, /^Logins blocked: +auth\/userpass\/login\/alice$/m);
    const pending = [...cut.stdout.matchAll(/^Still pending: +(\S+) on main since (\S+): (.+)$/gm)];
    deepEqual(pending.map(([, account]) => account).sort(), accounts.toSorted(), cut.stdout);
    for (const [, , since] of pending) {
      ok(Date.parse(since!) >= before - 1000 && Date.parse(since!) <= Date.now(), cut.stdout);
    }
    match(cut.stdout, /^still held by alice: data key since /m);

    equal((await vault.manifest(evt)).code, status.UNAUTHENTICATED);
    for (const token of [evt, login, ...children]) {
      equal((await api.call("GET", "auth/token/lookup-self", token)).status, 403);
    }
    equal((await api.call("POST", "auth/userpass/login/alice", undefined, { password: "pw" })).status, 403);

    const reasons = async () => (await cli(api.server, ["user", "cutoff", "alice"])).stdout;
    await eventually("why they are pending", async () => !/: on its way$/m.test(await reasons()), 60_000);
    const again = await reasons();
    deepEqual([...again.matchAll(/since (\S+): /g)].map(([, since]) => since), pending.map(([, , since]) => since));
    await server.start();
    await eventually("the accounts' end", async () => (await server.accounts("v-")).length === 0, 120_000);
    await eventually("nothing pending", async () => /^Still pending: +nothing$/m.test(await reasons()), 60_000);
  },
});
