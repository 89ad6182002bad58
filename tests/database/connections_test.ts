/**
 * Connections to real servers: tried out, changed, hidden, rotated.
 */

import { deepEqual, equal, match, ok } from "node:assert/strict";
import { type DatabaseApi, databaseTest, stopServersAfterwards } from "./_database_api.ts";
import { VAULT_PASSWORD, VAULT_USER } from "./_servers.ts";

const CONFIG = "database/config/main";

function write(it: DatabaseApi, body: Record<string, unknown>, name = "main") {
  return it.api.operator("POST", `database/config/${name}`, {
    plugin_name: it.server.pluginName,
    connection_url: it.server.url,
    username: VAULT_USER,
    password: VAULT_PASSWORD,
    ...body,
  });
}

function problem({ status, body }: { status: number; body: { errors: string[] } | null }): [number, string] {
  return [status, body?.errors[0] ?? ""];
}

databaseTest(
  "what is wrong with a connection is said before anything is saved, and never with the password",
  async (it) => {
    const wrong = "wr0ng-Password-42";
    const elsewhere = it.server.url.replace(String(it.server.port), "1");
    const refusals: [Record<string, unknown>, RegExp][] = [
      [{ plugin_name: "" }, /^empty plugin name$/],
      [{ plugin_name: "oracle" }, /invalid database version: .*plugin not found in the catalog: oracle/s],
      [{ connection_url: "" }, /connection_url cannot be empty/],
      [{ connection_url: "nonsense" }, /^error creating database object: invalid connection_url/],
      [{ password: wrong }, /^error creating database object: error verifying.*(1045 \(28000\): Access denied|28P01)/],
      [{ connection_url: elsewhere }, /dial tcp 127\.0\.0\.1:1: connect: connection refused/],
      [{ username: null, password: null }, /username and password are missing/],
      [{ password: null }, /password is missing/],
      [{ username: "" }, /username is missing/],
      [{ username_template: "{{.Nothing}}" }, /invalid username template/],
      [{ username_template: "v-'{{.UserName}}'" }, /something else than letters/],
      [{ username_template: "{{ truncate 0 .UserName }}" }, /a length must be/],
      [{ username_template: `{{ random 65 }}` }, /more than (32|63) characters/],
      [{ max_open_connections: "many" }, /whole number/],
    ];
    for (const [body, expected] of refusals) {
      const [status, text] = problem(await write(it, body, "other"));
      equal(status, 400, text);
      match(text, expected);
      ok(!text.includes(wrong) && !text.includes(VAULT_PASSWORD), text);
    }
    equal((await it.api.operator("GET", "database/config/other")).status, 404);
    // The one that is there goes on.
    await it.role("reader");
    const token = await it.user("alice");
    equal((await write(it, { password: wrong })).status, 400);
    equal((await it.read("reader", token)).status, 200);
    // Saved all the same where nobody may be asked; what fails then says no password either.
    equal((await write(it, { password: wrong, verify_connection: false })).status, 204);
    const [status, text] = problem(await it.read("reader", token));
    equal(status, 500);
    ok(!text.includes(wrong), text);
    await it.connect();
  },
);

databaseTest(
  "a write changes what it says; null empties; what is unknown is kept; no secret is read back",
  async (it) => {
    equal((await write(it, { allowed_roles: "a, b*", tls_ca: null, owner: "team-a" })).status, 204);
    equal((await it.api.operator("POST", CONFIG, { max_open_connections: 2 })).status, 204);
    deepEqual(await it.api.must("GET", CONFIG), {
      plugin_name: it.server.pluginName,
      plugin_version: "",
      connection_details: {
        connection_url: it.server.url,
        username: VAULT_USER,
        owner: "team-a",
        max_open_connections: 2,
      },
      allowed_roles: ["a", "b*"],
      root_credentials_rotate_statements: [],
      password_policy: "",
    });
    equal((await it.api.operator("POST", CONFIG, { allowed_roles: null, owner: null })).status, 204);
    const after = (await it.api.operator("GET", CONFIG)).body.data;
    deepEqual([after.allowed_roles, after.connection_details.owner], [[], undefined]);
    equal((await it.api.operator("POST", CONFIG, { username_template: null })).status, 400);
    deepEqual((await it.api.operator("LIST", "database/config")).body.data.keys, ["main"]);
    await it.connect();
  },
);

databaseTest("a password in the URL is warned of, hidden, and not rotated", async (it) => {
  const url = it.server.url.replace("{{username}}", VAULT_USER).replace("{{password}}", VAULT_PASSWORD);
  const { status, body } = await write(it, { connection_url: url });
  deepEqual([status, /^Password found in connection_url/.test(body.warnings[0])], [200, true]);
  const shown = await it.api.operator("GET", CONFIG);
  ok(!JSON.stringify(shown.body).includes(VAULT_PASSWORD));
  match(shown.body.data.connection_details.connection_url, /:xxxxx@/);
  const rotated = await it.api.operator("POST", "database/rotate-root/main");
  deepEqual([rotated.status, /lock us out/.test(rotated.body.errors[0])], [400, true]);
  await it.api.must("DELETE", CONFIG);
  await it.connect();
});

