/**
 * Static roles, password policies and username templates on real servers.
 */

import { deepEqual, equal, match, notEqual, ok } from "node:assert/strict";
import { type DatabaseApi, databaseTest, stopServersAfterwards } from "./_database_api.ts";
import { VAULT_USER } from "./_servers.ts";

const ROLE = "database/static-roles/reports";

/** An account that is there already and may read. */
async function makeAccount({ server }: DatabaseApi, name: string): Promise<void> {
  if (server.kind === "mysql") {
    await server.admin(`CREATE OR REPLACE USER '${name}'@'%' IDENTIFIED BY 'old-Password-0'`);
    await server.admin(`GRANT SELECT ON app.* TO '${name}'@'%'`);
  } else {
    await server.asVault(`CREATE ROLE ${name} LOGIN PASSWORD 'old-Password-0'`);
    await server.admin(`GRANT SELECT ON notes TO ${name}`);
  }
}

async function credentials(it: DatabaseApi): Promise<{ username: string; password: string; ttl: number }> {
  return await it.api.must("GET", "database/static-creds/reports");
}

databaseTest("a static role's account gets a password at once, on schedule, and when asked", async (it) => {
  await makeAccount(it, "reports1");
  const body = { db_name: "main", username: "reports1", rotation_period: "5s" };
  equal((await it.api.operator("POST", ROLE, body)).status, 204);
  equal(await it.server.logsIn("reports1", "old-Password-0"), false);
  const first = await credentials(it);
  deepEqual([first.username, first.ttl <= 5], ["reports1", true]);
  equal(await it.server.logsIn("reports1", first.password), true);
  await it.until(async () => (await credentials(it)).password !== first.password, "the next password");
  equal(await it.server.logsIn("reports1", first.password), false);
  const second = await credentials(it);
  equal((await it.api.operator("POST", "database/rotate-role/reports")).status, 204);
  const third = await credentials(it);
  notEqual(third.password, second.password);
  equal(await it.server.logsIn("reports1", third.password), true);
  const { rotation_statements, ...read } = await it.api.must("GET", ROLE);
  deepEqual(rotation_statements, []);
  match(read.last_vault_rotation, /^[0-9]{4}-/);
  deepEqual([read.db_name, read.username, read.rotation_period], ["main", "reports1", 5]);
  deepEqual((await it.api.must("LIST", "database/static-roles")).keys, ["reports"]);
  equal((await it.api.operator("DELETE", ROLE)).status, 204);
  equal(await it.server.logsIn("reports1", third.password), true, "the account stays");
});

databaseTest("what is wrong with a static role is said, and nothing of it is saved", async (it) => {
  await makeAccount(it, "reports2");
  const good = { db_name: "main", username: "reports2", rotation_period: 60 };
  const refusals: [Record<string, unknown>, number, RegExp][] = [
    [{ ...good, db_name: null }, 400, /database name is required/],
    [{ ...good, username: null }, 400, /username is a required field/],
    [{ ...good, username: "x' OR '1" }, 400, /something else than letters/],
    [{ ...good, rotation_period: null }, 400, /rotation_period is required/],
    [{ ...good, rotation_period: 4 }, 400, /must be 5 seconds or more/],
    [{ ...good, rotation_schedule: "0 0 * * *" }, 400, /^rotation_schedule is not supported/],
    [{ ...good, rotation_window: "1h" }, 400, /^rotation_window is not supported/],
    [{ ...good, credential_type: "rsa_private_key" }, 400, /invalid credential_type "rsa_private_key"/],
    [{ ...good, rotation_statements: "SELECT '{{password}} FROM" }, 500, /^error setting credentials: /],
  ];
  for (const [body, status, expected] of refusals) {
    const answer = await it.api.operator("POST", ROLE, body);
    equal(answer.status, status, JSON.stringify(answer.body));
    match(answer.body.errors[0], expected);
    ok(!/[A-Za-z0-9-]{20}/.test(answer.body.errors[0]), answer.body.errors[0]);
    equal((await it.api.operator("GET", ROLE)).status, 404);
  }
  equal((await it.api.operator("GET", "database/static-creds/reports")).body.errors[0], "unknown role: reports");
  equal(
    (await it.api.operator("POST", "database/rotate-role/reports")).body.errors[0],
    "no static role found for role name",
  );
  equal((await it.api.operator("POST", ROLE, good)).status, 204);
  equal((await it.api.operator("POST", ROLE, { rotation_period: 90 })).status, 400, "the username is repeated");
  equal((await it.api.operator("POST", ROLE, { username: "other" })).status, 400);
  equal((await it.api.operator("POST", ROLE, { username: "reports2", rotation_period: 90 })).status, 204);
  equal((await it.api.operator("POST", "database/roles/reports", { db_name: "main" })).status, 400, "names are unique");
  await it.role("dynamic");
  equal((await it.api.operator("POST", "database/static-roles/dynamic", good)).status, 400);
});

