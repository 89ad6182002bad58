/**
 * What the identity API does beyond the flow of an application: groups, merges, passwords, mounts, explanations.
 */

import { deepEqual, equal, match, notEqual, ok } from "node:assert/strict";
import { withApi } from "./_test_support.ts";

Deno.test("a new vault has the built-in mounts and nothing else; each has an accessor that stays", async () => {
  await withApi(async (api) => {
    const auth = await api.must("GET", "sys/auth");
    const secret = await api.must("GET", "sys/mounts");
    deepEqual(Object.keys(auth).sort(), ["token/", "token/evt/"]);
    deepEqual(Object.keys(secret).sort(), ["cubbyhole/", "identity/", "sys/"]);
    equal(auth["token/evt/"].stable_accessor, "token_evt_auth");
    for (const path of ["token/evt", "token"]) equal((await api.operator("DELETE", `sys/auth/${path}`)).status, 400);
    equal((await api.operator("POST", "sys/auth/token/evt/tune", { description: "x" })).status, 400);
    for (const path of ["sys", "identity", "cubbyhole/x", "auth/y"]) {
      equal((await api.operator("POST", `sys/mounts/${path}`, { type: "userpass" })).status, 400, path);
    }
  });
});

Deno.test("a mount's accessor is new each time; its stable name is refused where another has it, and warned of", async () => {
  await withApi(async (api) => {
    await api.must("POST", "sys/auth/team/people", { type: "userpass" });
    const first = (await api.must("GET", "sys/auth"))["team/people/"].accessor;
    match(
      (await api.operator("POST", "sys/auth/team_people", { type: "userpass" })).body.errors[0],
      /team_people_auth/,
    );
    equal((await api.operator("POST", "sys/auth/team", { type: "userpass" })).status, 400, "the beginning of another");
    await api.policy(
      "p",
      `path "cubbyhole/{{identity.entity.aliases.team_people_auth.name}}" { capabilities = ["read"] }`,
    );
    await api.must("DELETE", "sys/auth/team/people");
    const again = await api.operator("POST", "sys/auth/team/people", { type: "userpass" });
    deepEqual([again.status, again.body.warnings], [200, [
      "the stable accessor name team_people_auth is already used by policy p",
    ]]);
    notEqual((await api.must("GET", "sys/auth"))["team/people/"].accessor, first);
  });
});

Deno.test("a mount that asks for batch tokens is refused, on being made and later: there are none", async () => {
  await withApi(async (api) => {
    await api.withUsers();
    const make = (type: unknown) =>
      api.operator("POST", "sys/auth/other", { type: "userpass", config: { token_type: type } });
    const tune = (type: unknown) => api.operator("POST", "sys/auth/userpass/tune", { token_type: type });
    for (const type of ["batch", "default-batch", "fast", 1]) {
      for (const { status, body } of [await make(type), await tune(type)]) {
        equal(status, 400, String(type));
        match(body.errors[0], /token_type/);
      }
    }
    equal((await make("default-service")).status, 204);
    for (const type of ["service", "default-service", "", null]) equal((await tune(type)).status, 204, String(type));
  });
});

Deno.test("a merge patch changes single keys of an entity's metadata, found by its id or its name", async () => {
  await withApi(async (api) => {
    const { id } = await api.must("POST", "identity/entity", { name: "Mia", metadata: { a: "1", b: "2" } });
    const { client_token: token } = (await api.operator("POST", "auth/token/create", {})).body.auth;
    const headers = { "content-type": "application/merge-patch+json" };
    const patch = async (path: string, body: unknown) =>
      (await api.call("PATCH", `identity/entity/${path}`, { token, body, headers })).status;
    equal(await patch(`id/${id}`, { metadata: { a: null, c: { d: [1] } } }), 204);
    equal(await patch("name/MIA", { metadata: { b: "3" }, cas: 2 }), 204);
    equal(await patch("name/mia", { metadata: { b: "4" }, cas: 2 }), 400, "read before the last change");
    equal(await patch("name/nobody", { metadata: { b: "4" } }), 404);
    equal((await api.operator("GET", "identity/entity/name/nobody")).status, 404, "a patch makes nobody");
    const { metadata, version, name } = await api.must("GET", `identity/entity/id/${id}`);
    deepEqual([metadata, version, name], [{ b: "3", c: { d: [1] } }, 3, "Mia"]);
  });
});

Deno.test("disabling a mount ends every token that came through it, and drops its users", async () => {
  await withApi(async (api) => {
    await api.withUsers("alice");
    const { client_token: token, entity_id } = await api.login("alice");
    await api.must("DELETE", "sys/auth/userpass");
    equal((await api.call("GET", "auth/token/lookup-self", { token })).status, 403);
    const entity = await api.must("GET", `identity/entity/id/${entity_id}`);
    deepEqual([entity.aliases[0].mount_path, entity.aliases[0].mount_type], ["", ""]);
    await api.withUsers();
    equal((await api.operator("LIST", "auth/userpass/users")).status, 404);
  });
});

