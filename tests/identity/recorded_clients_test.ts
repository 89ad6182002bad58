/**
 * What hvac and node-vault send, each request as it was recorded: bodies that repeat the path, nulls, form types without a form.
 *
 * Both clients tell 200 from 204: hvac returns a dictionary for the one and a response for the other.
 */

import { deepEqual, equal, ok } from "node:assert/strict";
import { ServedApi } from "./_served.ts";

/** axios says this on every POST without a body. */
const FORM = { "content-type": "application/x-www-form-urlencoded" };

type Expects = (
  status: number,
  method: string,
  path: string,
  body?: unknown,
  headers?: Readonly<Record<string, string>>,
  // deno-lint-ignore no-explicit-any -- tests look into whatever came
) => Promise<any>;

/** A sender of recorded requests; a string is sent as the bytes that it is. */
function recorded(api: ServedApi, token?: string): Expects {
  return async (status, method, path, body, more = {}) => {
    const text = body === undefined || typeof body === "string" ? body : JSON.stringify(body);
    const headers = { ...(token === undefined ? {} : { "x-vault-token": token }), ...more };
    const bytes = text === undefined ? {} : { body: new TextEncoder().encode(text) };
    const response = await fetch(`${api.address}/v1/${path}`, { method, headers, ...bytes });
    const answer = await response.text();
    equal(response.status, status, `${method} ${path}: ${answer}`);
    equal(response.headers.get("content-type"), "application/json", `${method} ${path}`);
    return answer === "" ? null : JSON.parse(answer);
  };
}

Deno.test("a body that repeats the path leaves an empty answer empty", async () => {
  await using api = await ServedApi.start();
  const expects = recorded(api, await api.rootToken());
  const policy = 'path "sys/mounts" { capabilities = ["read"] }';
  await expects(204, "PUT", "sys/policy/own", { name: "own", policy });
  await expects(204, "PUT", "sys/leases/revoke-prefix/database/creds", { prefix: "database/creds" });
  await expects(204, "POST", "sys/auth/userpass", { mount_point: "userpass", type: "userpass", requestOptions: {} });
  await expects(204, "POST", "auth/userpass/users/alice", { username: "bob", password: "pw" });
  deepEqual((await expects(200, "LIST", "auth/userpass/users")).data.keys, ["alice"], "the path wins");
  const named = { name: "other", algorithm: "EdDSA", allowed_client_ids: ["*"] };
  await expects(204, "POST", "identity/oidc/key/app", named);
  const { warnings } = await expects(200, "POST", "identity/oidc/key/app2", { ...named, allowed_client_ids: null });
  equal(warnings.length, 2, "beside another warning, what was replaced is told");
  const old = await expects(200, "PUT", "sys/policy/old", { name: "old", rules: policy });
  ok(old.warnings.includes("'rules' is deprecated, please use 'policy' instead"));
});

Deno.test("a user's requests are answered as hvac and node-vault send them", async () => {
  await using api = await ServedApi.start();
  const root = await api.rootToken();
  const admin = recorded(api, root);
  const anyone = recorded(api);
  equal(await anyone(200, "HEAD", "sys/health"), null);
  equal((await anyone(200, "GET", "sys/init")).initialized, true);
  await admin(204, "POST", "sys/auth/userpass", { type: "userpass", local: false });
  await admin(404, "LIST", "auth/userpass/users");
  await admin(204, "POST", "auth/userpass/users/alice", { password: "pw", policies: ["default"] });
  await admin(204, "POST", "auth/userpass/users/bob", { password: "pw", policies: ["default"] });
  deepEqual((await admin(200, "GET", "auth/userpass/users?list=True")).data.keys, ["alice", "bob"]);
  deepEqual((await admin(200, "GET", "auth/userpass/users?list=1")).data.keys, ["alice", "bob"]);
  const { accessor } = (await admin(200, "GET", "sys/auth"))["userpass/"];
  await admin(204, "POST", "identity/lookup/entity", { alias_name: "alice", alias_mount_accessor: accessor });
  const stale = { "x-vault-token": "stale", ...FORM };
  const { auth } = await anyone(200, "POST", "auth/userpass/login/alice", { password: "pw" }, stale);
  const found = await admin(200, "POST", "identity/lookup/entity", {
    alias_name: "alice",
    alias_mount_accessor: accessor,
  });
  equal(found.data.id, auth.entity_id);
  const alice = recorded(api, auth.client_token);
  equal((await alice(200, "GET", "auth/token/lookup-self")).data.entity_id, auth.entity_id);
  equal((await alice(200, "POST", "auth/token/renew-self", "", FORM)).auth.client_token, auth.client_token);
  equal((await alice(200, "POST", "auth/token/renew-self", {})).auth.client_token, auth.client_token);
  const child = { policies: ["default"], no_parent: false, no_default_policy: false, renewable: true };
  const defaults = { ttl: "1h", display_name: "token", num_uses: 0 };
  equal((await admin(200, "POST", "auth/token/create", { ...child, ...defaults })).auth.lease_duration, 3600);
  equal((await admin(200, "LIST", "auth/token/accessors")).data.keys.length, 3);
  await alice(403, "LIST", "auth/token/accessors");
  await alice(204, "POST", "auth/token/revoke-self", "", FORM);
  await alice(403, "GET", "auth/token/lookup-self");
  const { wrap_info } = await anyone(200, "POST", "auth/userpass/login/bob", { password: "pw" }, {
    "x-vault-wrap-ttl": "5m",
  });
  equal(wrap_info.ttl, 300);
  const login = await admin(200, "PUT", "sys/wrapping/unwrap", { token: wrap_info.token });
  equal((await recorded(api, login.auth.client_token)(200, "GET", "auth/token/lookup-self")).data.meta.username, "bob");
});