databaseTest("a static role that is changed while its password is changed keeps both", async (it) => {
  await makeAccount(it, "reports6");
  const body = { db_name: "main", username: "reports6", rotation_period: "24h" };
  equal((await it.api.operator("POST", ROLE, body)).status, 204);
  const before = await credentials(it);
  const { staticRoles } = it.engine;
  await Promise.all([
    staticRoles.rotate(it.accessor, "reports"),
    staticRoles.write(it.accessor, "reports", { username: "reports6", rotationPeriod: 90 }),
  ]);
  const { password } = await credentials(it);
  notEqual(password, before.password);
  equal(await it.server.logsIn("reports6", password), true);
  equal((await it.api.must("GET", ROLE)).rotation_period, 90);
  equal((await it.api.operator("DELETE", ROLE)).status, 204);
});

databaseTest(
  "a static role that is made anew while its old password is changed gets the one that its account has",
  async (it) => {
    await makeAccount(it, "reports7");
    const body = { db_name: "main", username: "reports7", rotation_period: "24h" };
    equal((await it.api.operator("POST", ROLE, body)).status, 204);
    const { staticRoles } = it.engine;
    const again = Promise.withResolvers<unknown>();
    it.faults.afterRun = () => {
      it.faults.afterRun = undefined;
      const anew = { connection: "main", username: "reports7", rotationPeriod: 60 };
      const made = [staticRoles.delete(it.accessor, "reports"), staticRoles.write(it.accessor, "reports", anew)];
      again.resolve(Promise.all<unknown>(made));
    };
    equal((await it.api.operator("POST", "database/rotate-role/reports")).status, 204);
    await again.promise;
    equal(await it.server.logsIn("reports7", (await credentials(it)).password), true);
    equal((await it.api.operator("DELETE", ROLE)).status, 204);
  },
);

databaseTest("a rotation whose end nobody saw is repeated with the same password, also after a restart", async (it) => {
  await makeAccount(it, "reports3");
  const body = { db_name: "main", username: "reports3", rotation_period: "24h" };
  equal((await it.api.operator("POST", ROLE, body)).status, 204);
  const first = await credentials(it);
  it.faults.run = "after";
  const { status, body: answered } = await it.api.operator("POST", "database/rotate-role/reports");
  deepEqual([status, /retries will continue in the background/.test(answered.errors[0])], [500, true]);
  it.faults.run = undefined;
  equal(await it.server.logsIn("reports3", first.password), false, "the server has the new one");
  await it.restart();
  await it.until(async () => (await credentials(it)).password !== first.password, "what was pending");
  equal(await it.server.logsIn("reports3", (await credentials(it)).password), true);
});

databaseTest(
  "password policies make passwords, of a connection or of a role, and unknown ones make none",
  async (it) => {
    const policy =
      `length = 30\nrule "charset" { charset = "abcdefghij" min-chars = 4 }\nrule "charset" { charset = "0123456789" min-chars = 4 }`;
    const bad = await it.api.operator("PUT", "sys/policies/password/bad", { policy: `length = 2` });
    deepEqual([bad.status, /^invalid password policy: /.test(bad.body.errors[0])], [400, true]);
    const quotes = { policy: `length = 20\nrule "charset" { charset = "ab'" }` };
    equal((await it.api.operator("PUT", "sys/policies/password/bad", quotes)).status, 400);
    equal((await it.api.operator("PUT", "sys/policies/password/lower", { policy })).status, 204);
    equal((await it.api.must("GET", "sys/policies/password/lower")).policy, policy);
    match((await it.api.must("GET", "sys/policies/password/lower/generate")).password, /^[a-j0-9]{30}$/);
    deepEqual((await it.api.must("LIST", "sys/policies/password")).keys, ["lower"]);
    await it.connect({ password_policy: "lower" });
    await it.role("reader");
    const token = await it.user("alice");
    const issued = await it.issue("reader", token);
    match(issued.password, /^[a-j0-9]{30}$/);
    equal(await it.server.logsIn(issued.username, issued.password), true);
    await it.role("reader", { credential_config: { password_policy: "nothing" } });
    const { status, body } = await it.read("reader", token);
    deepEqual([status, body.errors[0]], [500, "failed to generate password: no password policy found"]);
    equal((await it.api.operator("DELETE", "sys/policies/password/lower")).status, 204);
    equal((await it.api.operator("GET", "sys/policies/password/lower/generate")).status, 404);
  },
);

