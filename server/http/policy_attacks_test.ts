// Ways in and out of policies that a review found; each was open once.
import { deepEqual, equal, ok } from "node:assert/strict";
import { withApi } from "./_test_support.ts";

Deno.test("attack: a parameter in another case doesn't hide the one that the handler reads", async () => {
  await withApi(async (api) => {
    await api.withUsers("bob", "eve");
    await api.policy(
      "p",
      `path "auth/userpass/users/bob" { capabilities = ["update"] allowed_parameters = { "token_ttl" = ["1h"] } }`,
    );
    await api.must("POST", "auth/userpass/users/eve", { policies: ["p"] });
    const { client_token: token } = await api.login("eve");
    const body = { token_ttl: "700h", TOKEN_TTL: "1h" };
    equal((await api.call("POST", "auth/userpass/users/bob", { token, body })).status, 403);
    equal((await api.must("GET", "auth/userpass/users/bob")).token_ttl, 0);
  });
});

Deno.test("attack: an entity can't rename its own alias to a login that somebody else will use", async () => {
  await withApi(async (api) => {
    await api.withUsers("eve", "boss");
    const { client_token: token, entity_id } = await api.login("eve");
    const alias = (await api.must("GET", `identity/entity/id/${entity_id}`)).aliases[0];
    await api.policy(
      "p",
      `path "identity/entity-alias/id/{{identity.entity.aliases.userpass_auth.id}}" { capabilities = ["update"] }`,
    );
    await api.must("POST", `identity/entity/id/${entity_id}`, { policies: ["p"] });
    const renamed = await api.call("POST", `identity/entity-alias/id/${alias.id}`, { token, body: { name: "boss" } });
    equal((await api.login("boss")).entity_id === entity_id, false, "boss logs in as eve's entity");
    equal(renamed.status, 403);
  });
});

Deno.test("a mount that goes takes what its stable name gave", async () => {
  await withApi(async (api) => {
    await api.withUsers("zed");
    await api.policy("p", `path "secret/{{identity.entity.aliases.userpass_auth.name}}" { capabilities = ["read"] }`);
    const { entity_id } = await api.login("zed");
    await api.must("POST", `identity/entity/id/${entity_id}`, { policies: ["p"] });
    const may = async () => (await api.must("POST", "sys/policies/explain", { path: "secret/zed", entity_id })).allowed;
    equal(await may(), true);
    await api.must("DELETE", "sys/auth/userpass");
    equal(await may(), false);
  });
});

Deno.test("an old word that is a name of every object is a bad policy, not a failure of the server", async () => {
  await withApi(async (api) => {
    const { status } = await api.operator("PUT", "sys/policies/acl/p", {
      policy: `path "x" { policy = "constructor" }`,
    });
    equal(status, 400);
  });
});

Deno.test("a refusal's log line doesn't grow with the names of the parameters", async () => {
  await withApi(async (api) => {
    await api.withUsers("eve");
    await api.policy("p", `path "identity/group" { capabilities = ["update"] allowed_parameters = { "name" = [] } }`);
    await api.must("POST", "auth/userpass/users/eve", { policies: ["p"] });
    const { client_token: token } = await api.login("eve");
    await api.call("POST", "identity/group", { token, body: { ["k".repeat(100_000)]: "x" } });
    ok(api.vault.logger.text().length < 20_000);
  });
});

Deno.test("S12: custom metadata that an entity set on its own alias opens no path", async () => {
  await withApi(async (api) => {
    await api.withUsers("eve");
    const { client_token: token, entity_id } = await api.login("eve");
    const alias = (await api.must("GET", `identity/entity/id/${entity_id}`)).aliases[0];
    await api.policy(
      "p",
      `path "identity/entity-alias/id/{{identity.entity.aliases.userpass_auth.id}}" { capabilities = ["update"] }
path "secret/{{identity.entity.aliases.userpass_auth.custom_metadata.room}}" { capabilities = ["read"] }`,
    );
    await api.must("POST", `identity/entity/id/${entity_id}`, { policies: ["p"] });
    await api.call("POST", `identity/entity-alias/id/${alias.id}`, { token, body: { custom_metadata: { room: "x" } } });
    equal((await api.must("POST", "sys/policies/explain", { path: "secret/x", entity_id })).allowed, false);
  });
});