Deno.test("users change their own password by the old one, and their other sessions end", async () => {
  await withApi(async (api) => {
    await api.withUsers("bob", "carl");
    await api.policy("self", `path "auth/userpass/users/bob/password" { capabilities = ["update"] }`);
    await api.must("POST", "auth/userpass/users/bob", { policies: ["self"] });
    const [one, two] = [await api.login("bob"), await api.login("bob")];
    const change = (body: unknown) =>
      api.call("POST", "auth/userpass/users/bob/password", { token: one.client_token, body });
    equal((await change({ password: "new" })).status, 400, "without the old one");
    equal((await change({ password: "new", old_password: "wrong" })).status, 400);
    equal((await change({ password: "new", old_password: "bob" })).status, 204);
    const works = async (token: string) => (await api.call("GET", "auth/token/lookup-self", { token })).status;
    deepEqual([await works(one.client_token), await works(two.client_token)], [200, 403]);
    equal((await api.call("POST", "auth/userpass/login/bob", { body: { password: "bob" } })).status, 400);
    await api.login("bob", "new");
  });
});

Deno.test("names are folded, may be e-mail addresses, and name the entity that a login makes", async () => {
  await withApi(async (api) => {
    await api.withUsers();
    await api.must("POST", "auth/userpass/users/Dora.X+y@Example.org", { password: "pw" });
    const first = await api.login("DORA.x+Y@example.ORG", "pw");
    deepEqual([first.metadata.username, first.policies], ["dora.x+y@example.org", ["default"]]);
    equal((await api.must("GET", `identity/entity/id/${first.entity_id}`)).name, "dora.x+y@example.org");
    for (const name of ["a%20b", "a..", "-a", "a/b"]) {
      equal((await api.operator("POST", `auth/userpass/users/${name}`, { password: "x" })).status, 404, name);
    }
    equal((await api.operator("POST", "auth/userpass/users/erin", {})).status, 400);
    equal((await api.operator("POST", "auth/userpass/users/erin", { password: "x", policies: "root" })).status, 400);
    equal((await api.operator("POST", "auth/userpass/users/erin", { password: "x", token_type: "batch" })).status, 400);
  });
});

Deno.test("groups give their policies to members, through groups as well, and take them back at once", async () => {
  await withApi(async (api) => {
    await api.policy("reader", `path "sys/mounts" { capabilities = ["read"] }`);
    await api.withUsers("finn");
    const { client_token: token, entity_id } = await api.login("finn");
    const mounts = async () => (await api.call("GET", "sys/mounts", { token })).status;
    const { id: inner } = await api.must("POST", "identity/group", { name: "inner", member_entity_ids: [entity_id] });
    equal(await mounts(), 403);
    const { id: outer } = await api.must("POST", "identity/group", {
      name: "outer",
      policies: ["reader"],
      member_group_ids: [inner],
    });
    equal(await mounts(), 200);
    const entity = await api.must("GET", `identity/entity/id/${entity_id}`);
    deepEqual([entity.direct_group_ids, entity.inherited_group_ids], [[inner], [outer]]);
    match(
      (await api.operator("POST", `identity/group/id/${inner}`, { member_group_ids: [outer] })).body.errors[0],
      /cyclic relationship/,
    );
    equal((await api.operator("POST", "identity/group", { name: "x", policies: ["Root "] })).status, 400);
    equal((await api.operator("POST", "identity/group", { name: "x", member_entity_ids: ["nobody"] })).status, 400);
    await api.must("POST", `identity/group/id/${inner}`, { member_entity_ids: [] });
    equal(await mounts(), 403);
    await api.must("DELETE", `identity/group/id/${inner}`);
    deepEqual((await api.must("GET", `identity/group/id/${outer}`)).member_group_ids, null);
  });
});

Deno.test("a merge that would give an entity two aliases on a mount is refused with both, and does nothing", async () => {
  await withApi(async (api) => {
    await api.withUsers("gina", "hugo");
    const [gina, hugo] = [await api.login("gina"), await api.login("hugo")];
    const merge = { from_entity_ids: [hugo.entity_id], to_entity_id: gina.entity_id };
    const refused = await api.operator("POST", "identity/entity/merge", merge);
    equal(refused.status, 400);
    deepEqual(refused.body.data.map((one: { alias: string }) => one.alias).sort(), ["gina", "hugo"]);
    equal((await api.must("GET", `identity/entity/id/${hugo.entity_id}`)).name, "hugo");
    const [kept] = refused.body.data.filter((one: { alias: string }) => one.alias === "gina");
    await api.must("POST", "identity/entity/merge", { ...merge, conflicting_alias_ids_to_keep: [kept.alias_id] });
    deepEqual((await api.must("GET", `identity/entity/id/${gina.entity_id}`)).merged_entity_ids, [hugo.entity_id]);
    equal(
      (await api.operator("POST", "identity/entity/merge", { ...merge, from_entity_ids: [gina.entity_id] })).status,
      400,
    );
  });
});

