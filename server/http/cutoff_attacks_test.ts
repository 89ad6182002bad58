/**
 * A stolen laptop: everything that one user can hold on the identity API is tried after the user was cut off (S6).
 */

import { deepEqual, equal, match, notEqual, rejects } from "node:assert/strict";
import type { TestApi } from "./_test_support.ts";
import { withApi } from "./_test_support.ts";

const REDIRECT = "https://app.example.org/callback";
const MAY = `path "auth/token/*" { capabilities = ["update", "sudo"] }
path "identity/oidc/*" { capabilities = ["read", "update"] }
path "cubbyhole/*" { capabilities = ["create", "read", "update"] }`;

/** A user with an evt token, a login, and what both of them made. */
async function everythingOf(api: TestApi, name: string) {
  await api.policy("all", MAY);
  await api.must("POST", "identity/oidc/key/k", { algorithm: "ES256", allowed_client_ids: "*" });
  await api.must("POST", "identity/oidc/key/default", { algorithm: "ES256", allowed_client_ids: ["*"] });
  await api.must("POST", "identity/oidc/role/app", { key: "k" });
  await api.must("POST", "identity/oidc/client/app", { redirect_uris: [REDIRECT], assignments: ["allow_all"] });
  await api.vault.vault.roles.update("member", { policies: ["all"], rateLimit: "1000/1s" });
  const evt = await api.vault.issue(name);
  await api.vault.vault.engine.accounts.create({ name, password: "pw", policies: ["all"] });
  const login: string = (await api.login(name, "pw")).client_token;
  const made = async (token: string, path: string) =>
    (await api.call("POST", `auth/token/${path}`, { token, body: {} })).body.auth.client_token as string;
  const wrap = async (token: string) =>
    (await api.call("GET", "auth/token/lookup-self", { token, headers: { "x-vault-wrap-ttl": "60s" } })).body.wrap_info
      .token as string;
  const jwt = async (token: string) =>
    (await api.call("GET", "identity/oidc/token/app", { token })).body.data.token as string;
  const child = await made(login, "create");
  const tokens = [evt, login, child, await made(child, "create"), await made(login, "create-orphan")];
  tokens.push(await made(evt, "create"), await made(evt, "create-orphan"));
  return {
    tokens,
    wrapped: [await wrap(evt), await wrap(login)],
    jwts: [await jwt(evt), await jwt(login), await jwt(child)],
    codes: [await codeOf(api, login), await codeOf(api, login)],
  };
}

async function codeOf(api: TestApi, token: string): Promise<string> {
  const { client_id } = await api.must("GET", "identity/oidc/client/app");
  const asked = { scope: "openid", response_type: "code", client_id, redirect_uri: REDIRECT, state: "s" };
  const { body } = await api.call("GET", `identity/oidc/provider/default/authorize?${new URLSearchParams(asked)}`, {
    token,
  });
  return body.code;
}

/** Changes a code for an access token. */
async function exchange(api: TestApi, code: string) {
  const { client_id, client_secret } = await api.must("GET", "identity/oidc/client/app");
  const body = { grant_type: "authorization_code", code, redirect_uri: REDIRECT, client_id, client_secret };
  return await api.call("POST", "identity/oidc/provider/default/token", { body });
}

