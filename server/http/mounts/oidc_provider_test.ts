import { deepEqual, equal, match, notEqual, ok } from "node:assert/strict";
import { createHash } from "node:crypto";
import { createLocalJWKSet, jwtVerify } from "jose";
import * as oidc from "openid-client";
import { type Answered, type Call, OWN_URL, type TestApi, withApi } from "./_test_support.ts";

const BASE = "identity/oidc/provider/default";
const ISSUER = `${OWN_URL}/v1/${BASE}`;
const REDIRECT = "https://app.example.org/callback";
const VERIFIER = "a".repeat(64);
const CHALLENGE = createHash("sha256").update(VERIFIER).digest("base64url");
const SIGN_IN = `path "identity/oidc/provider/*" { capabilities = ["read", "update"] }
path "auth/token/create" { capabilities = ["update"] }`;

interface Client {
  readonly client_id: string;
  readonly client_secret?: string;
}

/** A scope, a client `app` of the default provider, and alice, who may sign in. */
async function prepare(api: TestApi, client: Record<string, unknown> = {}) {
  await api.done("PUT", "sys/policies/acl/sign-in", { policy: SIGN_IN });
  await api.done("POST", "identity/oidc/key/default", { algorithm: "ES256", allowed_client_ids: ["*"] });
  await api.done("POST", "identity/oidc/scope/user", { template: `{"username":{{identity.entity.name}}}` });
  await api.done("POST", BASE, { scopes_supported: ["user"] });
  const app = await makeClient(api, "app", client);
  await api.makeUser("alice", ["sign-in"]);
  return { app, alice: await api.login("alice") };
}

async function makeClient(api: TestApi, name: string, more: Record<string, unknown> = {}): Promise<Client> {
  await api.done("POST", `identity/oidc/client/${name}`, {
    redirect_uris: [REDIRECT],
    assignments: ["allow_all"],
    ...more,
  });
  return await api.done("GET", `identity/oidc/client/${name}`);
}

/** What an application asks for, with what a test changes about it; undefined leaves a parameter out. */
function authorize(
  api: TestApi,
  token: string,
  { client_id }: Client,
  more: Record<string, string | undefined> = {},
): Promise<Answered> {
  const parameters = {
    scope: "openid user",
    response_type: "code",
    client_id,
    redirect_uri: REDIRECT,
    state: "st",
    ...more,
  };
  const given = Object.entries(parameters).filter((pair): pair is [string, string] => pair[1] !== undefined);
  return api.call("GET", `${BASE}/authorize?${new URLSearchParams(given)}`, { token });
}

async function codeFor(
  api: TestApi,
  token: string,
  client: Client,
  more: Record<string, string> = {},
): Promise<string> {
  const { status, body } = await authorize(api, token, client, more);
  equal(status, 200, JSON.stringify(body));
  equal(body.state, "st");
  return body.code;
}

/** Changes a code for tokens; the secret goes along where there is one. */
function exchange(api: TestApi, client: Client, code: string, more: Record<string, string> = {}, call: Call = {}) {
  const { client_id, client_secret } = client;
  const secret = client_secret === undefined ? {} : { client_secret };
  const form = { grant_type: "authorization_code", code, redirect_uri: REDIRECT, client_id, ...secret, ...more };
  return api.call("POST", `${BASE}/token`, { form, ...call });
}

function userInfo(api: TestApi, accessToken: string, provider = "default") {
  const headers = { authorization: `Bearer ${accessToken}` };
  return api.call("GET", `identity/oidc/provider/${provider}/userinfo`, { headers });
}

async function refusal(answered: Promise<Answered>): Promise<[number, string]> {
  const { status, body } = await answered;
  return [status, body?.error];
}

