import { deepEqual, equal, match, notEqual, ok } from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createHmac, createPublicKey } from "node:crypto";
import { createLocalJWKSet, decodeProtectedHeader, jwtVerify } from "jose";
import { ALGORITHMS } from "../../../vault/oidc/algorithms.ts";
import { OWN_URL, type TestApi, withApi } from "./_test_support.ts";

const ISSUER = `${OWN_URL}/v1/identity/oidc`;
const TOKENS = `path "identity/oidc/token/*" { capabilities = ["read", "update"] }
path "identity/oidc/introspect" { capabilities = ["update"] }
path "identity/entity/id/{{identity.entity.id}}" { capabilities = ["read", "update"] }`;

/** A key `k`, a role `r` with a template, and alice, who may mint. */
async function prepare(api: TestApi, role: Record<string, unknown> = {}, key: Record<string, unknown> = {}) {
  await api.done("PUT", "sys/policies/acl/tokens", { policy: TOKENS });
  await api.done("POST", "identity/oidc/key/k", { allowed_client_ids: ["*"], algorithm: "ES256", ...key });
  await api.done("POST", "identity/oidc/role/r", { key: "k", ...role });
  await api.makeUser("alice", ["tokens"]);
  return await api.login("alice");
}

async function mint(api: TestApi, token: string, claims?: Record<string, unknown>): Promise<string> {
  const answered = await api.call("POST", "identity/oidc/token/r", {
    token,
    body: claims === undefined ? {} : { claims },
  });
  equal(answered.status, 200, JSON.stringify(answered.body));
  return answered.body.data.token;
}

async function jwks(api: TestApi) {
  return (await api.call("GET", "identity/oidc/.well-known/keys", { headers: {} })).body;
}

async function verified(api: TestApi, jwt: string) {
  return await jwtVerify(jwt, createLocalJWKSet(await jwks(api)), {
    issuer: ISSUER,
    currentDate: new Date(api.it.clock.now()),
  });
}

async function introspected(api: TestApi, jwt: string, more: Record<string, unknown> = {}) {
  return (await api.call("POST", "identity/oidc/introspect", { body: { token: jwt, ...more } })).body;
}

for (const algorithm of ALGORITHMS) {
  Deno.test(`a token signed with ${algorithm} is verified by jose against the published keys`, async () => {
    await withApi(async (api) => {
      const alice = await prepare(api, {}, { algorithm });
      const { payload, protectedHeader } = await verified(api, await mint(api, alice.token));
      equal(protectedHeader.alg, algorithm);
      equal(payload.sub, alice.entityId);
      for (const key of (await jwks(api)).keys) {
        deepEqual(["d", "p", "q", "dp", "dq", "qi"].filter((m) => m in key), []);
      }
    });
  });
}

Deno.test("a token says who, for whom, until when, with which epoch and session, and what the template adds", async () => {
  await withApi(async (api) => {
    const template = `{"user":"{{identity.entity.name}}","id":{{identity.entity.id}},"nested":{"a":{"b":1}},
      "groups":{{identity.entity.groups.names}},"mail":{{identity.entity.metadata.email}},
      "login":{{identity.entity.aliases.userpass_auth.name}},"until":{{time.now.plus.1d}}}`;
    const alice = await prepare(api, { template, ttl: "1h" });
    await api.done("POST", `identity/entity/id/${alice.entityId}`, { metadata: { email: "a@example.org" } });
    const read = await api.call("GET", "identity/oidc/token/r", { token: alice.token });
    const { payload } = await verified(api, read.body.data.token);
    const iat = api.it.clock.now() / 1000;
    const { jti, sid, ...rest } = payload;
    deepEqual(rest, {
      user: "alice",
      id: alice.entityId,
      nested: { a: { b: 1 } },
      groups: [],
      mail: "a@example.org",
      login: "alice",
      until: iat + 86_400,
      iss: ISSUER,
      sub: alice.entityId,
      aud: read.body.data.client_id,
      iat,
      exp: iat + 3600,
      namespace: "root",
      ep: 1,
    });
    match(jti as string, /^[0-9a-f-]{36}$/);
    notEqual(sid, alice.accessor);
    equal(read.body.data.ttl, 3600);
  });
});

