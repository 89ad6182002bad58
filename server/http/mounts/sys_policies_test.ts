import { deepEqual, equal, match } from "node:assert/strict";
import { Buffer } from "node:buffer";
import { withApi } from "../_test_support.ts";

const READ = `path "sys/mounts" { capabilities = ["read"] }`;

Deno.test("a policy is written, read, listed and deleted on both paths", async () => {
  await withApi(async (api) => {
    equal((await api.operator("PUT", "sys/policies/acl/one", { policy: READ })).status, 204);
    equal((await api.operator("POST", "sys/policy/two/b", { policy: READ })).status, 204);
    deepEqual(await api.must("GET", "sys/policies/acl/two/b"), { name: "two/b", policy: READ });
    const old = (await api.operator("GET", "sys/policy/one")).body;
    deepEqual([old.data, old.name, old.rules], [{ name: "one", rules: READ }, "one", READ]);
    const keys = ["default", "one", "two/b", "root"];
    deepEqual((await api.must("LIST", "sys/policies/acl")).keys, keys);
    for (const method of ["GET", "LIST"]) {
      const { body } = await api.operator(method, "sys/policy");
      deepEqual([body.data, body.keys, body.policies], [{ keys, policies: keys }, keys, keys], method);
    }
    for (const path of ["sys/policies/acl/one", "sys/policy/two/b", "sys/policy/two/b"]) {
      equal((await api.operator("DELETE", path)).status, 204, path);
    }
    deepEqual((await api.must("LIST", "sys/policies/acl")).keys, ["default", "root"]);
    const absent = await api.operator("GET", "sys/policies/acl/one");
    deepEqual([absent.status, absent.body], [404, { errors: [] }]);
  });
});

Deno.test("root reads as empty text; what every vault has can't be deleted, nor root be written", async () => {
  await withApi(async (api) => {
    deepEqual(await api.must("GET", "sys/policies/acl/root"), { name: "root", policy: "" });
    const refusals: readonly (readonly [method: string, name: string, message: string])[] = [
      ["PUT", "root", `cannot update "root" policy`],
      ["PUT", "Root", `cannot update "root" policy`],
      ["PUT", "response-wrapping", `cannot update "response-wrapping" policy`],
      ["DELETE", "root", `cannot delete "root" policy`],
      ["DELETE", "DEFAULT", "cannot delete default policy"],
    ];
    for (const [method, name, message] of refusals) {
      const body = method === "PUT" ? { policy: READ } : undefined;
      const refused = await api.operator(method, `sys/policies/acl/${name}`, body);
      equal(refused.status, 400, name);
      match(refused.body.errors[0], new RegExp(message), name);
    }
    equal((await api.operator("PUT", "sys/policies/acl/default", { policy: READ })).status, 204);
  });
});

Deno.test("a policy may come as base64, as JSON, and blank", async () => {
  await withApi(async (api) => {
    await api.policy("b", btoa(READ));
    equal((await api.must("GET", "sys/policies/acl/b")).policy, READ);
    const json = `{"path":{"sys/mounts":{"capabilities":["read"]}}}`;
    await api.policy("b", json);
    equal((await api.must("GET", "sys/policies/acl/b")).policy, json);
    for (const blank of [" ", "\n", "# nothing", `path "x" {}`]) await api.policy("b", blank);
  });
});

Deno.test("a policy that can't be read is refused with the line, and the one before stays", async () => {
  await withApi(async (api) => {
    await api.policy("p", READ);
    const bad: readonly (readonly [body: unknown, message: RegExp])[] = [
      [{}, /^'policy' parameter not supplied or empty$/],
      [{ policy: "" }, /^'policy' parameter not supplied or empty$/],
      [{ policy: null }, /^'policy' parameter not supplied or empty$/],
      [{ rules: READ }, /^'policy' parameter not supplied or empty$/],
      [
        { policy: `\n\npath "a" { capabilities = ["fly"] }` },
        /^failed to parse policy: line 3: invalid capability "fly"/,
      ],
      [{ policy: `path "a" {` }, /^failed to parse policy: .* at line 1, column 11/],
      [{ policy: `path "a/{{identity.entity.id" {}` }, /^failed to parse policy: line 1: unbalanced/],
      [{ policy: btoa(`path "a/+*" {}`) }, /^failed to parse policy: /],
    ];
    for (const [body, message] of bad) {
      const { status, body: answered } = await api.operator("PUT", "sys/policies/acl/p", body);
      equal(status, 400, JSON.stringify(body));
      match(answered.errors[0], message);
    }
    equal((await api.must("GET", "sys/policies/acl/p")).policy, READ);
  });
});

