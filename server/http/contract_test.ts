/** Requests of clients and what they are answered, row by row: statuses and texts that programs written for Vault know. */

import { deepEqual, equal, ok } from "node:assert/strict";
import { withApi } from "./_test_support.ts";

/** An operator's request, the status it is answered with, and a part of the first error. */
type Row = readonly [method: string, path: string, body: unknown, status: number, error?: string];

/** In order: later rows see what earlier ones wrote. */
const ROWS: Readonly<Record<string, readonly Row[]>> = {
  "routes and verbs": [
    ["GET", "foo/bar", undefined, 404, 'no handler for route "foo/". route entry not found.'],
    ["GET", "sys/nowhere", undefined, 404, "1 error occurred:\n\t* unsupported path\n\n"],
    ["DELETE", "sys/mounts", undefined, 405, "1 error occurred:\n\t* unsupported operation\n\n"],
    ["HEAD", "sys/mounts", undefined, 405],
    ["SCAN", "sys/mounts", undefined, 405],
    ["FOO", "sys/mounts", undefined, 405],
    ["OPTIONS", "sys/mounts", undefined, 400, "cannot handle internal-only request operation"],
    ["PATCH", "identity/entity/id/x", { a: 1 }, 415],
    ["GET", "sys/policies/acl?list=True", undefined, 200],
    ["GET", "sys/policies/acl?list=2", undefined, 400],
    ["GET", "sys/policies/acl", undefined, 405],
    ["POST", "identity/entity/", {}, 400, "cannot write to a path ending in '/'"],
    ["POST", "identity/oidc/key/a@b", {}, 404, "unsupported path"],
  ],
  "fields": [
    ["POST", "identity/entity", { name: "z", disabled: "yes" }, 400, 'error converting input for field "disabled"'],
    ["POST", "identity/entity", [1], 400, "failed to decode JSON input"],
    ["POST", "identity/group", { name: "g", metadata: "x" }, 400, "invalid key pair"],
    ["POST", "auth/userpass/users/alice", { token_ttl: "-5" }, 400, "cannot provide negative value"],
    ["POST", "auth/userpass/users/alice", { token_num_uses: 3.5 }, 400, "token_num_uses"],
  ],
  "sys": [
    ["GET", "sys/health?activecode=299", undefined, 299],
    ["GET", "sys/health?activecode=x", undefined, 400],
    ["POST", "sys/seal-status", {}, 405],
    ["PUT", "sys/init", { secret_shares: 1, secret_threshold: 1 }, 400, "Vault is already initialized"],
    ["PUT", "sys/unseal", {}, 400, "'key' must be specified"],
    ["PUT", "sys/unseal", { reset: true }, 400, "vault is unsealed"],
    ["PUT", "sys/unseal", { key: "00" }, 200],
    ["PUT", "sys/seal", undefined, 204],
    ["POST", "sys/mounts/x", {}, 400, "backend type must be specified as a string"],
    ["POST", "sys/mounts/x", { type: "zz" }, 400, "plugin not found in the catalog: zz"],
    ["POST", "sys/mounts/sys/x", { type: "database" }, 400, "cannot mount"],
    ["GET", "sys/mounts/x", undefined, 400, "No secret engine mount at x/"],
    ["DELETE", "sys/mounts/x", undefined, 204],
    ["DELETE", "sys/mounts/identity", undefined, 400],
    ["POST", "sys/mounts/db", { type: "plugin", plugin_name: "database" }, 204],
    ["POST", "sys/mounts/db/x", { type: "database" }, 400, "path is already in use at db/"],
    ["POST", "sys/mounts/db/tune", { default_lease_ttl: "3h", max_lease_ttl: "2h" }, 400],
    ["POST", "sys/mounts/db/tune", { default_lease_ttl: "1h", max_lease_ttl: "" }, 204],
    ["POST", "sys/mounts/nope/tune", { default_lease_ttl: "1h" }, 400],
    ["POST", "sys/auth/userpass", { type: "userpass" }, 400, "path is already in use at userpass/"],
    ["POST", "sys/auth/token", { type: "token" }, 400],
    ["DELETE", "sys/auth/token", undefined, 400],
    ["POST", "sys/auth/token/evt/tune", { default_lease_ttl: "1h" }, 400],
    ["GET", "sys/auth/x", undefined, 400, "No auth engine at x/"],
    ["POST", "sys/auth/identity", { type: "identity" }, 204],
    ["POST", "sys/mounts/identity", { type: "identity" }, 204],
    ["PUT", "sys/leases/lookup", {}, 400, "lease_id must be specified"],
    ["PUT", "sys/leases/lookup", { lease_id: "x/y" }, 400, "invalid lease"],
    ["PUT", "sys/leases/lookup/x/y", {}, 405],
    ["PUT", "sys/leases/renew", { lease_id: "x/y" }, 400, "lease not found"],
    ["PUT", "sys/leases/revoke", { lease_id: "x/y" }, 204],
    ["PUT", "sys/revoke/x/y", undefined, 204],
    ["PUT", "sys/revoke-prefix/x", undefined, 204],
    ["LIST", "sys/leases/lookup/x", undefined, 404],
    ["GET", "sys/leases", undefined, 404],
    ["GET", "sys/leases?type=irrevocable", undefined, 200],
    ["POST", "sys/rotate", {}, 404, "unsupported path"],
  ],
  "policies": [
    ["PUT", "sys/policies/acl/p", { policy: "" }, 400, "'policy' parameter not supplied or empty"],
    ["PUT", "sys/policies/acl/P1", { policy: 'path "a" {}' }, 200],
    ["PUT", "sys/policies/acl/p2", { policy: btoa('path "a" {}') }, 204],
    ["PUT", "sys/policy/p3", { rules: 'path "a" {}' }, 200],
    ["PUT", "sys/policies/acl/p4", { policy: " " }, 204],
    ["PUT", "sys/policies/acl/p5", { policy: 'path "a" { capabilities = ["READ"] }' }, 400, "failed to parse policy"],
    ["PUT", "sys/policies/acl/p5", { policy: 'path "a/+*" {}' }, 400],
    ["PUT", "sys/policies/acl/p5", { policy: 'path "a" { comment = "x" pagination_limit = 3 }' }, 204],
    ["PUT", "sys/policies/acl/p5", { policy: 'path "a" { control_group {} }' }, 400, "would be open without it"],
    ["PUT", "sys/policies/acl/root", { policy: 'path "a" {}' }, 400, 'cannot update "root" policy'],
    ["DELETE", "sys/policies/acl/default", undefined, 400, "cannot delete default policy"],
    ["DELETE", "sys/policies/acl/nowhere", undefined, 204],
    ["POST", "sys/capabilities", { token: "x", path: "a" }, 400, "invalid token"],
    ["POST", "sys/capabilities-self", {}, 400, "paths must be supplied"],
  ],
  "tokens": [
    ["POST", "auth/token/lookup", { token: "nope" }, 403, "bad token"],
    ["POST", "auth/token/lookup-accessor", { accessor: "nope" }, 403, "invalid accessor"],
    ["POST", "auth/token/renew", {}, 400, "missing token ID"],
    ["POST", "auth/token/renew-accessor", {}, 400, "missing accessor"],
    ["POST", "auth/token/renew", { token: "x" }, 400, "token not found"],
    ["POST", "auth/token/revoke", {}, 400, "missing token ID"],
    ["POST", "auth/token/revoke", { token: "x" }, 204],
    ["POST", "auth/token/revoke-accessor", { accessor: "x" }, 204],
    ["POST", "auth/token/revoke-orphan", { token: "x" }, 400, "token to revoke not found"],
    ["POST", "auth/token/create", { type: "batch" }, 400],
    ["POST", "auth/token/create", { policies: ["a"], num_uses: -1 }, 400, "number of uses cannot be negative"],
    ["POST", "auth/token/create", { policies: ["response-wrapping"] }, 400],
    ["POST", "auth/token/create", { policies: ["a"], id: "a.b.c.d.e" }, 400],
    ["POST", "auth/token/create", { policies: ["a"], id: "hvs.chosen" }, 400],
    ["POST", "auth/token/create", { policies: ["a"], id: "chosen-token" }, 200],
    ["POST", "auth/token/create", { policies: ["a"], id: "chosen-token" }, 400],
    ["GET", "auth/token/roles/x", undefined, 404],
    ["POST", "auth/token/roles/r", { allowed_policies: "a,b", orphan: true, token_period: "1h" }, 204],
    ["POST", "auth/token/create/r", { policies: ["c"] }, 400],
    ["POST", "auth/token/create/r", { policies: ["a"] }, 200],
    ["POST", "auth/token/create/nowhere", { policies: ["a"] }, 400],
    ["POST", "auth/token/tidy", undefined, 202],
  ],
  "userpass": [
    ["POST", "auth/userpass/users/x", {}, 400, "missing password"],
    ["POST", "auth/userpass/users/x", { password: "a", password_hash: "b" }, 400],
    ["POST", "auth/userpass/users/alice", { token_ttl: "2h", token_max_ttl: "1h" }, 400],
    ["POST", "auth/userpass/users/alice", { token_type: "batch" }, 400],
    ["POST", "auth/userpass/users/alice", { token_bound_cidrs: "zz" }, 400],
    ["POST", "auth/userpass/users/alice", { token_policies: "root" }, 400, "policies cannot contain root"],
    [
      "POST",
      "auth/userpass/users/nobody/password",
      { password: "a" },
      500,
      "1 error occurred:\n\t* username does not exist\n\n",
    ],
    ["POST", "auth/userpass/users/nobody/policies", { policies: "a" }, 500, "username does not exist"],
    [
      "POST",
      "auth/userpass/login/alice",
      { password: ["a"] },
      500,
      "Field validation failed: error converting input for",
    ],
    ["POST", "auth/userpass/login/nobody", { password: { a: 1 } }, 500, "Field validation failed: error converting"],
    ["POST", "auth/userpass/login/alice", {}, 400, "missing password"],
    ["DELETE", "auth/userpass/users/nobody", undefined, 204],
    ["GET", "auth/userpass/users/nobody", undefined, 404],
  ],
  "identity": [
    ["POST", "identity/entity", { name: "ent" }, 200],
    ["POST", "identity/entity", { name: "ENT" }, 204],
    ["POST", "identity/entity/id/zz", {}, 400, "entity not found from id"],
    ["POST", "identity/entity", { name: "ent", policies: " ROOT " }, 400, "policies cannot contain root"],
    ["POST", "identity/entity/batch-delete", {}, 400],
    ["DELETE", "identity/entity/id/zz", undefined, 204],
    ["POST", "identity/entity-alias", {}, 400, "'id' or 'mount_accessor' and 'name' must be provided"],
    ["POST", "identity/entity-alias", { name: "x", mount_accessor: "zz" }, 400, 'invalid mount accessor "zz"'],
    ["POST", "identity/entity-alias", { id: "zz" }, 400, "invalid alias ID provided"],
    [
      "POST",
      "identity/entity-alias",
      { name: "x", mount_accessor: "userpass_auth", canonical_id: "zz" },
      400,
      "invalid canonical ID",
    ],
    ["POST", "identity/group", { name: "g", policies: "a" }, 200],
    ["POST", "identity/group", { name: "g", policies: "b" }, 204],
    ["POST", "identity/group", { name: "g", member_entity_ids: ["zz"] }, 400],
    ["POST", "identity/group", { name: "g", type: "external" }, 400],
    ["POST", "identity/group/id/zz", {}, 400, "invalid group ID"],
    ["POST", "identity/lookup/entity", {}, 400, "query parameter not supplied"],
    ["POST", "identity/lookup/entity", { id: "x", name: "y" }, 400, "query parameter conflict"],
    ["POST", "identity/lookup/entity", { alias_name: "x" }, 400],
    ["POST", "identity/lookup/entity", { name: "nobody" }, 204],
  ],
  "identity tokens": [
    ["POST", "identity/oidc/config", { issuer: "https://x/y" }, 400, "invalid issuer"],
    ["POST", "identity/oidc/config", { issuer: "" }, 204],
    ["POST", "identity/oidc/key/k", { rotation_period: "10s" }, 400],
    ["POST", "identity/oidc/key/k", { rotation_period: "1h" }, 400],
    ["POST", "identity/oidc/key/k", { algorithm: "HS256" }, 400, 'unknown signing algorithm "HS256"'],
    ["POST", "identity/oidc/key/k", { algorithm: "EdDSA" }, 200],
    ["POST", "identity/oidc/key/nobody", { algorithm: "EdDSA", allowed_client_ids: [] }, 204],
    ["POST", "identity/oidc/key/zz/rotate", {}, 400, 'no named key found at "zz"'],
    ["DELETE", "identity/oidc/key/default", undefined, 400, 'deletion of key "default" not allowed'],
    ["POST", "identity/oidc/role/r", {}, 400, "the key parameter is required"],
    ["POST", "identity/oidc/role/r", { key: "zz" }, 400, 'cannot find key "zz"'],
    ["POST", "identity/oidc/role/r", { key: "k", ttl: "48h" }, 400],
    ["POST", "identity/oidc/role/r", { key: "k", template: '{"sub":"x"}' }, 400, 'top level key "sub" not allowed'],
    ["POST", "identity/oidc/role/r", { key: "k", template: '{"x":{{time.now.plus.zz}}}' }, 400, "invalid duration"],
    ["POST", "identity/oidc/role/r", { key: "k", template: '{"x":{"y":{"z":{{identity.entity.id}}}}}' }, 204],
    ["DELETE", "identity/oidc/key/k", undefined, 400, "currently referenced by these roles: r"],
    ["GET", "identity/oidc/token/r", undefined, 400, "no entity associated with the request's token"],
    ["GET", "identity/oidc/provider/zz/.well-known/openid-configuration", undefined, 404],
  ],
};

