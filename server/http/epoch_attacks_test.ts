/**
 * Attacks on the end of what a user caused (S6, S7), each run against the whole API.
 */

import { deepEqual, equal, notEqual, rejects } from "node:assert/strict";
import { refused } from "../../vault/_test_support.ts";
import { withApi } from "./_test_support.ts";

const TOKENS = `path "identity/oidc/token/app" { capabilities = ["read"] }`;

Deno.test("S6: a revocation of the user ends evt token, login, child, orphan and wrapped answer in one write", async () => {
  await withApi(async (api) => {
    const evt = await api.vault.issue("alice");
    await api.withUsers();
    await api.vault.vault.engine.accounts.create({ name: "alice", password: "pw", policies: ["maker"] });
    await api.policy("maker", `path "auth/token/*" { capabilities = ["update", "sudo"] }`);
    const login = await api.login("alice", "pw");
    equal(login.entity_id, api.vault.identify(evt).user.record.entityId, "evt token and login are one entity");
    const make = (path: string) => api.call("POST", `auth/token/${path}`, { token: login.client_token, body: {} });
    const child = (await make("create")).body.auth.client_token;
    const orphan = (await make("create-orphan")).body.auth.client_token;
    const wrapped = (await api.call("GET", "auth/token/lookup-self", {
      token: login.client_token,
      headers: { "x-vault-wrap-ttl": "60s" },
    })).body.wrap_info.token;
    const works = async (token: string) => (await api.call("GET", "auth/token/lookup-self", { token })).status;
    const all = [evt, login.client_token, child, orphan];
    deepEqual(await Promise.all(all.map(works)), [200, 200, 200, 200]);
    const commits = api.vault.vault.state.sequence;
    await api.vault.vault.tokens.revoke("alice");
    equal(api.vault.vault.state.sequence, commits + 1, "one commit");
    deepEqual(await Promise.all(all.map(works)), [403, 403, 403, 403]);
    const unwrapped = await api.operator("POST", "sys/wrapping/unwrap", { token: wrapped });
    equal(unwrapped.status, 400);
    await api.vault.restart();
  });
});

Deno.test("S6: a user who has a login alone is revoked by the same command", async () => {
  await withApi(async (api) => {
    await api.vault.vault.engine.accounts.create({ name: "vera", password: "pw" });
    const { client_token: token } = await api.login("vera", "pw");
    await api.vault.vault.tokens.revoke("vera");
    equal((await api.call("GET", "auth/token/lookup-self", { token })).status, 403);
  });
});

Deno.test("S6: who came by the identity API alone is revoked by name or id too, their identity tokens with them", async () => {
  await withApi(async (api) => {
    await api.policy("own", TOKENS);
    await api.withUsers("wes", "kim");
    for (const name of ["wes", "kim"]) await api.must("POST", `auth/userpass/users/${name}`, { policies: ["own"] });
    await api.must("POST", "identity/oidc/key/k", { algorithm: "EdDSA", allowed_client_ids: "*" });
    await api.must("POST", "identity/oidc/role/app", { key: "k" });
    const { tokens } = api.vault.vault;
    const { entity_id: kim } = await api.login("kim");
    for (const name of ["wes", "WES", (await api.login("wes")).entity_id]) {
      const { client_token: token } = await api.login("wes");
      const jwt = (await api.call("GET", "identity/oidc/token/app", { token })).body.data.token;
      const active = async () => (await api.operator("POST", "identity/oidc/introspect", { token: jwt })).body.active;
      equal(await active(), true);
      const commits = api.vault.vault.state.sequence;
      await tokens.revoke(name);
      equal(api.vault.vault.state.sequence, commits + 1, "one commit");
      deepEqual(
        [await active(), (await api.call("GET", "auth/token/lookup-self", { token })).status],
        [false, 403],
        name,
      );
    }
    await rejects(tokens.revoke("wes"), refused("not_found"));
    const { id: both } = await api.must("POST", "identity/entity", { name: "both" });
    await api.must("POST", "identity/entity/merge", { from_entity_ids: [kim], to_entity_id: both });
    await tokens.revoke("both");
    await rejects(tokens.revoke("both"), refused("not_found"));
  });
});

Deno.test("S6: a disabled entity is refused everywhere and works again when enabled; a deleted one never", async () => {
  await withApi(async (api) => {
    await api.withUsers("bob");
    const { client_token: token, entity_id } = await api.login("bob");
    const status = async () => (await api.call("GET", "auth/token/lookup-self", { token })).status;
    await api.must("POST", `identity/entity/id/${entity_id}`, { disabled: true });
    equal(await status(), 403);
    equal((await api.call("POST", "auth/userpass/login/bob", { body: { password: "bob" } })).status, 403);
    await api.must("POST", `identity/entity/id/${entity_id}`, { disabled: false });
    equal(await status(), 200);
    await api.must("DELETE", `identity/entity/id/${entity_id}`);
    equal(await status(), 403);
    notEqual((await api.login("bob")).entity_id, entity_id, "the name means a new entity");
  });
});

Deno.test("S6: a merge takes the sources' credentials over, and a later revocation ends them too", async () => {
  await withApi(async (api) => {
    await api.withUsers("carl");
    const evt = await api.vault.issue("carla");
    const { client_token: token, entity_id: from } = await api.login("carl");
    const to = api.vault.identify(evt).user.record.entityId;
    await api.must("POST", "identity/entity/merge", { from_entity_ids: [from], to_entity_id: to });
    const self = await api.call("GET", `identity/entity/id/${to}`, { token });
    equal(self.status, 200, "the token reads the surviving entity");
    equal((await api.operator("GET", `identity/entity/id/${from}`)).status, 404);
    await api.vault.vault.tokens.revoke("carla");
    equal((await api.call("GET", "auth/token/lookup-self", { token })).status, 403);
  });
});

Deno.test("an evt token ends by auth/token/revoke and by revoke-self, with what it caused", async () => {
  await withApi(async (api) => {
    const [one, two] = [await api.vault.issue("walt"), await api.vault.issue("wren")];
    await api.must("POST", "auth/token/revoke", { token: one });
    equal((await api.call("POST", "auth/token/revoke-self", { token: two })).status, 204);
    deepEqual([api.vault.works(one), api.vault.works(two)], [false, false]);
  });
});

Deno.test("S7: what an evt token caused ends with its rotation, and can do no more than its role may now", async () => {
  await withApi(async (api) => {
    await api.policy("maker", `path "auth/token/create" { capabilities = ["update"] }`);
    await api.policy("reader", `path "sys/mounts" { capabilities = ["read"] }`);
    const { roles, tokens } = api.vault.vault;
    const policies = ["maker", "reader"];
    await roles.create({ name: "agent", scope: ["get_bundle"], topK: 1, rateLimit: "1000/1s", policies });
    const evt = await api.vault.issue("dora", "agent");
    const { body } = await api.call("POST", "auth/token/create", { token: evt, body: {} });
    const child = body.auth.client_token;
    const mounts = async () => (await api.call("GET", "sys/mounts", { token: child })).status;
    equal(await mounts(), 200);
    await roles.update("agent", { policies: ["maker"] });
    equal(await mounts(), 403, "the role lost the policy");
    await roles.update("agent", { policies });
    equal(await mounts(), 200);
    await tokens.rotate({ user: "dora", graceSeconds: 60 });
    equal(await mounts(), 200, "the grace holds for what it caused");
    api.vault.clock.advance(61_000);
    equal(await mounts(), 403);
  });
});