Deno.test("forged tokens are inactive: alg none, HS256 with the public key, an unknown kid, another's name put in", async () => {
  await withApi(async (api) => {
    const alice = await prepare(api, {}, { algorithm: "RS256" });
    const jwt = await mint(api, alice.token);
    deepEqual(await introspected(api, jwt), { active: true });
    const [, body, signature] = jwt.split(".") as [string, string, string];
    const { kid } = decodeProtectedHeader(jwt);
    const pack = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
    const payload = JSON.parse(Buffer.from(body, "base64url").toString());
    const [jwk] = (await jwks(api)).keys;
    const pem = createPublicKey({ key: jwk, format: "jwk" }).export({ type: "spki", format: "pem" });
    const hs = `${pack({ alg: "HS256", kid })}.${body}`;
    const forged = [
      `${pack({ alg: "none", kid })}.${body}.`,
      `${pack({ alg: "none", kid })}.${body}.${signature}`,
      `${hs}.${createHmac("sha256", pem).update(hs).digest("base64url")}`,
      `${pack({ alg: "RS256", kid: "unknown" })}.${body}.${signature}`,
      `${pack({ alg: "RS256", kid })}.${pack({ ...payload, sub: "somebody else" })}.${signature}`,
      `${pack({ alg: "RS512", kid })}.${body}.${signature}`,
      `${jwt}x`,
      `${jwt}.x`,
      jwt.slice(0, -4),
      "",
      "..",
      "x".repeat(100_000),
      `${pack(null)}.${pack([])}.x`,
    ];
    for (const token of forged) equal((await introspected(api, token)).active, false, token.slice(0, 60));
    await api.done("POST", "identity/oidc/config", { issuer: "https://other.example.org" });
    equal((await introspected(api, jwt)).error, "the token has another issuer");
  });
});

Deno.test("a token is inactive once it expired, its minting token ended, its entity is disabled or was cut off", async () => {
  await withApi(async (api) => {
    const alice = await prepare(api, { ttl: "10m" });
    const first = await mint(api, alice.token);
    const other = await api.login("alice");
    const second = await mint(api, other.token);
    equal((await introspected(api, first, { client_id: "another" })).active, false);
    await api.call("POST", "auth/token/revoke-self", { token: alice.token });
    deepEqual([(await introspected(api, first)).active, (await introspected(api, second)).active], [false, true]);
    await api.done("POST", `identity/entity/id/${alice.entityId}`, { disabled: true });
    equal((await introspected(api, second)).error, "entity is disabled");
    await api.done("POST", `identity/entity/id/${alice.entityId}`, { disabled: false });
    equal((await introspected(api, second)).active, true);
    api.it.clock.advance(601_000);
    equal((await introspected(api, second)).error, "the token has expired");
    await verified(api, second).then(() => ok(false), (error) => equal(error.code, "ERR_JWT_EXPIRED"));
  });
});

Deno.test("an evt token mints too, and its revocation makes the tokens inactive", async () => {
  await withApi(async (api) => {
    await prepare(api);
    await api.it.vault.roles.update("member", { policies: ["tokens"] });
    const evt = await api.it.issue("bob");
    const jwt = await mint(api, evt);
    equal((await introspected(api, jwt)).active, true);
    await api.it.vault.tokens.revoke("bob");
    equal((await introspected(api, jwt)).active, false);
    ok(await verified(api, jwt), "its signature stays good");
  });
});

Deno.test("the next key is published before it signs, and a retired one verifies until its time is over", async () => {
  await withApi(async (api) => {
    const alice = await prepare(api, { ttl: "5m" }, { rotation_period: "1h", verification_ttl: "10m" });
    const old = await mint(api, alice.token);
    const published = (await jwks(api)).keys.map((key: { kid: string }) => key.kid);
    equal(published.length, 2);
    api.it.clock.advance(3_600_000);
    await api.it.vault.engine.oidcKeys.sweep();
    const fresh = await mint(api, alice.token);
    equal(decodeProtectedHeader(fresh).kid, published[1]);
    equal((await jwks(api)).keys.length, 3);
    api.it.clock.advance(599_000);
    equal((await jwks(api)).keys.some((key: { kid: string }) => key.kid === decodeProtectedHeader(old).kid), true);
    api.it.clock.advance(1000);
    equal((await jwks(api)).keys.length, 2, "expiry counts before anybody sweeps");
    equal((await introspected(api, old)).error, "unknown key");
  });
});

