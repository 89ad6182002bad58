import { deepEqual, equal, match } from "node:assert/strict";
import { type TestApi, withApi } from "../_test_support.ts";

const POLICY = `path "sys/mounts" { capabilities = ["update", "read"] }
path "sys/auth" { capabilities = ["deny"] }
path "own/{{identity.entity.name}}/*" { capabilities = ["list"] }
path "sys/capabilities*" { capabilities = ["update"] }
path "sys/policies/explain" { capabilities = ["update"] }`;

/** Logs in a user who holds {@link POLICY}. */
async function loginOf(api: TestApi, name: string) {
  await api.policy("p", POLICY);
  await api.withUsers(name);
  await api.must("POST", `auth/userpass/users/${name}`, { policies: ["p"] });
  return await api.login(name);
}

Deno.test("capabilities of the caller, of a token and of an accessor are one answer", async () => {
  await withApi(async (api) => {
    const { client_token: token, accessor } = await loginOf(api, "alice");
    const expected = {
      "sys/mounts": ["read", "update"],
      "sys/auth": ["deny"],
      "nowhere": ["deny"],
      "own/alice/x": ["list"],
      "/sys/mounts": ["read", "update"],
    };
    const paths = Object.keys(expected);
    const asked = [
      await api.call("POST", "sys/capabilities-self", { token, body: { paths } }),
      await api.operator("POST", "sys/capabilities", { token, paths }),
      await api.operator("POST", "sys/capabilities-accessor", { accessor, paths: paths.join(", ") }),
    ];
    for (const { status, body } of asked) {
      deepEqual([status, body.data], [200, expected]);
      deepEqual(body["sys/auth"], ["deny"], "at the top as well");
    }
  });
});

Deno.test("for one path the answer says it twice, and root is root", async () => {
  await withApi(async (api) => {
    const { client_token: token } = await loginOf(api, "alice");
    for (const body of [{ path: "sys/mounts" }, { paths: ["sys/mounts"] }, { paths: "sys/mounts" }]) {
      const { data } = (await api.call("POST", "sys/capabilities-self", { token, body })).body;
      deepEqual(data, { "sys/mounts": ["read", "update"], capabilities: ["read", "update"] });
    }
    deepEqual((await api.must("POST", "sys/capabilities-self", { path: "any" })).capabilities, ["root"]);
  });
});

Deno.test("tokens and accessors that are none, and no paths, are refused", async () => {
  await withApi(async (api) => {
    const { client_token: token } = await loginOf(api, "alice");
    const gone = await api.login("alice");
    await api.must("POST", "auth/token/revoke", { token: gone.client_token });
    await api.must("POST", "auth/userpass/users/alice", { token_ttl: "1m" });
    const late = await api.login("alice");
    api.vault.clock.advance(61_000);
    const refusals: readonly (readonly [path: string, body: unknown, message: RegExp])[] = [
      ["sys/capabilities", { token: "hvs.nobody", paths: ["a"] }, /invalid token/],
      ["sys/capabilities", { token: gone.client_token, paths: ["a"] }, /invalid token/],
      ["sys/capabilities", { token: late.client_token, paths: ["a"] }, /invalid token/],
      ["sys/capabilities-accessor", { accessor: late.accessor, paths: ["a"] }, /invalid accessor/],
      ["sys/capabilities", { paths: ["a"] }, /invalid token/],
      ["sys/capabilities-accessor", { accessor: "nobody", paths: ["a"] }, /invalid accessor/],
      ["sys/capabilities-accessor", { accessor: gone.accessor, paths: ["a"] }, /invalid accessor/],
      ["sys/capabilities", { token }, /^paths must be supplied$/],
      ["sys/capabilities-self", { paths: [] }, /^paths must be supplied$/],
    ];
    for (const [path, body, message] of refusals) {
      const { status, body: answered } = await api.operator("POST", path, body);
      equal(status, 400, path);
      match(answered.errors[0], message, path);
    }
  });
});

Deno.test("the capabilities of another's templated policy are those of that other", async () => {
  await withApi(async (api) => {
    const { client_token: bob } = await loginOf(api, "bob");
    const { client_token: alice } = await loginOf(api, "alice");
    const paths = ["own/alice/x", "own/bob/x"];
    const { data } = (await api.call("POST", "sys/capabilities", { token: alice, body: { token: bob, paths } })).body;
    deepEqual(data, { "own/alice/x": ["deny"], "own/bob/x": ["list"] });
  });
});

Deno.test("an evt token's capabilities are those of its role and its entity", async () => {
  await withApi(async (api) => {
    await api.policy("p", POLICY);
    const role = { name: "agent", scope: ["get_bundle" as const], topK: 1, rateLimit: "1000/1s", policies: ["p"] };
    await api.vault.vault.roles.create(role);
    const token = await api.vault.issue("carol", "agent");
    const paths = ["sys/mounts", "own/carol/x", "own/alice/x"];
    const expected = { "sys/mounts": ["read", "update"], "own/carol/x": ["list"], "own/alice/x": ["deny"] };
    deepEqual((await api.call("POST", "sys/capabilities-self", { token, body: { paths } })).body.data, expected);
    deepEqual(await api.must("POST", "sys/capabilities", { token, paths }), expected);
  });
});

