// Ways in and out of policies that a review found; each was open once.
import { equal, ok } from "node:assert/strict";
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