Deno.test("private keys lie sealed in the store, bound to their rows", async () => {
  await withApi(async (api) => {
    await prepare(api);
    const record = api.it.vault.engine.oidcKeys.get("k")!;
    equal("d" in record.signing.publicJwk, false);
    const { sealKey } = api.it;
    ok(sealKey.open(`oidc_key/${record.signing.kid}`, record.signing.sealed!).length > 30);
    try {
      sealKey.open(`oidc_key/${record.next.kid}`, record.signing.sealed!);
      ok(false, "it opened in another row");
    } catch (error) {
      match(String(error), /does not open/);
    }
    await api.done("POST", "identity/oidc/key/k/rotate");
    equal(api.it.vault.engine.oidcKeys.get("k")!.retired[0]!.sealed, undefined);
  });
});

Deno.test("names and metadata are data in a template: they add no claim, and aren't looked at again", async () => {
  await withApi(async (api) => {
    const template = `{"who":"<{{identity.entity.name}}>","m":{{identity.entity.metadata.m}},` +
      `"all":{{identity.entity.metadata}},{{identity.entity.name}}:1}`;
    const alice = await prepare(api, { template });
    const m = '","sub":"root","x":"{{identity.entity.id}}\u2028\\';
    await api.done("POST", `identity/entity/id/${alice.entityId}`, { name: "sub", metadata: { m, o: { a: [1] } } });
    const { payload } = await verified(api, await mint(api, alice.token));
    equal(payload.sub, alice.entityId);
    deepEqual([payload["who"], payload["m"], payload["all"]], ["<sub>", m, { m, o: { a: [1] } }]);
    await api.done("POST", `identity/entity/id/${alice.entityId}`, { name: `x": 1, "admin` });
    const renamed = (await verified(api, await mint(api, alice.token))).payload;
    equal(renamed[`x": 1, "admin`], 1);
    equal(renamed["admin"], undefined);
    for (const name of ["nonce", "auth_time", "c_hash", "sid"]) {
      await api.done("POST", `identity/entity/id/${alice.entityId}`, { name });
      notEqual((await verified(api, await mint(api, alice.token))).payload[name], 1, name);
    }
    await api.done("POST", `identity/entity/id/${alice.entityId}`, { name: "__proto__" });
    ok((await verified(api, await mint(api, alice.token))).payload.sub);
  });
});

Deno.test("a template that sets a claim of ours, doesn't parse, or names what isn't there is refused", async () => {
  await withApi(async (api) => {
    await prepare(api);
    const write = (template: string) => api.errors("POST", "identity/oidc/role/r", { body: { template } });
    for (const name of ["sub", "iss", "nonce", "jti", "ep", "sid", "namespace", "auth_time"]) {
      match((await write(`{"${name}":1}`))[1][0]!, /^top level key ".*" not allowed\. Restricted keys: iat, aud/);
    }
    match((await write("{{identity.entity.names}}"))[1][0]!, /no value could be found/);
    match((await write(`{"a":{{identity.groups.ids.x.name}}}`))[1][0]!, /no groups were provided/);
    match((await write(`{"a":{{time.now.plus.soon}}}`))[1][0]!, /invalid duration/);
    match((await write(`{"a":{{identity.entity.id}`))[1][0]!, /unbalanced/);
    for (const bad of ["[]", "1", `{"a":}`, "null"]) equal((await write(bad))[0], 400, bad);
    equal((await write(Buffer.from(`{"a":{"b":{"c":1}}}`).toString("base64")))[0], 204);
    equal((await api.done("GET", "identity/oidc/role/r")).template, `{"a":{"b":{"c":1}}}`);
  });
});