Deno.test("a code is changed for tokens that jose verifies, and the access token tells who the user is", async () => {
  await withApi(async (api) => {
    const { app, alice } = await prepare(api);
    const code = await codeFor(api, alice.token, app, { nonce: "n1", max_age: "60" });
    const { status, headers, body } = await exchange(api, app, code);
    deepEqual([status, body.token_type, body.expires_in, headers.get("cache-control")], [
      200,
      "Bearer",
      86_400,
      "no-store",
    ]);
    const keys = (await api.call("GET", `${BASE}/.well-known/keys`, { headers: {} })).body;
    const { payload } = await jwtVerify(body.id_token, createLocalJWKSet(keys), {
      issuer: ISSUER,
      audience: app.client_id,
      currentDate: new Date(api.it.clock.now()),
    });
    deepEqual(
      [payload.sub, payload["nonce"], payload["username"], payload["auth_time"], payload["ep"]],
      [alice.entityId, "n1", "alice", api.it.clock.now() / 1000, 1],
    );
    const half = (text: string) => createHash("sha256").update(text).digest().subarray(0, 16).toString("base64url");
    deepEqual([payload["at_hash"], payload["c_hash"]], [half(body.access_token), half(code)]);
    deepEqual((await userInfo(api, body.access_token)).body, { username: "alice", sub: alice.entityId });
    equal(body.access_token.includes(alice.entityId), false);
  });
});

Deno.test("openid-client completes code and PKCE as a public client over HTTP", async () => {
  await withApi(async (api) => {
    const server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen: () => {} },
      (request, { remoteAddr }) =>
        api.handle(request, { address: (remoteAddr as Deno.NetAddr).hostname, isTls: false }),
    );
    try {
      api.it.clock.wall = Date.now();
      const url = `http://127.0.0.1:${server.addr.port}`;
      api.it.vault.engine.issuer.ownUrl = url;
      const { app, alice } = await prepare(api, { client_type: "public" });
      const config = await oidc.discovery(new URL(`${url}/v1/${BASE}`), app.client_id, undefined, oidc.None(), {
        execute: [oidc.allowInsecureRequests],
      });
      const verifier = oidc.randomPKCECodeVerifier();
      const [state, nonce] = [oidc.randomState(), oidc.randomNonce()];
      const to = oidc.buildAuthorizationUrl(config, {
        redirect_uri: REDIRECT,
        scope: "openid user",
        code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
        code_challenge_method: "S256",
        state,
        nonce,
      });
      const asked = await fetch(to, { headers: { "x-vault-token": alice.token } });
      const back = new URL(`${REDIRECT}?${new URLSearchParams(await asked.json())}`);
      const tokens = await oidc.authorizationCodeGrant(config, back, {
        pkceCodeVerifier: verifier,
        expectedState: state,
        expectedNonce: nonce,
      });
      equal(tokens.claims()?.sub, alice.entityId);
      const info = await oidc.fetchUserInfo(config, tokens.access_token, alice.entityId);
      equal(info["username"], "alice");
    } finally {
      await server.shutdown();
    }
  });
});

Deno.test("a code works once; used again it ends the access token that it gave", async () => {
  await withApi(async (api) => {
    const { app, alice } = await prepare(api);
    const code = await codeFor(api, alice.token, app);
    const [first, second] = await Promise.all([exchange(api, app, code), exchange(api, app, code)]);
    deepEqual([first.status, second.status, second.body.error], [200, 400, "invalid_grant"]);
    deepEqual(await refusal(userInfo(api, first.body.access_token)), [401, "invalid_token"]);
  });
});

Deno.test("a code dies after five minutes", async () => {
  await withApi(async (api) => {
    const { app, alice } = await prepare(api);
    const [kept, late] = [await codeFor(api, alice.token, app), await codeFor(api, alice.token, app)];
    api.it.clock.advance(299_000);
    equal((await exchange(api, app, kept)).status, 200);
    api.it.clock.advance(1000);
    deepEqual(await refusal(exchange(api, app, late)), [400, "invalid_grant"]);
  });
});

Deno.test("a code is worth nothing to another client, another provider or at another address", async () => {
  await withApi(async (api) => {
    const other = "https://evil.example.org/callback";
    const { app, alice } = await prepare(api, { redirect_uris: [REDIRECT, `${REDIRECT}2`] });
    const evil = await makeClient(api, "evil", { redirect_uris: [other, REDIRECT] });
    await api.done("POST", "identity/oidc/provider/second", { allowed_client_ids: ["*"] });
    const fresh = () => codeFor(api, alice.token, app);
    deepEqual(await refusal(exchange(api, evil, await fresh())), [400, "invalid_grant"]);
    deepEqual(await refusal(exchange(api, app, await fresh(), { redirect_uri: `${REDIRECT}2` })), [
      400,
      "invalid_grant",
    ]);
    deepEqual(await refusal(exchange(api, app, await fresh(), { redirect_uri: "" })), [400, "invalid_request"]);
    const { body } = await exchange(api, app, await fresh());
    deepEqual(await refusal(userInfo(api, body.access_token, "second")), [401, "invalid_token"]);
    for (
      const redirect_uri of [other, `${REDIRECT}/`, `${REDIRECT}?x`, REDIRECT.toUpperCase(), "https://app.example.org"]
    ) {
      const answered = refusal(authorize(api, alice.token, app, { redirect_uri }));
      deepEqual(await answered, [400, "invalid_redirect_uri"], redirect_uri);
    }
  });
});