Deno.test("S6: after a cut-off no token, child, orphan, wrapped answer, code, access token or identity token counts", async () => {
  await withApi(async (api) => {
    const { tokens, wrapped, jwts, codes } = await everythingOf(api, "alice");
    const access: string = (await exchange(api, codes[0]!)).body.access_token;
    const works = async (token: string) => (await api.call("GET", "auth/token/lookup-self", { token })).status;
    const userInfo = async () => {
      const headers = { authorization: `Bearer ${access}` };
      return (await api.call("GET", "identity/oidc/provider/default/userinfo", { headers })).status;
    };
    const active = async (token: string) =>
      (await api.operator("POST", "identity/oidc/introspect", { token })).body.active;
    deepEqual(new Set(await Promise.all(tokens.map(works))), new Set([200]));
    deepEqual(await Promise.all(jwts.map(active)), [true, true, true]);
    equal(await userInfo(), 200);

    const { sequence } = api.vault.vault.state;
    const report = await api.vault.vault.engine.cutOff.cutOff("alice");
    equal(api.vault.vault.state.sequence, sequence + 1, "one write");
    deepEqual(report.ended, { evtTokens: 1, serviceTokens: 6, wrappedAnswers: 2, leases: 0 });
    deepEqual(report.blockedLogins, ["auth/userpass/login/alice"]);

    const refusedEverywhere = async () => {
      deepEqual(new Set(await Promise.all(tokens.map(works))), new Set([403]));
      deepEqual(await Promise.all(jwts.map(active)), [false, false, false]);
      notEqual(await userInfo(), 200);
      equal((await exchange(api, codes[1]!)).status, 400);
      for (const token of wrapped) {
        equal((await api.operator("POST", "sys/wrapping/unwrap", { token })).status, 400);
      }
      const login = await api.call("POST", "auth/userpass/login/alice", { body: { password: "pw" } });
      equal(login.status, 403, "the right password");
    };
    await refusedEverywhere();
    await api.vault.vault.engine.cutOff.restore("alice");
    deepEqual(new Set(await Promise.all(tokens.map(works))), new Set([403]), "restoring revives nothing");
    deepEqual(await Promise.all(jwts.map(active)), [false, false, false]);
    equal((await api.login("alice", "pw")).entity_id, report.entityId);
  });
});

Deno.test("S6: credentials that are in the making while the user is cut off are dead when they come out", async () => {
  await withApi(async (api) => {
    await everythingOf(api, "alice");
    const token: string = (await api.login("alice", "pw")).client_token;
    const started = [
      api.call("POST", "auth/userpass/login/alice", { body: { password: "pw" } }),
      api.call("POST", "auth/token/create", { token, body: {} }),
      api.call("GET", "identity/oidc/token/app", { token }),
      api.call("GET", "auth/token/lookup-self", { token, headers: { "x-vault-wrap-ttl": "60s" } }),
    ];
    await api.vault.vault.engine.cutOff.cutOff("alice");
    for (const { status, body } of await Promise.all(started)) {
      if (status >= 300) continue;
      const made = body.auth?.client_token ?? body.wrap_info?.token;
      const jwt = body.data?.token;
      if (made !== undefined) equal((await api.call("GET", "auth/token/lookup-self", { token: made })).status, 403);
      if (jwt !== undefined) {
        equal((await api.operator("POST", "identity/oidc/introspect", { token: jwt })).body.active, false);
      }
    }
  });
});

Deno.test("an entity that has logins alone is cut off by its name or its id, and the entities that it took over with it", async () => {
  await withApi(async (api) => {
    await api.withUsers("vera", "vera2");
    const [one, two] = [await api.login("vera"), await api.login("vera2")];
    await api.must("POST", "sys/auth/other", { type: "userpass" });
    await api.must("POST", "identity/entity/merge", {
      from_entity_ids: [two.entity_id],
      to_entity_id: one.entity_id,
      conflicting_alias_ids_to_keep: [(await api.must("GET", `identity/entity/id/${one.entity_id}`)).aliases[0].id],
    });
    const { cutOff } = api.vault.vault.engine;
    equal((await cutOff.cutOff("vera")).entityId, one.entity_id);
    for (const { client_token: token } of [one, two]) {
      equal((await api.call("GET", "auth/token/lookup-self", { token })).status, 403);
    }
    await cutOff.restore("vera");
    equal((await cutOff.cutOff(one.entity_id)).user, "vera");
  });
});