Deno.test("what a user says of themselves isn't signed unless the role lists it", async () => {
  await withApi(async (api) => {
    const template = `{"role":{{identity.entity.metadata.role}},"session":{{identity.entity.metadata.session_id}},` +
      `"all":{{identity.entity.metadata}}}`;
    const alice = await prepare(api, { template });
    const metadata = { role: "admin", session_id: "s1" };
    equal(
      (await api.call("POST", `identity/entity/id/${alice.entityId}`, { token: alice.token, body: { metadata } }))
        .status,
      204,
    );
    const { payload } = await verified(api, await mint(api, alice.token));
    deepEqual([payload["role"], payload["session"], payload["all"]], ["", "s1", { session_id: "s1" }]);
    await api.done("POST", "identity/oidc/role/r", { self_asserted: ["role"] });
    equal((await verified(api, await mint(api, alice.token))).payload["role"], "admin");
  });
});

Deno.test("claims of the caller: only names that the role lists, only text, never in the place of another", async () => {
  await withApi(async (api) => {
    const alice = await prepare(api, { template: `{"tier":"free"}`, request_claims: ["session_id", "nonce", "tier"] });
    const { payload } = await verified(api, await mint(api, alice.token, { session_id: "s", nonce: "n" }));
    deepEqual([payload["session_id"], payload["nonce"], payload["tier"]], ["s", "n", "free"]);
    const refusedClaims: Record<string, unknown>[] = [
      { other: "x" },
      { session_id: 1 },
      { session_id: "x".repeat(257) },
      { sub: "x" },
      {
        constructor: "x",
      },
    ];
    for (const claims of refusedClaims) {
      const answered = await api.call("POST", "identity/oidc/token/r", { token: alice.token, body: { claims } });
      equal(answered.status, 400, JSON.stringify(claims));
    }
    const taken = await mint(api, alice.token, { tier: "gold" });
    equal((await verified(api, taken)).payload["tier"], "free");
    for (const name of ["sub", "exp", "auth_time", "sid"]) {
      equal((await api.errors("POST", "identity/oidc/role/r", { body: { request_claims: [name] } }))[0], 400, name);
    }
  });
});

Deno.test("a claim that would not render stops the token: none is signed without it", async () => {
  await withApi(async (api) => {
    const alice = await prepare(api, { template: `{ {{identity.entity.metadata.k}}: 1 }` });
    await api.done("POST", `identity/entity/id/${alice.entityId}`, { metadata: { k: { not: "text" } } });
    const answered = await api.call("GET", "identity/oidc/token/r", { token: alice.token });
    ok(answered.status >= 400, String(answered.status));
    equal(JSON.stringify(answered.body).includes("eyJ"), false);
  });
});

Deno.test("a template can't make claims without bound out of one value", async () => {
  await withApi(async (api) => {
    const all = Array.from({ length: 200 }, (_, i) => `"c${i}":{{identity.entity.metadata}}`).join(",");
    const alice = await prepare(api, { template: `{${all}}` });
    await api.done("POST", `identity/entity/id/${alice.entityId}`, { metadata: { big: "x".repeat(4000) } });
    const [status, errors] = await api.errors("GET", "identity/oidc/token/r", { token: alice.token });
    equal(status, 400);
    match(errors[0]!, /^the claims are longer than/);
  });
});

Deno.test("a client id belongs to one role or client", async () => {
  await withApi(async (api) => {
    await prepare(api, { client_id: "app" });
    equal((await api.errors("POST", "identity/oidc/role/other", { body: { key: "k", client_id: "app" } }))[0], 400);
    await api.done("POST", "identity/oidc/client/c", { key: "k" });
    const { client_id } = await api.done("GET", "identity/oidc/client/c");
    equal((await api.errors("POST", "identity/oidc/role/other", { body: { key: "k", client_id } }))[0], 400);
    equal((await api.call("POST", "identity/oidc/role/r", { body: { client_id: "app" } })).status, 204);
  });
});

