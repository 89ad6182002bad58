/**
 * What the `vault` and `bao` command lines send, each as it was recorded: verbs, empty types, bodies of text and zeros.
 */

import { deepEqual, equal, ok } from "node:assert/strict";
import { ServedApi } from "./_served.ts";

const ENABLE = {
  description: "",
  config: { options: null, default_lease_ttl: "0s", max_lease_ttl: "0s", force_no_cache: false },
  local: false,
  seal_wrap: false,
  external_entropy_access: false,
  options: null,
};
const CREATE = {
  policies: ["default"],
  ttl: "1h0m0s",
  explicit_max_ttl: "0s",
  period: "0s",
  display_name: "",
  num_uses: 0,
  renewable: true,
  type: "service",
  entity_alias: "",
};

Deno.test("every request that the command line is recorded to send is answered as it expects", async () => {
  await using api = await ServedApi.start();
  const root = await api.rootToken();
  const send = async (method: string, path: string, body?: unknown, more: Record<string, string> = {}) => {
    // The command line says no content type, but for PATCH.
    const bytes = body === undefined ? {} : { body: new TextEncoder().encode(JSON.stringify(body)) };
    const headers = { "x-vault-request": "true", "x-vault-token": root, ...more };
    const response = await fetch(`${api.address}/v1/${path}`, { method, headers, ...bytes });
    const text = await response.text();
    return { status: response.status, body: text === "" ? null : JSON.parse(text) };
  };
  const expects = async (status: number, method: string, path: string, body?: unknown) => {
    const answered = await send(method, path, body);
    equal(answered.status, status, `${method} ${path}: ${JSON.stringify(answered.body)}`);
    return answered.body;
  };
  equal((await expects(200, "GET", "sys/seal-status")).sealed, false);
  equal((await expects(200, "GET", "sys/leader")).ha_enabled, false);
  equal((await expects(200, "GET", "auth/token/lookup-self")).data.policies[0], "root");
  await expects(204, "POST", "sys/auth/userpass", { type: "userpass", ...ENABLE });
  await expects(204, "POST", "sys/auth/identity", { type: "identity", ...ENABLE });
  await expects(400, "POST", "sys/auth/userpass", { type: "userpass", ...ENABLE });
  await expects(400, "POST", "sys/mounts/kv", { type: "kv", ...ENABLE });
  const auths = await expects(200, "GET", "sys/auth");
  equal(auths["userpass/"].accessor, auths.data["userpass/"].accessor);
  ok((await expects(200, "GET", "sys/mounts"))["identity/"].accessor.startsWith("identity_"));
  const tune = { options: null, default_lease_ttl: "2h0m0s", max_lease_ttl: "", force_no_cache: false };
  const lockout = { lockout_threshold: "3", lockout_duration: "5m0s", lockout_counter_reset: "", lockout_disable: "" };
  await expects(204, "POST", "sys/mounts/auth/userpass/tune", { ...tune, user_lockout_config: lockout });
  const tuned = (await expects(200, "GET", "sys/auth/userpass/tune")).data;
  deepEqual([tuned.default_lease_ttl, tuned.user_lockout_threshold, tuned.user_lockout_duration], [7200, 3, 300]);
  await expects(204, "PUT", "sys/policies/acl/p1", { policy: 'path "sys/mounts" { capabilities = ["read"] }' });
  deepEqual((await expects(200, "GET", "sys/policies/acl?list=true")).data.keys, ["default", "p1", "root"]);
  ok((await expects(200, "GET", "sys/policies/acl/p1")).data.policy.includes("sys/mounts"));
  await expects(204, "DELETE", "sys/policies/acl/p1");
  await expects(204, "PUT", "auth/userpass/users/alice", { password: "pw", token_policies: "default" });
  const { auth } = await expects(200, "PUT", "auth/userpass/login/alice", { password: "pw" });
  equal(auth.lease_duration, 7200);
  await expects(405, "GET", "auth/userpass/users/alice?scan=true");
  deepEqual((await expects(200, "GET", "auth/userpass/users?list=true&limit=1")).data.keys, ["alice"]);
  await expects(204, "PUT", "identity/oidc/key/default/rotate", null);
  const { id } = (await expects(200, "PUT", "identity/entity", { name: "svc", metadata: ["a=1", "b=2"] })).data;
  deepEqual((await expects(200, "GET", `identity/entity/id/${id}`)).data.metadata, { a: "1", b: "2" });
  const patched = await send("PATCH", `identity/entity/id/${id}`, { metadata: { a: null, c: "3" } }, {
    "content-type": "application/merge-patch+json",
  });
  equal(patched.status, 204);
  deepEqual((await expects(200, "GET", `identity/entity/id/${id}`)).data.metadata, { b: "2", c: "3" });
  const made = (await expects(200, "POST", "auth/token/create", CREATE)).auth;
  deepEqual([made.lease_duration, made.token_policies, made.num_uses], [3600, ["default"], 0]);
  equal((await expects(200, "POST", "auth/token/lookup", { token: made.client_token })).data.accessor, made.accessor);
  equal((await expects(200, "POST", "auth/token/lookup-accessor", { accessor: made.accessor })).data.id, "");
  await expects(400, "PUT", "auth/token/renew-self", { increment: 0 });
  equal(
    (await expects(200, "PUT", "auth/token/renew", { increment: 60, token: made.client_token })).auth.lease_duration,
    60,
  );
  await expects(200, "POST", "auth/token/renew-accessor", { accessor: made.accessor, increment: 0 });
  const paths = { path: "sys/mounts", token: made.client_token };
  deepEqual((await expects(200, "POST", "sys/capabilities", paths)).capabilities, ["deny"]);
  deepEqual((await expects(200, "POST", "sys/capabilities-self", { paths: ["sys/mounts"] })).data["sys/mounts"], [
    "root",
  ]);
  await expects(204, "POST", "auth/token/revoke-accessor", { accessor: made.accessor });
  await expects(204, "PUT", "auth/token/revoke", { token: made.client_token });
  await expects(400, "PUT", "auth/token/revoke-orphan", { token: made.client_token });
  await expects(400, "PUT", "sys/leases/lookup", { lease_id: "database/creds/x/y" });
  await expects(400, "PUT", "sys/leases/renew", { lease_id: "database/creds/x/y", increment: 0 });
  await expects(204, "PUT", "sys/leases/revoke/database/creds/x/y", { sync: false });
  await expects(204, "PUT", "sys/leases/revoke-prefix/database/creds", { sync: false });
  await expects(204, "PUT", "sys/leases/revoke-force/database/creds", { sync: false });
  await expects(200, "GET", "sys/audit");
  ok((await expects(200, "GET", "auth/userpass/users/alice?help=1")).help.includes("PARAMETERS"));
  await expects(204, "POST", "sys/auth/old", { type: "userpass", ...ENABLE });
  const move = await expects(200, "POST", "sys/remount", { from: "auth/old/", to: "auth/new/" });
  const { migration_info } = (await expects(200, "GET", `sys/remount/status/${move.data.migration_id}`)).data;
  equal(migration_info.status, "success");
  await expects(204, "DELETE", "sys/auth/new");
  await expects(403, "GET", "sys/internal/ui/mounts/secret/x");
  await wrapsOnce(api, root);
  await expects(204, "PUT", "auth/token/revoke-self", null);
  equal((await send("GET", "auth/token/lookup-self")).status, 403);
});