Deno.test("the resultant rules are shown by exact paths and by globs, rendered for the caller", async () => {
  await withApi(async (api) => {
    const { client_token: token } = await loginOf(api, "alice");
    const { data } = (await api.call("GET", "sys/internal/ui/resultant-acl", { token })).body;
    equal(data.root, false);
    deepEqual(data.exact_paths["sys/mounts"], { capabilities: ["read", "update"] });
    deepEqual(data.exact_paths["sys/auth"], { capabilities: ["deny"] });
    deepEqual(data.glob_paths["own/alice/"], { capabilities: ["list"] });
    deepEqual(await api.must("GET", "sys/internal/ui/resultant-acl"), { root: true });
  });
});

Deno.test("an explanation takes paths as people write them, and the parameters of the request", async () => {
  await withApi(async (api) => {
    const { client_token: token, entity_id } = await loginOf(api, "alice");
    await api.policy("p", `${POLICY}\npath "q" { capabilities = ["update"] denied_parameters = { "x" = ["1"] } }`);
    const explain = async (body: unknown) =>
      (await api.call("POST", "sys/policies/explain", { token, body })).body.data;
    for (const path of ["sys/mounts", "/sys/mounts", "/v1/sys/mounts", "v1/sys/mounts"]) {
      deepEqual([(await explain({ path })).path, (await explain({ path })).allowed], ["sys/mounts", true], path);
    }
    deepEqual((await explain({ path: "own/alice/x", operation: "list" })).path, "own/alice/x/");
    const sent = (x: string) => explain({ path: "q", operation: "update", parameters: { X: x } });
    deepEqual([(await sent("1")).allowed, (await sent("2")).allowed], [false, true]);
    match((await sent("1")).reason, /the parameter "x" is denied/);
    const entity = await api.must("POST", "sys/policies/explain", { path: "sys/mounts", entity_id });
    deepEqual([entity.allowed, entity.reason], [false, "no policy speaks of this path"], "with `default` alone");
    const missing = await api.call("POST", "sys/policies/explain", { token, body: { operation: "read" } });
    deepEqual([missing.status, missing.body.errors], [400, ["path must be supplied"]]);
  });
});

Deno.test("an explanation knows users who have a login alone, before their first login too", async () => {
  await withApi(async (api) => {
    await loginOf(api, "Alice");
    await api.must("POST", "auth/userpass/users/bare", {
      password: "pw",
      policies: "p",
      token_no_default_policy: true,
    });
    const explain = (user: string, path: string) => api.must("POST", "sys/policies/explain", { path, user });
    for (const user of ["alice", "ALICE", "bare"]) {
      const { allowed, stanzas } = await explain(user, "sys/mounts");
      deepEqual([allowed, stanzas[0].policy], [true, "p"], user);
    }
    equal((await explain("alice", "auth/token/lookup-self")).allowed, true, "by the policy `default`");
    equal((await explain("bare", "auth/token/lookup-self")).allowed, false, "whose login gives no `default`");
    await api.must("POST", "identity/entity", { name: "Alice", metadata: { team: "blue" } });
    await api.policy("p", `path "team/{{identity.entity.metadata.team}}" { capabilities = ["read"] }`);
    equal((await explain("alice", "team/blue")).allowed, true, "rendered for the login's entity");
    deepEqual((await explain("bare", "team/blue")).dropped.length, 1, "nobody's yet");
    const nobody = await api.operator("POST", "sys/policies/explain", { path: "sys/mounts", user: "nobody" });
    deepEqual([nobody.status, nobody.body.errors], [400, ["there is no such user"]]);
  });
});

Deno.test("a refusal is dull on the wire, and the log has its reason by the request's id", async () => {
  await withApi(async (api) => {
    const { client_token: token, entity_id } = await loginOf(api, "alice");
    const refused = [
      await api.call("GET", "sys/auth", { token }),
      await api.call("GET", "nowhere/at/all", { token }),
      await api.call("DELETE", "sys/mounts", { token }),
    ];
    for (const { status, body } of refused) {
      deepEqual([status, body], [403, { errors: ["1 error occurred:\n\t* permission denied\n\n"] }]);
    }
    const reasons = refused.map(({ headers }) => {
      const id = headers.get("x-request-id");
      return api.vault.logger.events.find(({ event, fields }) =>
        event === "api_denied" && fields["request_id"] === id
      )!;
    });
    deepEqual(reasons.map(({ fields }) => [fields["reason"], fields["pattern"], fields["entity_id"]]), [
      ["the path is denied", "sys/auth", entity_id],
      ["no policy speaks of this path", null, entity_id],
      [`the capability "delete" is not granted`, "sys/mounts", entity_id],
    ]);
    equal(JSON.stringify(reasons).includes(token), false);
  });
});