for (const [title, rows] of Object.entries(ROWS)) {
  Deno.test(`what clients ask of ${title} is answered as they know it`, async () => {
    await withApi(async (api) => {
      await api.withUsers("alice");
      for (const [method, path, body, status, error = ""] of rows) {
        const answered = await api.operator(method, path, body);
        const what = `${method} ${path} ${JSON.stringify(body) ?? ""}: ${JSON.stringify(answered.body)}`;
        equal(answered.status, status, what);
        ok((answered.body?.errors?.[0] ?? "").includes(error), what);
      }
    });
  });
}

Deno.test("without a token every path that isn't open is 403, whether or not there is such a one", async () => {
  await withApi(async (api) => {
    for (const path of ["foo/bar", "sys/nowhere", "sys/mounts", "identity/entity", "auth/userpass/users"]) {
      for (const token of [undefined, "hvs.unknown"]) {
        const { status } = await api.call("GET", path, token === undefined ? {} : { token });
        equal(status, 403, path);
      }
    }
  });
});

Deno.test("what clients ask before anything else is answered in any namespace: that there is one vault, or none", async () => {
  await withApi(async (api) => {
    const headers = { "x-vault-namespace": "team/" };
    equal((await api.call("GET", "sys/seal-status", { headers })).body.sealed, false);
    const health = await api.call("GET", "sys/health", { headers });
    deepEqual([health.status, health.body.errors], [400, ["operation unavailable in namespaces"]]);
    const other = await api.call("GET", "sys/leader", { headers });
    deepEqual([other.status, other.body.errors], [404, ["namespace not found"]]);
  });
});

Deno.test("unsealing changes nothing, and says what is missing as clients know it", async () => {
  await withApi(async (api) => {
    const unseal = (body: unknown) => api.call("PUT", "sys/unseal", { body });
    deepEqual([(await unseal({})).status, (await unseal({ reset: true })).status], [400, 400]);
    equal((await unseal({ key: "00" })).body.sealed, false);
  });
});

Deno.test("an alias written again as it is answers 204, also one that a login made", async () => {
  await withApi(async (api) => {
    await api.withUsers("alice");
    const { entity_id: canonical_id } = await api.login("alice");
    const write = (more: object) =>
      api.operator("POST", "identity/entity-alias", {
        name: "alice",
        mount_accessor: "userpass_auth",
        canonical_id,
        ...more,
      });
    const before = api.vault.vault.state.sequence;
    equal((await write({})).status, 204);
    equal(api.vault.vault.state.sequence, before);
    equal((await write({ custom_metadata: { a: "b" } })).status, 200);
    equal((await write({ custom_metadata: { a: "b" } })).status, 204);
  });
});