Deno.test("S12: metadata that a member set on its own group opens no path", async () => {
  await withApi(async (api) => {
    await api.withUsers("eve");
    const { client_token: token, entity_id } = await api.login("eve");
    await api.must("POST", "identity/group", { name: "team", member_entity_ids: [entity_id], metadata: { room: "a" } });
    await api.policy(
      "p",
      `path "identity/group/name/team" { capabilities = ["update"] }
path "secret/{{identity.groups.names.team.metadata.room}}" { capabilities = ["read"] }`,
    );
    await api.must("POST", `identity/entity/id/${entity_id}`, { policies: ["p"] });
    await api.call("POST", "identity/group/name/team", { token, body: { metadata: { room: "x" } } });
    equal((await api.must("POST", "sys/policies/explain", { path: "secret/x", entity_id })).allowed, false);
  });
});

for (const name of ["VICTIM", "victim%20", "%20victim"]) {
  Deno.test(`attack: a denial of a policy's path holds for ${name} too`, async () => {
    await withApi(async (api) => {
      await api.withUsers("eve");
      await api.policy("victim", "# before");
      await api.policy(
        "p",
        `path "sys/policies/acl/*" { capabilities = ["update"] }\npath "sys/policies/acl/victim" { capabilities = ["deny"] }`,
      );
      await api.must("POST", "auth/userpass/users/eve", { policies: ["p"] });
      const { client_token: token } = await api.login("eve");
      await api.call("POST", `sys/policies/acl/${name}`, { token, body: { policy: "# after" } });
      equal((await api.must("GET", "sys/policies/acl/victim")).policy, "# before");
    });
  });
}

for (const path of ["identity/entity/name", "auth/userpass/users"]) {
  Deno.test(`attack: a denial of ${path}/boss holds for BOSS too`, async () => {
    await withApi(async (api) => {
      await api.withUsers("eve", "boss");
      await api.login("boss");
      await api.policy(
        "p",
        `path "${path}/*" { capabilities = ["read"] }\npath "${path}/boss" { capabilities = ["deny"] }`,
      );
      await api.must("POST", "auth/userpass/users/eve", { policies: ["p"] });
      const { client_token: token } = await api.login("eve");
      equal((await api.call("GET", `${path}/BOSS`, { token })).status, 403);
    });
  });
}

Deno.test("an explanation doesn't call granted what is refused for want of sudo", async () => {
  await withApi(async (api) => {
    await api.withUsers("eve");
    await api.policy(
      "p",
      `path "sys/auth/*" { capabilities = ["update"] }\npath "sys/policies/explain" { capabilities = ["update"] }`,
    );
    await api.must("POST", "auth/userpass/users/eve", { policies: ["p"] });
    const { client_token: token } = await api.login("eve");
    equal((await api.call("POST", "sys/auth/x", { token, body: { type: "userpass" } })).status, 403);
    const { data } =
      (await api.call("POST", "sys/policies/explain", { token, body: { path: "sys/auth/x", operation: "update" } }))
        .body;
    equal(data.allowed, false);
  });
});

Deno.test("without sudo an explanation doesn't tell who exists, and tells one of oneself by one's own token", async () => {
  await withApi(async (api) => {
    await api.withUsers("eve");
    await api.policy("p", `path "sys/policies/explain" { capabilities = ["update"] }`);
    await api.must("POST", "auth/userpass/users/eve", { policies: ["p"] });
    const { client_token: token, accessor } = await api.login("eve");
    const ask = async (body: unknown) => (await api.call("POST", "sys/policies/explain", { token, body })).status;
    for (const who of [{ user: "nobody" }, { entity_id: "nobody" }, { accessor: "nobody" }, { token: "nobody" }]) {
      equal(await ask({ path: "a", ...who }), 403, JSON.stringify(who));
    }
    deepEqual([await ask({ path: "a", token }), await ask({ path: "a", accessor })], [200, 200]);
  });
});

Deno.test("attack: a denial holds for the path with a slash at its end", async () => {
  await withApi(async (api) => {
    await api.withUsers("eve", "boss");
    await api.policy(
      "p",
      `path "auth/userpass/users/*" { capabilities = ["read", "delete"] }\npath "auth/userpass/users/boss" { capabilities = ["deny"] }`,
    );
    await api.must("POST", "auth/userpass/users/eve", { policies: ["p"] });
    const { client_token: token } = await api.login("eve");
    for (const method of ["GET", "DELETE"]) {
      equal((await api.call(method, "auth/userpass/users/boss/", { token })).status, 403, method);
    }
    equal((await api.call("GET", "auth/userpass/users/eve/", { token })).status, 200);
    await api.must("GET", "auth/userpass/users/boss");
  });
});

