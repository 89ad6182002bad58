/**
 * Database accounts of a started vault, from source or compiled: by Python's hvac, npm's node-vault, the command line, and
 * ended over every face that can end a token.
 */

import { deepEqual, equal, match, ok } from "node:assert/strict";
import vaultClient from "node-vault";
import { Identity } from "../../proto/gen/runevault/v1/identity_pb.ts";
import { AdminHttp, cli, eventually, VaultClient } from "../clients.ts";
import { hasHvac, PYTHON } from "../identity/_hvac.ts";
import { ServedApi } from "../identity/_served.ts";
import { findTracesBelow } from "../secret_traces.ts";
import {
  serversAreThere,
  startMariaDb,
  startPostgres,
  type TestServer,
  VAULT_PASSWORD,
  VAULT_USER,
} from "./_servers.ts";

const RECIPE = new URL("./recipe.py", import.meta.url).pathname;
const POLICY = `path "database/creds/+" { capabilities = ["read"] }
  path "auth/token/create" { capabilities = ["create", "update"] }`;
const START = { mysql: startMariaDb, postgresql: startPostgres };
const isThere = await serversAreThere() && await hasHvac();

for (const kind of ["mysql", "postgresql"] as const) {
  Deno.test({
    name:
      `${kind}: accounts by hvac, node-vault and the command line, ended over every face [apt install mariadb-server postgresql python3-hvac]`,
    ignore: !isThere,
    // The drivers keep what they have read of certificates.
    sanitizeResources: false,
    sanitizeOps: false,
    async fn(t) {
      await using server = await START[kind]();
      await using api = await ServedApi.start();
      await t.step("hvac", () => byHvac(api, server));
      await t.step("node-vault", () => byNodeVault(api, server));
      await t.step("the command line", () => byCommandLine(api, server));
      const kept = { password: "" };
      await t.step(
        "every face ends what a token leased",
        async () => void Object.assign(kept, await overEveryFace(api, server)),
      );
      deepEqual(await server.accounts("v-"), []);
      const secrets = {
        "the vault's password": VAULT_PASSWORD,
        "a user's": "alice-password",
        "an account's": kept.password,
      };
      deepEqual(await findTracesBelow(api.server.dataDir, secrets), [], "store, audit trail and all");
      for (const secret of Object.values(secrets)) ok(!api.server.log.includes(secret));
    },
  });
}

async function byHvac(api: ServedApi, server: TestServer): Promise<void> {
  const { pluginName: plugin, url, creation } = server;
  const about = { plugin, url, creation, username: VAULT_USER, password: VAULT_PASSWORD };
  const args = [RECIPE, api.address, await api.rootToken(), JSON.stringify(about)];
  const { code, stdout, stderr } = await new Deno.Command(PYTHON, { args }).output();
  equal(code, 0, new TextDecoder().decode(stderr));
  const seen = JSON.parse(new TextDecoder().decode(stdout));
  deepEqual([seen.connections, seen.roles], [["main"], ["chatbot-users"]]);
  deepEqual(seen.shown, { connection_url: url, username: VAULT_USER });
  deepEqual(seen.issued.map(({ username }: { username: string }) => username.split("-")[1]), ["alice", "alice", "bob"]);
  match(seen.lease_id, /^database\/creds\/alice\/[0-9A-Za-z]{24}$/);
  deepEqual([seen.others, seen.unknown_role], ["Forbidden", "InvalidRequest"]);
  deepEqual([seen.lease, seen.renewed, seen.listed, seen.listed_after], [[true, true], 1800, 2, 1]);
  equal(seen.nothing_left, "InvalidPath");
  for (const { username, password } of seen.issued) {
    equal(await server.logsIn(username, password), false);
    ok(!api.server.log.includes(password), "a password in the log");
  }
}

async function byNodeVault(api: ServedApi, server: TestServer): Promise<void> {
  const admin = vaultClient({ endpoint: api.address, token: await api.rootToken() });
  await admin.mount({ mount_point: "database", type: "database", description: "accounts" });
  await admin.write("database/config/main", {
    plugin_name: server.pluginName,
    connection_url: server.url,
    username: VAULT_USER,
    password: VAULT_PASSWORD,
    allowed_roles: "*",
  });
  await admin.write("database/roles/reader", {
    db_name: "main",
    creation_statements: server.creation,
    default_ttl: "1h",
    max_ttl: "24h",
  });
  const one = await admin.read("database/creds/reader");
  equal(await server.logsIn(one.data.username, one.data.password), true);
  equal((await admin.renew({ lease_id: one.lease_id, increment: 600 })).lease_duration, 600);
  await admin.revoke({ lease_id: one.lease_id });
  equal(await server.logsIn(one.data.username, one.data.password), false);
  await admin.read("database/creds/reader");
  await admin.revokePrefix({ path_prefix: "database/creds" });
  deepEqual(await server.accounts("v-"), []);
  await admin.unmount({ mount_point: "database" });
}