databaseTest("reset opens anew, under nobody's feet", async (it) => {
  await it.role("reader");
  const token = await it.user("alice");
  const issued = Array.from({ length: 40 }, () => it.read("reader", token));
  for (let i = 0; i < 5; i++) {
    equal((await it.api.operator("POST", "database/reset/main")).status, 204);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  deepEqual([...new Set((await Promise.all(issued)).map(({ status }) => status))], [200]);
  const [status, text] = problem(await it.api.operator("POST", "database/reset/nothing"));
  deepEqual([status, text], [500, 'failed to find entry for connection with name: "nothing"']);
});

databaseTest("rotate-root: a password that nobody else knows, on disk before it is set", async (it) => {
  await makeRoot(it, "rotated", "first-Password-1");
  equal((await write(it, { username: "rotated", password: "first-Password-1" })).status, 204);
  equal((await it.api.operator("POST", "database/rotate-root/main")).status, 204);
  equal(await it.server.logsIn("rotated", "first-Password-1"), false);
  await it.restart();
  equal((await it.api.operator("POST", "database/rotate-root/main")).status, 204);
  // A rotation that fails leaves the password that holds.
  equal(
    (await it.api.operator("POST", CONFIG, { root_rotation_statements: ["SELECT nonsense FROM nowhere"] })).status,
    204,
  );
  const [status, text] = problem(await it.api.operator("POST", "database/rotate-root/main"));
  deepEqual([status, /^failed to update user: /.test(text)], [500, true]);
  equal((await it.api.operator("POST", CONFIG, { root_rotation_statements: null })).status, 204);
  equal((await it.api.operator("POST", "database/rotate-root/main")).status, 204);
  for (const name of ["nothing", "none"]) {
    equal((await it.api.operator("POST", `database/rotate-root/${name}`)).status, 500);
  }
  await it.connect();
});

databaseTest("a rotation that nobody saw the end of is settled by the server, whichever password holds", async (it) => {
  await makeRoot(it, "settled", "first-Password-1");
  equal((await write(it, { username: "settled", password: "first-Password-1" })).status, 204);
  for (const run of ["before", "after"] as const) {
    Object.assign(it.faults, { run, ping: true });
    equal((await it.api.operator("POST", "database/rotate-root/main")).status, 500);
    Object.assign(it.faults, { run: undefined, ping: false });
    ok(it.engine.connections.list(it.accessor)[0]!.sealedPending !== undefined, "the intent is on disk");
    await it.restart();
    equal((await it.api.operator("POST", "database/rotate-root/main")).status, 204, run);
    equal(it.engine.connections.list(it.accessor)[0]!.sealedPending, undefined);
  }
  await it.connect();
});

databaseTest("a connection that leads elsewhere strands no account, and says so", async (it) => {
  await it.role("reader");
  const { leaseId, username } = await it.issue("reader", await it.user("alice"));
  const other = await it.otherServer();
  const { status, body } = await write(it, {
    plugin_name: other.pluginName,
    connection_url: other.url,
    allowed_roles: "*",
  });
  deepEqual([status, /1 leases are on this connection/.test(body.warnings[0])], [200, true]);
  const revoked = await it.api.operator("PUT", "sys/leases/revoke", { lease_id: leaseId });
  deepEqual([revoked.status, /the account was made at 127\.0\.0\.1:/.test(revoked.body.errors[0])], [400, true]);
  await it.connect();
  equal((await it.api.operator("PUT", "sys/leases/revoke", { lease_id: leaseId })).status, 204);
  ok(!(await it.accounts()).includes(username));
});

databaseTest("deleting a connection says how many leases are on it; they end when there is one again", async (it) => {
  await it.role("reader");
  const { leaseId } = await it.issue("reader", await it.user("alice"));
  const { status, body } = await it.api.operator("DELETE", CONFIG);
  deepEqual([status, /^1 leases are on this connection/.test(body.warnings[0])], [200, true]);
  const revoked = await it.api.operator("PUT", "sys/leases/revoke", { lease_id: leaseId });
  deepEqual([revoked.status, /failed to find entry for connection with name: "main"/.test(revoked.body.errors[0])], [
    400,
    true,
  ]);
  await it.connect();
  equal((await it.api.operator("PUT", "sys/leases/revoke", { lease_id: leaseId })).status, 204);
  equal((await it.api.operator("DELETE", "database/config/absent")).status, 204);
});

databaseTest("TLS that the server hasn't is refused in time; several servers are tried in turn", async (it) => {
  const { url, port, kind } = it.server;
  const tls = kind === "mysql" ? `${url}?tls=true` : url.replace("sslmode=disable", "sslmode=require");
  const began = Date.now();
  equal((await write(it, { connection_url: tls })).status, 400);
  ok(Date.now() - began < 15_000);
  const several = url.replace(`127.0.0.1:${port}`, `127.0.0.1:1,127.0.0.1:${port}`);
  equal((await write(it, { connection_url: several, allowed_roles: "*" })).status, 204);
  await it.role("reader");
  const { username, password, leaseId } = await it.issue("reader", await it.user("alice"));
  equal(await it.server.logsIn(username, password), true);
  equal((await it.api.operator("PUT", "sys/leases/revoke", { lease_id: leaseId })).status, 204);
  await it.connect();
});

/** An account that may change passwords, its own among them. */
async function makeRoot({ server }: DatabaseApi, name: string, password: string): Promise<void> {
  if (server.kind === "postgresql") return void await server.admin(`CREATE ROLE ${name} LOGIN PASSWORD '${password}'`);
  await server.admin(`CREATE USER '${name}'@'%' IDENTIFIED BY '${password}'`);
  await server.admin(`GRANT CREATE USER ON *.* TO '${name}'@'%'`);
}

stopServersAfterwards();