Deno.test("PKCE can't be left out, guessed, weakened or added on the way", async () => {
  await withApi(async (api) => {
    const { app, alice } = await prepare(api, { client_type: "public" });
    equal(app.client_secret, undefined);
    deepEqual(await refusal(authorize(api, alice.token, app)), [400, "invalid_request"]);
    for (const bad of [{ code_challenge: "short" }, { code_challenge: CHALLENGE, code_challenge_method: "none" }]) {
      deepEqual(await refusal(authorize(api, alice.token, app, bad)), [400, "invalid_request"]);
    }
    const s256 = { code_challenge: CHALLENGE, code_challenge_method: "S256" };
    const fresh = () => codeFor(api, alice.token, app, s256);
    for (
      const verifier of [{}, { code_verifier: "b".repeat(64) }, { code_verifier: CHALLENGE }, { code_verifier: "x" }]
    ) {
      deepEqual(await refusal(exchange(api, app, await fresh(), verifier)), [400, "invalid_grant"]);
    }
    equal((await exchange(api, app, await fresh(), { code_verifier: VERIFIER })).status, 200);
    const plain = await codeFor(api, alice.token, app, { code_challenge: VERIFIER });
    equal((await exchange(api, app, plain, { code_verifier: VERIFIER })).status, 200);
    const secret = await makeClient(api, "confidential");
    const without = await codeFor(api, alice.token, secret);
    deepEqual(await refusal(exchange(api, secret, without, { code_verifier: VERIFIER })), [400, "invalid_grant"]);
  });
});

Deno.test("a client proves itself by header or form, never by both, and a wrong secret gets a challenge", async () => {
  await withApi(async (api) => {
    const { app, alice } = await prepare(api);
    const { client_id, client_secret } = app as Required<Client>;
    match(client_secret, /^hvo_secret_/);
    const form = async () => ({
      grant_type: "authorization_code",
      code: await codeFor(api, alice.token, app),
      redirect_uri: REDIRECT,
    });
    const basic = (secret: string) => ({ authorization: `Basic ${btoa(`${client_id}:${secret}`)}` });
    const send = async (headers: Record<string, string>, more = {}) =>
      await api.call("POST", `${BASE}/token`, { headers, form: { ...await form(), ...more } });
    equal((await send(basic(client_secret))).status, 200);
    const wrong = await send(basic("wrong"));
    deepEqual([wrong.status, wrong.body.error], [401, "invalid_client"]);
    match(wrong.headers.get("www-authenticate")!, /^Basic/);
    const refused = [
      send({}),
      send({}, { client_id }),
      send({}, { client_id, client_secret: "wrong" }),
      send({}, { client_id: "none", client_secret }),
      send({ authorization: "Basic !" }),
    ];
    for (const answered of refused) deepEqual(await refusal(answered), [401, "invalid_client"]);
    deepEqual(await refusal(send(basic(client_secret), { client_secret })), [400, "invalid_request"]);
    deepEqual(await refusal(send(basic(client_secret), { client_id: "other" })), [400, "invalid_request"]);
    deepEqual(await refusal(send(basic(client_secret), { grant_type: "password" })), [400, "unsupported_grant_type"]);
  });
});