async function byCommandLine(api: ServedApi, server: TestServer): Promise<void> {
  const run = async (args: string[], stdin?: string) => {
    const { code, stdout, stderr } = await cli(api.server, args, stdin);
    equal(code, 0, `${args.join(" ")}\n${stdout}${stderr}`);
    return stdout;
  };
  await run(["db", "enable"]);
  const connection = ["db", "connection", "write", "main", "--plugin", server.kind, "--url", server.url];
  await run([...connection, "--username", VAULT_USER, "--allowed-roles", "*"], `${VAULT_PASSWORD}\n`);
  ok(!(await run(["db", "connection", "show", "main"])).includes(VAULT_PASSWORD));
  const statements = server.creation.flatMap((one) => ["--create", one]);
  await run([
    "db",
    "role",
    "write",
    "reader",
    "--connection",
    "main",
    "--default-ttl",
    "1h",
    ...statements,
    "--user-bound",
  ]);
  equal(await run(["db", "role", "list"]), "reader\n");
  match(await run(["db", "role", "show", "reader"]), /^user_bound: true$/m);
  await run(["db", "connection", "reset", "main"]);
  const [, username, lease] = /^Username: (\S+)\nPassword: \S+\nLease: {4}(\S+)\nEnds in: {2}3600 s\n$/
    .exec(await run(["db", "creds", "reader"]))!;
  ok((await server.accounts("v-")).includes(username!));
  match(await run(["lease", "list"]), new RegExp(`${lease} +${username} +main +live`));
  match(await run(["lease", "renew", lease!, "--increment", "10m"]), /^It ends in 600 s$/m);
  match(await run(["lease", "show", lease!]), /^renewable: true$/m);
  await run(["lease", "revoke", lease!]);
  deepEqual(await server.accounts("v-"), []);
  equal(await run(["lease", "list"]), "");
}

/** Returns one of the accounts that were made. */
async function overEveryFace(api: ServedApi, server: TestServer): Promise<{ password: string }> {
  using admin = AdminHttp.of(api.server);
  using grpc = VaultClient.of(api.server);
  const must = async (method: string, path: string, body?: unknown) => {
    const { status, body: answer } = await api.operator(method, path, body);
    equal(status < 300, true, `${path}: ${JSON.stringify(answer)}`);
    return answer;
  };
  await must("PUT", "sys/policies/acl/creds", { policy: POLICY });
  const role = { name: "dba", scope: ["get_bundle"], top_k: 1, rate_limit: "1000/60s", policies: ["creds"] };
  await admin.expect("POST", "/roles", role);
  const lease = async (token: string) => {
    const { status, body } = await api.call("GET", "database/creds/reader", token);
    equal(status, 200, JSON.stringify(body));
    equal(await server.logsIn(body.data.username, body.data.password), true);
    return body.data as { username: string; password: string };
  };
  const gone = (what: string) => eventually(what, async () => (await server.accounts("v-")).length === 0);
  const child = async (token: string) => (await api.call("POST", "auth/token/create", token)).body.auth.client_token;
  const issued = await cli(api.server, ["token", "issue", "--user", "reader", "--role", "dba"]);
  deepEqual([issued.code, /is the name of a database role/.test(issued.stderr)], [1, true], "S15, for operators too");
  equal((await cli(api.server, ["token", "issue", "--user", "reader", "--role", "dba", "--force"])).code, 0);
  const made = await cli(api.server, ["user", "create", "READER"], "correct horse battery\n");
  deepEqual([made.code, /is the name of a database role|is there already/.test(made.stderr)], [1, true]);
  await admin.revoke("reader");

  const headers = (token: string) => ({ headers: { authorization: `Bearer ${token}` } });

  await lease(await admin.issue("by-admin", "dba"));
  await admin.revoke("by-admin");
  await gone("an evt token's account, revoked over the admin API");

  const evt = await admin.issue("by-grpc", "dba");
  await lease(evt);
  await lease(await child(evt));
  equal((await grpc.call(Identity.method.revokeSelf, {}, headers(evt))).code, 0);
  await gone("accounts of an evt token and of its child, revoked over gRPC");

  await must("POST", "sys/auth/userpass", { type: "userpass" }).catch(() => {});
  await must("POST", "auth/userpass/users/carol", { password: "carol-password", policies: "creds" });
  const logIn = async () =>
    (await api.call("POST", "auth/userpass/login/carol", undefined, { password: "carol-password" })).body.auth;
  const { client_token: token } = await logIn();
  await lease(token);
  match((await cli(api.server, ["lease", "list", "--user", "carol"])).stdout, /v-carol-\S+ +main +live/);
  equal((await api.call("POST", "auth/token/revoke-self", token)).status, 204);
  await gone("a login's account, revoked by itself");

  const { client_token, accessor } = await logIn();
  const last = await lease(await child(client_token));
  await must("POST", "auth/token/revoke-accessor", { accessor });
  await gone("a child's account, with the login that is revoked by accessor");
  return last;
}