Deno.test("lookups answer by any one name, 204 for nobody, and 400 for none or two", async () => {
  await withApi(async (api) => {
    await api.withUsers("ida");
    const { entity_id } = await api.login("ida");
    const accessor = (await api.must("GET", "sys/auth"))["userpass/"].accessor;
    const look = (body: unknown) => api.operator("POST", "identity/lookup/entity", body);
    for (
      const query of [{ id: entity_id }, { name: "IDA" }, { alias_name: "ida", alias_mount_accessor: accessor }, {
        alias_name: "ida",
        alias_mount_accessor: "userpass_auth",
      }]
    ) {
      equal((await look(query)).body.data.id, entity_id, JSON.stringify(query));
    }
    deepEqual([(await look({ name: "nobody" })).status, (await look({})).status], [204, 400]);
    equal((await look({ id: entity_id, name: "ida" })).status, 400);
    equal((await look({ alias_name: "ida" })).status, 400);
  });
});

Deno.test("an explanation names the stanza that decided and those that were dropped; of others it needs sudo", async () => {
  await withApi(async (api) => {
    await api.policy(
      "p",
      `path "sys/*" { capabilities = ["read"] }
path "cubbyhole/{{identity.entity.metadata.team}}/*" { capabilities = ["read"] }
path "sys/policies/explain" { capabilities = ["update"] }`,
    );
    await api.withUsers("jane", "kate");
    await api.must("POST", "auth/userpass/users/jane", { policies: ["p", "nowhere"] });
    const { client_token: token } = await api.login("jane");
    const explain = (body: unknown) => api.call("POST", "sys/policies/explain", { token, body });
    const { data } = (await explain({ path: "/v1/sys/mounts", operation: "read" })).body;
    deepEqual([data.allowed, data.pattern, data.stanzas[0].policy, data.stanzas[0].line], [true, "sys/*", "p", 1]);
    deepEqual([data.dropped[0].line, data.missing_policies], [2, ["nowhere"]]);
    match(data.dropped[0].reason, /no value/);
    await api.vault.vault.engine.accounts.create({ name: "liam", password: "pw", policies: ["p"] });
    const ofLiam = await api.must("POST", "sys/policies/explain", { path: "sys/mounts", user: "liam" });
    deepEqual([ofLiam.allowed, ofLiam.stanzas[0].policy], [true, "p"], "by the login, for there is no evt token");
    const accessor = (await api.login("kate")).accessor;
    equal((await explain({ path: "sys/mounts", accessor })).status, 403);
    equal((await api.operator("POST", "sys/policies/explain", { path: "sys/mounts", accessor })).status, 200);
    equal((await explain({ path: "sys/mounts", operation: "fly" })).status, 400);
  });
});

Deno.test("the API describes itself, from the table that routes it", async () => {
  await withApi(async (api) => {
    await api.withUsers();
    const { body } = await api.operator("GET", "sys/internal/specs/openapi");
    equal(body.openapi, "3.0.2");
    const login = body.paths["/auth/userpass/login/{username}"];
    deepEqual([login["x-vault-unauthenticated"], login.get], [true, undefined]);
    ok(login.post.requestBody.content["application/json"].schema.properties.password);
    equal(body.paths["/sys/auth/{path}"]["x-vault-sudo"], true);
    ok(Object.keys(body.paths).length > 100);
  });
});

Deno.test("mounts are shown to whoever can touch them, and to nobody else", async () => {
  await withApi(async (api) => {
    await api.withUsers("lara");
    await api.must("POST", "sys/auth/open", { type: "userpass", config: { listing_visibility: "unauth" } });
    const anonymous = (await api.call("GET", "sys/internal/ui/mounts")).body.data;
    deepEqual([Object.keys(anonymous.auth), Object.keys(anonymous.secret)], [["open/"], []]);
    const { client_token: token } = await api.login("lara");
    const own = (await api.call("GET", "sys/internal/ui/mounts", { token })).body.data;
    ok("cubbyhole/" in own.secret && !("userpass/" in own.auth));
    const [known, unknown] = [
      await api.call("GET", "sys/internal/ui/mounts/auth/userpass", { token }),
      await api.call("GET", "sys/internal/ui/mounts/auth/nowhere", { token }),
    ];
    deepEqual([known.status, unknown.status], [403, 403], "one answer for both");
  });
});

Deno.test("bad metadata is refused by key alone, and nothing changes", async () => {
  await withApi(async (api) => {
    const { id } = await api.must("POST", "identity/entity", { name: "m", metadata: { a: "1", n: { deep: [1] } } });
    const write = (metadata: unknown) => api.operator("POST", `identity/entity/id/${id}`, { metadata });
    const many = Object.fromEntries(Array.from({ length: 65 }, (_, i) => [`k${i}`, "v"]));
    const big = Object.fromEntries(Array.from({ length: 5 }, (_, i) => [`k${i}`, "v".repeat(4000)]));
    for (const bad of [{ "a b": "hunter2" }, { "": "x" }, { "vault-x": "y" }, { a: "x".repeat(4097) }, many, big]) {
      const { status, body } = await write(bad);
      equal(status, 400);
      equal(JSON.stringify(body).includes("hunter2"), false);
    }
    equal((await write({ ["__proto__"]: "x" })).status < 500, true);
    deepEqual((await api.must("GET", `identity/entity/id/${id}`)).metadata, { a: "1", n: { deep: [1] } });
  });
});