Deno.test("a policy that speaks of another spelling alone goes on to work", async () => {
  await withApi(async (api) => {
    await api.withUsers("eve");
    await api.policy("p", `path "auth/userpass/users/EVE" { capabilities = ["read"] }`);
    await api.must("POST", "auth/userpass/users/eve", { policies: ["p"] });
    const { client_token: token } = await api.login("eve");
    equal((await api.call("GET", "auth/userpass/users/EVE", { token })).status, 200);
    equal((await api.call("GET", "auth/userpass/users/eve", { token })).status, 403);
  });
});

Deno.test("S12: an operator's write takes keys of an alias over, and a member renames no group of its own", async () => {
  await withApi(async (api) => {
    await api.withUsers("eve");
    const { client_token: token, entity_id } = await api.login("eve");
    const alias = (await api.must("GET", `identity/entity/id/${entity_id}`)).aliases[0];
    const { id: group } = await api.must("POST", "identity/group", { name: "team", member_entity_ids: [entity_id] });
    await api.policy(
      "p",
      `path "identity/*" { capabilities = ["update"] }
path "secret/{{identity.entity.aliases.userpass_auth.custom_metadata.room}}" { capabilities = ["read"] }`,
    );
    await api.must("POST", `identity/entity/id/${entity_id}`, { policies: ["p"] });
    const may = async () => (await api.must("POST", "sys/policies/explain", { path: "secret/x", entity_id })).allowed;
    const path = `identity/entity-alias/id/${alias.id}`;
    const body = { custom_metadata: { room: "x" } };
    equal((await api.call("POST", path, { token, body })).status, 200);
    equal(await may(), false);
    await api.must("POST", path, body);
    equal(await may(), true);
    // Saying again what an operator said changes nothing.
    await api.call("POST", path, { token, body });
    equal(await may(), true);
    equal((await api.call("POST", `identity/group/id/${group}`, { token, body: { name: "boss" } })).status, 403);
  });
});

Deno.test("S12: who may set passwords sets none of a user who may do more, by no path and no spelling", async () => {
  await withApi(async (api) => {
    await api.withUsers("helper", "member", "chief", "grouped");
    await api.policy("helpdesk", `path "auth/userpass/users/*" { capabilities = ["create", "update"] }`);
    await api.policy("power", `path "sys/*" { capabilities = ["read"] }`);
    await api.must("POST", "auth/userpass/users/helper", { token_policies: "helpdesk" });
    await api.must("POST", "auth/userpass/users/chief", { token_policies: "power" });
    const { entity_id } = await api.login("grouped");
    await api.must("POST", "identity/group", { name: "g", policies: ["power"], member_entity_ids: [entity_id] });
    const { client_token: token } = await api.login("helper");
    const set = (path: string, body: unknown) => api.call("POST", `auth/userpass/users/${path}`, { token, body });
    const hash = "$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";
    for (const name of ["chief", "CHIEF", "grouped"]) {
      for (const body of [{ password: "mine" }, { password_hash: hash }]) {
        equal((await set(name, body)).status, 403, name);
        equal((await set(`${name}/password`, body)).status, 403, name);
      }
    }
    const { id } = await api.must("POST", "identity/entity", { name: "expected", policies: ["power"] });
    const alias = { name: "expected", canonical_id: id, mount_accessor: "userpass_auth" };
    await api.must("POST", "identity/entity-alias", alias);
    equal(
      (await set("Expected", { password: "mine" })).status,
      403,
      "a login that isn't there yet, for an alias that is",
    );
    await api.login("chief");
    await api.login("grouped");
    equal((await set("member/password", { password: "new" })).status, 204);
    await api.login("member", "new");
    await api.policy("helpdesk", `path "auth/userpass/users/*" { capabilities = ["create", "update", "sudo"] }`);
    equal((await set("chief/password", { password: "new" })).status, 204);
  });
});