Deno.test("what the author should know comes as a warning, with 200 instead of 204", async () => {
  await withApi(async (api) => {
    const named = await api.operator("PUT", "sys/policies/acl/MyPolicy", { policy: READ });
    deepEqual([named.status, named.body.warnings], [200, ["policy name was converted to mypolicy"]]);
    const directive = `path "identity/entity-alias/id/{{identity.entity.alias.id}}" { capabilities = ["read"] }`;
    const never = await api.operator("PUT", "sys/policies/acl/p", { policy: directive });
    equal(never.status, 200);
    match(never.body.warnings[0], /\{\{identity\.entity\.alias\.id\}\}.* will never apply/);
    const old = await api.operator("PUT", "sys/policy/p", { rules: READ });
    deepEqual([old.status, old.body.warnings], [200, ["'rules' is deprecated, please use 'policy' instead"]]);
    equal((await api.must("GET", "sys/policies/acl/p")).policy, READ);
  });
});

Deno.test("an accessor that no auth method has is warned of, with the name that was meant", async () => {
  await withApi(async (api) => {
    await api.withUsers();
    const { accessor } = (await api.must("GET", "sys/auth"))["userpass/"];
    const aliasOf = (name: string) => `{{ identity.entity.aliases.${name}.name }}`;
    const policy = async (name: string) => {
      const text = `path "a/${aliasOf(name)}" {}\npath "b/${aliasOf(name)}/*" {}`;
      const { status, body } = await api.operator("PUT", "sys/policies/acl/p", { policy: text });
      return [status, body?.warnings];
    };
    const role = async (name: string) => {
      const template = Buffer.from(`{"a": ${aliasOf(name)}}`).toString("base64");
      const { status, body } = await api.operator("POST", "identity/oidc/role/r", { key: "default", template });
      return [status, body?.warnings];
    };
    const warning = (name: string, fix: string) =>
      `no auth method has the accessor "${name}", so what it stands for has no value (${fix})`;
    for (const write of [policy, role]) {
      for (const good of [accessor, "userpass_auth", "token_evt_auth"]) deepEqual(await write(good), [204, undefined]);
      deepEqual(await write("userpass"), [200, [warning("userpass", "use userpass_auth")]]);
      const where = "accessors and stable names stand in sys/auth";
      deepEqual(await write("ldap_auth"), [200, [warning("ldap_auth", where)]]);
    }
  });
});

Deno.test("a policy binds tokens that are there already, from their next request on", async () => {
  await withApi(async (api) => {
    await api.withUsers("alice");
    await api.must("POST", "auth/userpass/users/alice", { policies: ["p"] });
    const { client_token: token } = await api.login("alice");
    const mounts = async () => (await api.call("GET", "sys/mounts", { token })).status;
    equal(await mounts(), 403);
    await api.policy("p", READ);
    equal(await mounts(), 200);
    await api.must("DELETE", "sys/policies/acl/p");
    equal(await mounts(), 403);
  });
});

Deno.test("nobody without a policy for it reads or writes policies", async () => {
  await withApi(async (api) => {
    await api.withUsers("eve");
    const { client_token: token } = await api.login("eve");
    for (const path of ["sys/policies/acl/p", "sys/policies/acl/default", "sys/policy/p"]) {
      equal((await api.call("PUT", path, { token, body: { policy: READ } })).status, 403, path);
      equal((await api.call("GET", path, { token })).status, 403, path);
      equal((await api.call("DELETE", path, { token })).status, 403, path);
      equal((await api.call("GET", path)).status, 403, `${path} without a token`);
    }
    equal((await api.operator("GET", "sys/policies/acl/p")).status, 404, "nothing was written");
  });
});