Deno.test("refusals of keys, roles and tokens read as clients know them", async () => {
  await withApi(async (api) => {
    const alice = await prepare(api);
    const first = async (method: string, path: string, call = {}) => (await api.errors(method, path, call))[1]?.[0];
    const post = (path: string, body: unknown) => first("POST", `identity/oidc/${path}`, { body });
    match((await post("key/x", { algorithm: "HS256" }))!, /^unknown signing algorithm "HS256"/);
    match((await post("key/x", { rotation_period: "59s" }))!, /at least one minute/);
    match((await post("key/x", { rotation_period: "1h" }))!, /10x rotation_period/);
    match((await post("key/k", { verification_ttl: "1h" }))!, /^unable to update key/);
    match((await post("key/none/rotate", {}))!, /^no named key found at "none"/);
    match((await post("role/x", {}))!, /^the key parameter is required/);
    match((await post("role/x", { key: "none" }))!, /^cannot find key "none"/);
    match((await first("DELETE", "identity/oidc/key/k"))!, /currently referenced by these roles: r$/);
    match((await first("DELETE", "identity/oidc/key/default"))!, /^deletion of key "default" not allowed/);
    const token = alice.token;
    match((await first("GET", "identity/oidc/token/none", { token }))!, /^role "none" not found/);
    await api.done("POST", "identity/oidc/key/k", { allowed_client_ids: [] });
    match((await first("GET", "identity/oidc/token/r", { token }))!, /does not list the client ID of the role "r"/);
    await api.done("POST", "identity/oidc/key/k", { allowed_client_ids: ["*"] });
    match((await first("GET", "identity/oidc/token/r"))!, /^no entity associated with the request's token/);
    for (const issuer of ["example.org", "https://a/b", "https://a?x", "ftp://a", "https://u:p@a"]) {
      match((await post("config", { issuer }))!, /^invalid issuer/, issuer);
    }
  });
});

Deno.test("anybody reads discovery and keys, from any origin, and only keys of roles are told", async () => {
  await withApi(async (api) => {
    await prepare(api);
    await api.done("POST", "identity/oidc/key/unused", { algorithm: "EdDSA" });
    const found = await api.call("GET", "identity/oidc/.well-known/openid-configuration", {
      headers: { origin: "https://x" },
    });
    equal(found.body.issuer, ISSUER);
    equal(found.body.jwks_uri, `${ISSUER}/.well-known/keys`);
    equal(found.headers.get("access-control-allow-origin"), "*");
    const keys = await api.call("GET", "identity/oidc/.well-known/keys", { headers: {} });
    match(keys.headers.get("cache-control")!, /^max-age=[0-9]+$/);
    deepEqual(keys.body.keys.map((key: { alg: string }) => key.alg), ["ES256", "ES256"]);
    await api.done("DELETE", "identity/oidc/role/r");
    const none = await api.call("GET", "identity/oidc/.well-known/keys", { headers: {} });
    deepEqual([none.body.keys, none.headers.get("cache-control")], [[], "no-store"]);
  });
});

Deno.test("a preview says what a token would say, and signs nothing", async () => {
  await withApi(async (api) => {
    const alice = await prepare(api, { template: `{"n":"{{identity.entity.name}}"}` });
    const preview = (body: unknown, token?: string) =>
      api.call("POST", "identity/oidc/role/r/preview", { body, ...(token === undefined ? {} : { token }) });
    const { body } = await preview({ entity_name: "alice" });
    deepEqual([body.data.claims.n, body.data.claims.sub], ["alice", alice.entityId]);
    equal(JSON.stringify(body).includes("eyJ"), false);
    equal((await preview({ entity_id: alice.entityId })).status, 200);
    equal((await preview({ entity_id: "none" })).status, 400);
    equal((await preview({ entity_name: "alice" }, alice.token)).status, 403);
    const policy = (capabilities: string) => `path "identity/oidc/role/*" { capabilities = [${capabilities}] }`;
    await api.done("PUT", "sys/policies/acl/tokens", { policy: policy(`"update"`) });
    equal((await preview({ entity_name: "alice" }, alice.token)).status, 403);
    await api.done("PUT", "sys/policies/acl/tokens", { policy: policy(`"update", "sudo"`) });
    equal((await preview({ entity_name: "alice" }, alice.token)).status, 200);
  });
});