databaseTest("username templates name accounts within the server's limits", async (it) => {
  const most = it.server.kind === "mysql" ? 32 : 63;
  const templates: [string, RegExp][] = [
    ["app_{{.RoleName}}_{{random 12}}", /^app_reader_[0-9A-Za-z]{12}$/],
    ['{{ printf "%s-%s" (.DisplayName | truncate 8) (uuid) | truncate 30 | lowercase }}', /^userpass-[0-9a-f-]{21}$/],
    ["{{ .UserName | uppercase }}-{{ random 10 }}", /^ALICE-[0-9A-Za-z]{10}$/],
    ['{{ printf "%s%s" .UserName (random 40) | truncate_sha256 24 }}', /^alice[0-9A-Za-z]{11}[0-9a-f]{8}$/],
    ['u{{ unix_time }}-{{ random 5 | replace "0" "x" }}', /^u[0-9]{10}-[1-9A-Za-z]{5}$/],
    [`{{ random ${most} }}`, new RegExp(`^[0-9A-Za-z]{${most}}$`)],
  ];
  await it.role("reader");
  const token = await it.user("alice");
  for (const [username_template, expected] of templates) {
    await it.connect({ username_template });
    const { username, password, leaseId } = await it.issue("reader", token);
    match(username, expected);
    equal(await it.server.logsIn(username, password), true);
    equal((await it.api.operator("PUT", "sys/leases/revoke", { lease_id: leaseId })).status, 204);
    equal(await it.server.logsIn(username, password), false);
  }
  // One that is the same for everybody takes no account away that is there already.
  await it.connect({ username_template: "same-for-all" });
  const { username, password } = await it.issue("reader", token);
  const { status, body } = await it.read("reader", token);
  deepEqual([status, /there is an account "same-for-all" already/.test(body.errors[0])], [500, true]);
  equal(await it.server.logsIn(username, password), true);
});

databaseTest("passwords that PostgreSQL is given hashed: it never sees one, and lets in by them", async (it) => {
  if (it.server.kind === "mysql") return;
  const typed = await it.api.operator("POST", "database/config/main", { password_authentication: "md5" });
  deepEqual([typed.status, /is not a valid password authentication type/.test(typed.body.errors[0])], [400, true]);
  await it.connect({ password_authentication: "scram-sha-256" });
  await it.server.admin("CREATE TABLE seen (sql TEXT)");
  await it.server.admin(`GRANT INSERT ON seen TO ${VAULT_USER}`);
  const creation = [...it.server.creation, "INSERT INTO seen VALUES ('{{password}}')"];
  await it.role("reader", { creation_statements: creation });
  const { username, password } = await it.issue("reader", await it.user("alice"));
  equal(await it.server.logsIn(username, password), true);
  const [row] = await it.server.admin("SELECT sql FROM seen");
  match(String(row!["sql"]), /^SCRAM-SHA-256\$4096:/);
  await makeAccount(it, "hashed");
  await it.api.must("POST", ROLE, { db_name: "main", username: "hashed", rotation_period: "24h" });
  equal(await it.server.logsIn("hashed", (await credentials(it)).password), true);
  await it.connect();
});

databaseTest("a password that SASLprep changes is neither hashed nor sent where hashes are wanted", async (it) => {
  if (it.server.kind === "mysql") return;
  const policy = 'length = 12\nrule "charset" { charset = "ⅠⅡⅢ" }';
  await it.api.must("PUT", "sys/policies/password/numerals", { policy });
  await it.connect({ password_authentication: "scram-sha-256" });
  await it.role("reader", { credential_config: { password_policy: "numerals" } });
  const token = await it.user("alice");
  const { status, body } = await it.read("reader", token);
  deepEqual([status, /takes no password that SASLprep .* changes/.test(body.errors[0])], [400, true]);
  deepEqual([await it.accounts(), it.engine.leases.held()], [[], []]);
  await it.connect({ password_authentication: "password" });
  const { username, password } = await it.issue("reader", token);
  match(password, /^[ⅠⅡⅢ]{12}$/);
  equal((await it.accounts()).includes(username), true);
});

databaseTest("a password of letters that SASLprep leaves as they are logs in by its hash", async (it) => {
  if (it.server.kind === "mysql") return;
  await it.api.must("PUT", "sys/policies/password/umlauts", {
    policy: 'length = 12\nrule "charset" { charset = "äöüß" }',
  });
  await it.connect({ password_authentication: "scram-sha-256" });
  await it.role("reader", { credential_config: { password_policy: "umlauts" } });
  const { username, password } = await it.issue("reader", await it.user("alice"));
  match(password, /^[äöüß]{12}$/);
  equal(await it.server.logsIn(username, password), true);
  equal(await it.server.logsIn(username, `${password}ä`), false);
  await it.connect();
});

stopServersAfterwards();
