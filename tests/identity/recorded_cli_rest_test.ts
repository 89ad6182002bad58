/**
 * More of what the command lines send: flags that become headers, roles, orphans, paging, secrets engines.
 */

import { deepEqual, equal, ok } from "node:assert/strict";
import { type Answered, ServedApi } from "./_served.ts";

const UNSET = { explicit_max_ttl: "0s", period: "0s", display_name: "", num_uses: 0, type: "service" };

/** As `vault token create` sends it. */
const created = (more: object) => ({ policies: [], ttl: "0s", renewable: true, entity_alias: "", ...UNSET, ...more });

/** The answer's body, when its status is the one. */
// deno-lint-ignore no-explicit-any -- tests look into whatever came
function expect(status: number, answered: Answered): any {
  equal(answered.status, status, JSON.stringify(answered.body));
  return answered.body;
}

Deno.test("`-namespace` of the root is served and told back, any other is not found", async () => {
  await using api = await ServedApi.start();
  const token = await api.rootToken();
  const sent = (namespace: string) =>
    fetch(`${api.address}/v1/sys/auth`, { headers: { "x-vault-token": token, "x-vault-namespace": namespace } });
  const root = await sent("root/");
  await root.body?.cancel();
  deepEqual([root.status, root.headers.get("x-vault-namespace")], [200, "root/"]);
  const other = await sent("team/");
  deepEqual([other.status, (await other.json()).errors], [404, ["namespace not found"]]);
});

Deno.test("`token create -role`, `token revoke -mode=orphan`: the child outlives its parent", async () => {
  await using api = await ServedApi.start();
  const root = await api.rootToken();
  const role = { allowed_policies: ["default", "root"], orphan: true };
  expect(204, await api.call("PUT", "auth/token/roles/batch", root, { ...role, allowed_policies: "default" }));
  const ofRole = created({ policies: ["default"], ttl: "1h0m0s" });
  const { auth } = expect(200, await api.call("POST", "auth/token/create/batch", root, ofRole));
  deepEqual([auth.orphan, auth.lease_duration, auth.token_policies], [true, 3600, ["default"]]);
  const refused = created({ policies: ["other"] });
  expect(400, await api.call("POST", "auth/token/create/batch", root, refused));
  const makes = 'path "auth/token/create" { capabilities = ["update"] }';
  expect(204, await api.call("PUT", "sys/policies/acl/makes", root, { policy: makes }));
  const parent = expect(200, await api.call("POST", "auth/token/create", root, created({ policies: ["makes"] }))).auth;
  const child = expect(200, await api.call("POST", "auth/token/create", parent.client_token, created({}))).auth;
  expect(204, await api.call("PUT", "auth/token/revoke-orphan", root, { token: parent.client_token }));
  expect(403, await api.call("GET", "auth/token/lookup-self", parent.client_token));
  equal(expect(200, await api.call("GET", "auth/token/lookup-self", child.client_token)).data.orphan, true);
  const grandchild = expect(200, await api.call("POST", "auth/token/create", child.client_token, created({}))).auth;
  expect(204, await api.call("PUT", "auth/token/revoke", root, { token: child.client_token }));
  expect(403, await api.call("GET", "auth/token/lookup-self", grandchild.client_token));
});

Deno.test("`list -limit -after` pages, `scan` is refused, a policy's name is lower-cased with a warning", async () => {
  await using api = await ServedApi.start();
  const root = await api.rootToken();
  expect(204, await api.call("POST", "sys/auth/userpass", root, { type: "userpass" }));
  for (const name of ["carol", "alice", "bob"]) {
    expect(204, await api.call("PUT", `auth/userpass/users/${name}`, root, { password: "pw" }));
  }
  const page = async (query: string) =>
    expect(200, await api.call("GET", `auth/userpass/users?list=true&${query}`, root)).data.keys;
  deepEqual([await page("limit=2"), await page("limit=2&after=bob")], [["alice", "bob"], ["carol"]]);
  expect(405, await api.call("GET", "auth/userpass/users?scan=true", root));
  expect(400, await api.call("GET", "auth/userpass/users?list=yes", root));
  const { warnings } = expect(200, await api.call("PUT", "sys/policies/acl/Mine", root, { policy: 'path "x" {}' }));
  deepEqual(warnings, ["policy name was converted to mine"]);
  equal(expect(200, await api.call("GET", "sys/policies/acl/mine", root)).data.name, "mine");
});

Deno.test("`secrets tune`, `secrets disable`, `read` and `kv` answer for what is mounted and what is not", async () => {
  await using api = await ServedApi.start();
  const root = await api.rootToken();
  const tune = { options: null, default_lease_ttl: "2h0m0s", max_lease_ttl: "", force_no_cache: false };
  expect(204, await api.call("POST", "sys/mounts/cubbyhole/tune", root, tune));
  equal(expect(200, await api.call("GET", "sys/mounts/cubbyhole/tune", root)).data.default_lease_ttl, 7200);
  expect(204, await api.call("DELETE", "sys/mounts/nothing", root));
  expect(400, await api.call("DELETE", "sys/mounts/identity", root));
  expect(204, await api.call("PUT", "cubbyhole/note", root, { text: "hello" }));
  equal(expect(200, await api.call("GET", "cubbyhole/note", root)).data.text, "hello");
  equal(expect(200, await api.call("GET", "sys/internal/ui/mounts/cubbyhole/note", root)).data.path, "cubbyhole/");
  deepEqual(expect(404, await api.call("GET", "identity/entity/name/nobody", root)).errors, []);
  ok(expect(404, await api.call("GET", "nothing/here", root)).errors[0].startsWith("no handler for route"));
  expect(403, await api.call("GET", "nothing/here"));
  const unpatchable = { method: "PATCH", headers: { "x-vault-token": root }, body: new TextEncoder().encode("{}") };
  const patched = await fetch(`${api.address}/v1/identity/entity/id/x`, unpatchable);
  deepEqual([patched.status, (await patched.json()).errors], [400, ["mime: no media type"]]);
});