Deno.test("what was given ends with the sign-in, the epoch, the assignment and the client", async () => {
  await withApi(async (api) => {
    const { app, alice } = await prepare(api);
    const accessToken = async (token: string) => {
      const { body } = await exchange(api, app, await codeFor(api, token, app));
      equal((await userInfo(api, body.access_token)).status, 200);
      return body.access_token as string;
    };
    const first = await accessToken(alice.token);
    const code = await codeFor(api, alice.token, app);
    await api.call("POST", "auth/token/revoke-self", { token: alice.token });
    deepEqual(await refusal(userInfo(api, first)), [401, "invalid_token"]);
    deepEqual(await refusal(exchange(api, app, code)), [400, "invalid_grant"]);
    const again = await api.login("alice");
    const second = await accessToken(again.token);
    await api.done("POST", `identity/entity/id/${alice.entityId}`, { disabled: true });
    deepEqual(await refusal(userInfo(api, second)), [401, "invalid_token"]);
    await api.done("POST", `identity/entity/id/${alice.entityId}`, { disabled: false });
    equal((await userInfo(api, second)).status, 200);
    await api.done("POST", "identity/oidc/client/app", { assignments: [] });
    deepEqual(await refusal(userInfo(api, second)), [401, "invalid_token"]);
    deepEqual(await refusal(authorize(api, again.token, app)), [400, "access_denied"]);
    await api.done("POST", "identity/oidc/client/app", { assignments: ["allow_all"] });
    equal((await userInfo(api, second)).status, 200);
    await api.done("DELETE", `identity/oidc/client/app`);
    deepEqual(await refusal(userInfo(api, second)), [401, "invalid_token"]);
    for (const forged of ["", "x", `${second}x`, second.slice(0, -2), "A".repeat(9000), again.token]) {
      deepEqual(await refusal(userInfo(api, forged)), [401, "invalid_token"]);
    }
  });
});

Deno.test("an access token dies when its time is over", async () => {
  await withApi(async (api) => {
    const { app, alice } = await prepare(api, { access_token_ttl: "1m" });
    const { body } = await exchange(api, app, await codeFor(api, alice.token, app));
    api.it.clock.advance(59_999);
    equal((await userInfo(api, body.access_token)).status, 200);
    api.it.clock.advance(1);
    equal((await userInfo(api, body.access_token)).status, 401);
  });
});

Deno.test("max_age counts from the sign-in: a child token made since proves nothing", async () => {
  await withApi(async (api) => {
    const { app, alice } = await prepare(api);
    api.it.clock.advance(120_000);
    const made = await api.call("POST", "auth/token/create", { token: alice.token, body: {} });
    const child = made.body.auth.client_token as string;
    for (const token of [alice.token, child]) {
      deepEqual(await refusal(authorize(api, token, app, { max_age: "60" })), [400, "max_age_violation"]);
      deepEqual(await refusal(authorize(api, token, app, { max_age: "1h" })), [400, "invalid_request"]);
      equal((await authorize(api, token, app, { max_age: "180" })).status, 200);
    }
  });
});

Deno.test("requests that lack or ask for what can't be are refused by their OAuth names, with their state", async () => {
  await withApi(async (api) => {
    const { app, alice } = await prepare(api);
    const cases: [Record<string, string | undefined>, string][] = [
      [{ client_id: undefined }, "invalid_request"],
      [{ client_id: "none" }, "invalid_client_id"],
      [{ redirect_uri: undefined }, "invalid_request"],
      [{ response_type: undefined }, "invalid_request"],
      [{ response_type: "token" }, "unsupported_response_type"],
      [{ scope: "user" }, "invalid_request"],
      [{ scope: undefined }, "invalid_request"],
      [{ request: "x" }, "request_not_supported"],
      [{ request_uri: "x" }, "request_uri_not_supported"],
      [{ nonce: "x".repeat(3000) }, "invalid_request"],
    ];
    for (const [more, error] of cases) {
      const { status, body } = await authorize(api, alice.token, app, more);
      deepEqual([status, body.error, body.state], [400, error, "st"], JSON.stringify(more));
    }
    equal((await api.call("GET", `${BASE}/authorize`)).body.error, "invalid_request");
    const root = await api.call(
      "GET",
      `${BASE}/authorize?${new URLSearchParams({
        scope: "openid",
        response_type: "code",
        client_id: app.client_id,
        redirect_uri: REDIRECT,
      })}`,
    );
    equal(root.body.error, "access_denied");
    await api.done("POST", BASE, { allowed_client_ids: [] });
    deepEqual(await refusal(authorize(api, alice.token, app)), [400, "unauthorized_client"]);
    equal((await api.call("GET", "identity/oidc/provider/none/authorize")).status, 404);
    equal((await api.call("GET", "identity/oidc/provider/none/.well-known/keys", { headers: {} })).status, 404);
  });
});