/** `vault … -wrap-ttl=60s`, then `vault unwrap` with a token of one's own, and with the wrapping token as one's own. */
async function wrapsOnce(api: ServedApi, root: string): Promise<void> {
  const wrapped = async () => {
    const headers = { "x-vault-token": root, "x-vault-wrap-ttl": "1m0s" };
    const response = await fetch(`${api.address}/v1/sys/mounts`, { headers });
    return (await response.json()).wrap_info;
  };
  const one = await wrapped();
  deepEqual([one.ttl, one.creation_path], [60, "sys/mounts"]);
  const looked = await api.call("POST", "sys/wrapping/lookup", undefined, { token: one.token });
  deepEqual([looked.status, looked.body.data.creation_ttl], [200, 60]);
  const first = await api.call("PUT", "sys/wrapping/unwrap", root, { token: one.token });
  ok(first.body.data["identity/"]);
  const second = await api.call("PUT", "sys/wrapping/unwrap", root, { token: one.token });
  deepEqual([second.status, second.body.errors], [400, ["wrapping token is not valid or does not exist"]]);
  const two = await wrapped();
  equal((await api.call("PUT", "sys/wrapping/unwrap", two.token, null)).status, 200);
  equal((await api.call("PUT", "sys/wrapping/unwrap", two.token, null)).status, 403);
  const three = await wrapped();
  equal((await api.call("GET", "sys/mounts", three.token)).status, 403, "any other use spends it");
  equal((await api.call("PUT", "sys/wrapping/unwrap", root, { token: three.token })).status, 400);
}