Deno.test("signing keys and entities are written as hvac writes them", async () => {
  await using api = await ServedApi.start();
  const admin = recorded(api, await api.rootToken());
  const made = await admin(200, "POST", "identity/entity", { name: "svc", metadata: { team: "red" } });
  deepEqual([made.data.name, made.data.aliases], ["svc", null]);
  await admin(204, "POST", "identity/entity", { name: "svc", metadata: { team: "blue" } });
  await admin(204, "POST", `identity/entity/id/${made.data.id}`, '{"metadata":{"n":12345678901234567890}}');
  const { metadata } = (await admin(200, "GET", `identity/entity/id/${made.data.id}`)).data;
  deepEqual(metadata, { n: "12345678901234567890" }, "no digit is lost");
  const key = { rotation_period: "24h", verification_ttl: "24h", allowed_client_ids: ["*"], algorithm: "ES256" };
  await admin(204, "POST", "identity/oidc/key/app", { name: "app", ...key });
  await admin(204, "POST", "identity/oidc/role/app", { key: "app", template: null, client_id: null, ttl: "1h" });
  await admin(204, "POST", "identity/oidc/key/app", { verification_ttl: "12h" });
  const { data } = await admin(200, "GET", "identity/oidc/key/app");
  deepEqual([data.verification_ttl, data.rotation_period, data.algorithm], [43_200, 86_400, "ES256"]);
  await admin(400, "POST", "identity/oidc/key/app", { verification_ttl: "30m" });
});

Deno.test("an empty vault answers what the clients ask of leases and databases", async () => {
  await using api = await ServedApi.start();
  const admin = recorded(api, await api.rootToken());
  const lease_id = "database/creds/app/x";
  deepEqual((await admin(400, "PUT", "sys/leases/lookup", { lease_id })).errors, ["invalid lease"]);
  deepEqual((await admin(400, "PUT", "sys/leases/renew", { lease_id, increment: null })).errors, ["lease not found"]);
  await admin(204, "PUT", "sys/leases/revoke", { lease_id });
  deepEqual((await admin(400, "PUT", "sys/leases/revoke", {})).errors, ["lease_id must be specified"]);
  await admin(404, "LIST", "sys/leases/lookup/database/creds");
  await admin(405, "PUT", `sys/leases/lookup/${lease_id}`, {});
  await admin(204, "PUT", "sys/revoke-prefix/database/creds", { path_prefix: "database/creds" });
  await admin(400, "PUT", `sys/renew/${lease_id}`, {});
  await admin(204, "PUT", `sys/revoke/${lease_id}`, {});
  equal((await admin(200, "GET", "sys/leases/count?type=irrevocable")).data.lease_count, 0);
  deepEqual((await admin(200, "GET", "sys/leases?type=irrevocable")).data.leases, []);
  for (const [method, path] of [["GET", "database/creds/app"], ["POST", "database/rotate-root/mysql"]] as const) {
    ok((await admin(404, method, path)).errors[0].startsWith("no handler for route"));
  }
});