Deno.test("a login of the same name that isn't the user's is told to be open, and linking it blocks it", async () => {
  await withApi(async (api) => {
    await api.vault.issue("Erin");
    await api.withUsers("erin");
    const { client_token: token } = await api.login("erin");
    const { cutOff, accounts } = api.vault.vault.engine;
    const report = await cutOff.cutOff("Erin");
    deepEqual([report.blockedLogins, report.openNamesakes], [[], ["auth/userpass/login/erin"]]);
    equal((await api.call("GET", "auth/token/lookup-self", { token })).status, 200, "another entity");
    await accounts.link("Erin", "erin");
    equal((await api.call("GET", "auth/token/lookup-self", { token })).status, 403);
    equal((await api.call("POST", "auth/userpass/login/erin", { body: { password: "erin" } })).status, 403);
    deepEqual(cutOff.show("Erin").blockedLogins, ["auth/userpass/login/erin"]);
  });
});

Deno.test("S6: a deleted entity leaves a tombstone: its id and its epoch are never used again", async () => {
  await withApi(async (api) => {
    await everythingOf(api, "alice");
    const { entity_id } = await api.login("alice", "pw");
    const jwt =
      (await api.call("GET", "identity/oidc/token/app", { token: (await api.login("alice", "pw")).client_token }))
        .body.data.token;
    const { epoch } = api.vault.vault.state.users.get(entity_id)!.record;
    await api.must("DELETE", `identity/entity/id/${entity_id}`);
    const tombstone = api.vault.vault.state.users.get(entity_id)!.record;
    deepEqual([tombstone.epoch, typeof tombstone.deletedAt], [epoch + 1, "number"]);
    const inspected = await api.operator("POST", "identity/oidc/introspect", { token: jwt });
    equal(inspected.body.active, false);
    match(inspected.body.error, /not found/);
    notEqual((await api.login("alice", "pw")).entity_id, entity_id);
    await api.vault.restart();
    equal(api.vault.vault.state.users.get(entity_id)!.record.epoch, epoch + 1);
  });
});

Deno.test("S6: tidying up after a cut-off opens no login: neither deleting, merging nor renaming gives its name to somebody else", async () => {
  await withApi(async (api) => {
    await api.withUsers("alice", "bob");
    const [alice, bob] = [await api.login("alice"), await api.login("bob")];
    const [alias] = (await api.must("GET", `identity/entity/id/${alice.entity_id}`)).aliases;
    const { cutOff, accounts, mounts } = api.vault.vault.engine;
    await api.vault.issue("carl");
    const { entityId: carl } = api.vault.vault.users.show("carl");
    await cutOff.cutOff("alice");
    const { accessor: mount_accessor } = mounts.byPath("auth", "userpass/")!;
    const tries: [method: string, path: string, body?: unknown][] = [
      ["DELETE", `identity/entity/id/${alice.entity_id}`],
      ["DELETE", "identity/entity/name/alice"],
      ["POST", "identity/entity/batch-delete", { entity_ids: [bob.entity_id, alice.entity_id] }],
      ["DELETE", `identity/entity-alias/id/${alias.id}`],
      ["POST", `identity/entity-alias/id/${alias.id}`, { name: "alice2", mount_accessor }],
      ["POST", `identity/entity-alias/id/${alias.id}`, { canonical_id: carl, name: "alice", mount_accessor }],
      ["POST", "identity/entity/merge", {
        from_entity_ids: [alice.entity_id],
        to_entity_id: bob.entity_id,
        conflicting_alias_ids_to_keep: [alias.id],
      }],
    ];
    for (const [method, path, body] of tries) {
      const { status, body: answered } = await api.operator(method, path, body);
      deepEqual([status, /cut off/.test(JSON.stringify(answered))], [400, true], `${method} ${path}`);
    }
    await rejects(accounts.link("carl", "alice"), { kind: "invalid_argument" });
    const login = () => api.call("POST", "auth/userpass/login/alice", { body: { password: "alice" } });
    equal((await login()).status, 403);
    equal((await api.call("GET", "auth/token/lookup-self", { token: bob.client_token })).status, 200);
    await api.must("POST", `identity/entity-alias/id/${alias.id}`, { custom_metadata: { note: "gone" } });

    await api.must("DELETE", "auth/userpass/users/alice");
    equal((await login()).status, 400, "who has no login has no way in");
    await cutOff.restore(alice.entity_id);
    await api.must("DELETE", `identity/entity/id/${alice.entity_id}`);
  });
});