Deno.test("S12: a token role lends nobody more than its writer has, unless that one has sudo", async () => {
  await withApi(async (api) => {
    await api.withUsers("mallory", "boss");
    const roles = (more: string) => `path "auth/token/roles/*" { capabilities = ["create", "update"${more}] }`;
    await api.policy("roles", `${roles("")}\npath "auth/token/create/*" { capabilities = ["update"] }`);
    await api.policy("chief", roles(', "sudo"'));
    await api.must("POST", "auth/userpass/users/mallory", { policies: ["roles"] });
    await api.must("POST", "auth/userpass/users/boss", { policies: ["chief"] });
    const [mallory, boss] = [(await api.login("mallory")).client_token, (await api.login("boss")).client_token];
    const write = async (token: string, name: string, body: unknown) =>
      (await api.call("POST", `auth/token/roles/${name}`, { token, body })).status;
    for (
      const more of [
        { allowed_policies: ["roles", "chief"] },
        { allowed_policies: " Chief" },
        { allowed_policies_glob: ["ch*"] },
        { token_period: "24h" },
        { orphan: true },
      ]
    ) {
      equal(await write(mallory, "r", more), 403, JSON.stringify(more));
      equal((await api.operator("GET", "auth/token/roles/r")).status, 404, "nothing was written");
    }
    equal(await write(mallory, "own", { allowed_policies: ["roles", "default"] }), 204);
    equal(await write(mallory, "none", { token_explicit_max_ttl: "1h" }), 204);
    equal(await write(boss, "great", { allowed_policies_glob: "*", disallowed_policies: "chief" }), 204);
    equal(await write(mallory, "great", { disallowed_policies: [] }), 403, "what another's role holds back");
    const child = { token: mallory, body: { policies: ["chief"] } };
    for (const name of ["own", "none"]) {
      equal((await api.call("POST", `auth/token/create/${name}`, child)).status, 400, name);
    }
  });
});

Deno.test("S12: a token role frees nobody of the addresses that their token is bound to, without sudo", async () => {
  await withApi(async (api) => {
    await api.withUsers("mallory");
    await api.policy("roles", `path "auth/token/*" { capabilities = ["create", "update"] }`);
    await api.must("POST", "auth/userpass/users/mallory", { policies: ["roles"], token_bound_cidrs: "192.0.2.0/24" });
    const { client_token: token } = await api.login("mallory");
    const write = async (name: string, body: unknown) =>
      (await api.call("POST", `auth/token/roles/${name}`, { token, body })).status;
    equal(await write("anywhere", { token_bound_cidrs: "0.0.0.0/0" }), 403);
    equal(await write("here", { token_explicit_max_ttl: "1h" }), 204);
    const child = await api.call("POST", "auth/token/create/here", { token });
    const { data } = (await api.call("GET", "auth/token/lookup-self", { token: child.body.auth.client_token })).body;
    deepEqual(data.bound_cidrs, ["192.0.2.0/24"]);
  });
});

Deno.test("S11: who may write entities gives none another name without sudo, for policies speak by it", async () => {
  await withApi(async (api) => {
    await api.withUsers("helper", "alice", "accomplice");
    await api.policy("desk", `path "identity/entity*" { capabilities = ["create", "read", "update", "patch"] }`);
    await api.must("POST", "auth/userpass/users/helper", { policies: ["desk"] });
    const { client_token: token } = await api.login("helper");
    const [alice, accomplice] = [await api.login("alice"), await api.login("accomplice")];
    const headers = { "content-type": "application/merge-patch+json" };
    const rename = async (method: string, path: string, body: unknown) =>
      (await api.call(method, path, { token, body, headers })).status;
    equal(await rename("POST", `identity/entity/id/${alice.entity_id}`, { name: "moved" }), 403);
    equal(await rename("POST", "identity/entity", { id: accomplice.entity_id, name: "free" }), 403);
    equal(await rename("PATCH", `identity/entity/id/${accomplice.entity_id}`, { name: "free" }), 403);
    equal(await rename("POST", `identity/entity/id/${alice.entity_id}`, { name: "alice", metadata: { a: "b" } }), 204);
    const { name, metadata } = await api.must("GET", `identity/entity/id/${alice.entity_id}`);
    deepEqual([name, metadata], ["alice", { a: "b" }]);
    await api.must("POST", `identity/entity/id/${alice.entity_id}`, { name: "moved" });
  });
});