Deno.test("assignments let in the entities and the members of the groups that they name", async () => {
  await withApi(async (api) => {
    const { app, alice } = await prepare(api, { assignments: ["staff"] });
    deepEqual(await refusal(authorize(api, alice.token, app)), [400, "access_denied"]);
    const group = await api.done("POST", "identity/group", { name: "staff", member_entity_ids: [alice.entityId] });
    await api.done("POST", "identity/oidc/assignment/staff", { group_ids: [group.id] });
    equal((await authorize(api, alice.token, app)).status, 200);
    await api.done("POST", "identity/oidc/assignment/staff", { group_ids: [], entity_ids: [alice.entityId] });
    equal((await authorize(api, alice.token, app)).status, 200);
    match((await api.errors("DELETE", "identity/oidc/assignment/staff"))[1][0]!, /referenced by these clients: app$/);
    match((await api.errors("DELETE", "identity/oidc/assignment/allow_all"))[1][0]!, /not allowed$/);
  });
});

Deno.test("the provider's objects are written, read, listed and guarded as clients know it", async () => {
  await withApi(async (api) => {
    const { app } = await prepare(api);
    const errors = async (method: string, path: string, body?: unknown) =>
      (await api.errors(method, `identity/oidc/${path}`, body === undefined ? {} : { body }))[1]?.[0];
    match((await errors("POST", "scope/openid", {}))!, /reserved/);
    match((await errors("POST", "scope/bad", { template: `{"sub":1}` }))!, /top level key/);
    match((await errors("DELETE", "scope/user"))!, /referenced by these providers: default$/);
    match((await errors("POST", "provider/p", { scopes_supported: ["none"] }))!, /scope "none" does not exist/);
    match((await errors("POST", "provider/p", { issuer: "https://a/b" }))!, /^invalid issuer/);
    match((await errors("DELETE", "provider/default"))!, /not allowed$/);
    match((await errors("POST", "client/app", { client_type: "public" }))!, /client_type modification/);
    match((await errors("POST", "client/app", { key: "other" }))!, /does not exist/);
    match((await errors("POST", "client/app", { id_token_ttl: "48h" }))!, /id_token_ttl/);
    for (const uri of ["/relative", "javascript:alert(1)", "https://a/#f", "data:text/html,x"]) {
      match((await errors("POST", "client/app", { redirect_uris: [uri] }))!, /redirect_uri/, uri);
    }
    match((await errors("DELETE", "key/default"))!, /not allowed/);
    equal((await api.done("GET", "identity/oidc/client/app")).client_secret, app.client_secret);
    const listed = await api.call("LIST", "identity/oidc/client");
    deepEqual(listed.body.data.keys, ["app"]);
    equal(JSON.stringify(listed.body).includes(app.client_secret!), false);
    const stored = JSON.stringify([...api.it.vault.state.table("oidc_client").values()]);
    equal(stored.includes(app.client_secret!), false);
    await api.done("POST", "identity/oidc/provider/p", { issuer: "https://sso.example.org", allowed_client_ids: [] });
    const discovered = await api.call("GET", "identity/oidc/provider/p/.well-known/openid-configuration", {
      headers: {},
    });
    equal(discovered.body.issuer, "https://sso.example.org/v1/identity/oidc/provider/p");
    equal(discovered.headers.get("access-control-allow-origin"), "*");
    deepEqual((await api.call("GET", "identity/oidc/provider/p/.well-known/keys", { headers: {} })).body.keys, []);
    notEqual((await makeClient(api, "second")).client_id, app.client_id);
    ok((await api.done("LIST", "identity/oidc/provider")).keys.includes("default"));
  });
});

Deno.test("two scopes that give the same claim are refused rather than left to chance", async () => {
  await withApi(async (api) => {
    const { app, alice } = await prepare(api);
    await api.done("POST", "identity/oidc/scope/more", { template: `{"username":"x"}` });
    await api.done("POST", BASE, { scopes_supported: ["user", "more"] });
    const code = await codeFor(api, alice.token, app, { scope: "openid user more" });
    deepEqual(await refusal(exchange(api, app, code)), [400, "invalid_scope"]);
  });
});
