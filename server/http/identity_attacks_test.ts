/**
 * The other attacks that the rules about identity answer (S14, S18, S19), each run against the whole API.
 */

import { deepEqual, equal, match, ok } from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createHmac } from "node:crypto";
import { withApi } from "./_test_support.ts";

const TOKENS = `path "identity/oidc/token/app" { capabilities = ["read"] }`;

Deno.test("S14: introspection is inactive once the minting token ended, the epoch rose, or the entity is disabled", async () => {
  await withApi(async (api) => {
    await api.policy("own", TOKENS);
    await api.must("POST", "identity/oidc/key/k", { algorithm: "EdDSA", allowed_client_ids: "*" });
    await api.must("POST", "identity/oidc/role/app", { key: "k" });
    await api.vault.issue("paul");
    await api.vault.vault.engine.accounts.create({ name: "paul", password: "pw", policies: ["own"] });
    const mint = async () => {
      const { client_token: token } = await api.login("paul", "pw");
      return { token, jwt: (await api.call("GET", "identity/oidc/token/app", { token })).body.data.token };
    };
    const active = async (jwt: string) =>
      (await api.operator("POST", "identity/oidc/introspect", { token: jwt })).body.active;
    const [one, two] = [await mint(), await mint()];
    deepEqual([await active(one.jwt), await active(two.jwt)], [true, true]);
    await api.call("POST", "auth/token/revoke-self", { token: one.token });
    deepEqual([await active(one.jwt), await active(two.jwt)], [false, true], "one session's end");
    await api.vault.vault.tokens.revoke("paul");
    equal(await active(two.jwt), false, "the user's end");
    const three = await mint();
    equal(await active(three.jwt), true);
    await api.vault.vault.users.disable("paul");
    equal(await active(three.jwt), false);
  });
});

Deno.test("a forged JWT is never active: no algorithm, the public key as a secret, an unknown key, another issuer", async () => {
  await withApi(async (api) => {
    await api.policy("own", TOKENS);
    await api.withUsers("quin");
    await api.must("POST", "auth/userpass/users/quin", { policies: ["own"] });
    await api.must("POST", "identity/oidc/key/k", { algorithm: "RS256", allowed_client_ids: "*" });
    await api.must("POST", "identity/oidc/role/app", { key: "k" });
    const { client_token: token } = await api.login("quin");
    const jwt: string = (await api.call("GET", "identity/oidc/token/app", { token })).body.data.token;
    const [head, body, signature] = jwt.split(".") as [string, string, string];
    const header = JSON.parse(Buffer.from(head, "base64url").toString());
    const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
    const { body: jwks } = await api.call("GET", "identity/oidc/.well-known/keys");
    const hmac = (head: string) =>
      createHmac("sha256", JSON.stringify(jwks.keys[0])).update(`${head}.${body}`).digest("base64url");
    const hs = encode({ ...header, alg: "HS256" });
    const active = async (jwt: string) =>
      (await api.operator("POST", "identity/oidc/introspect", { token: jwt })).body.active;
    equal(await active(jwt), true);
    const forged = [
      `${encode({ ...header, alg: "none" })}.${body}.`,
      `${encode({ alg: "none" })}.${body}.${signature}`,
      `${hs}.${body}.${hmac(hs)}`,
      `${encode({ ...header, kid: "other" })}.${body}.${signature}`,
      `${head}.${encode({ ...JSON.parse(Buffer.from(body, "base64url").toString()), sub: "x" })}.${signature}`,
      `${head}.${body}.${signature}.x`,
      "",
      "a.b.c",
    ];
    for (const one of forged) equal(await active(one), false, one.slice(0, 40));
    // RFC 7515 §2: no padding, no other alphabet, no bits left over; a list of refused texts would miss the twins.
    const twins = [`${jwt}==`, jwt.replace(/.$/, (last) => String.fromCharCode(last.charCodeAt(0) ^ 1)), `${jwt}\n`];
    for (const one of twins) equal(await active(one), false, "a second spelling of a good token");
    await api.must("POST", "identity/oidc/config", { issuer: "https://other.example:8200" });
    equal(await active(jwt), false, "another issuer");
    ok(jwks.keys.every((key: Record<string, unknown>) => key["d"] === undefined && key["p"] === undefined));
  });
});

Deno.test("a token with N uses lets exactly N of 200 at once pass, then is gone", async () => {
  await withApi(async (api) => {
    const { auth } = (await api.operator("POST", "auth/token/create", { num_uses: 7, policies: ["default"] })).body;
    const ask = () => api.call("GET", "auth/token/lookup-self", { token: auth.client_token });
    const answers = await Promise.all(Array.from({ length: 200 }, ask));
    equal(answers.filter((answer) => answer.status === 200).length, 7);
    equal(api.vault.vault.engine.tokens.index.byAccessor(auth.accessor), undefined);
  });
});

Deno.test("100 writers of one entity at once lose no update, and a stale check-and-set is refused", async () => {
  await withApi(async (api) => {
    const { id } = await api.must("POST", "identity/entity", { name: "busy" });
    const writes = Array.from(
      { length: 100 },
      (_, i) =>
        i % 2 === 0
          ? api.must("POST", `identity/entity/id/${id}`, { policies: [`p${i}`] })
          : api.must("POST", `identity/entity/id/${id}`, { metadata: { n: String(i) } }),
    );
    await Promise.all(writes);
    const entity = await api.must("GET", `identity/entity/id/${id}`);
    equal(entity.version, 101);
    deepEqual([entity.policies, entity.metadata], [["p98"], { n: "99" }]);
    const cas = (version: number) => api.operator("POST", `identity/entity/id/${id}`, { metadata: {}, cas: version });
    equal((await cas(100)).status, 400);
    equal((await cas(101)).status, 204);
  });
});

Deno.test("two first logins of one user at once make exactly one entity", async () => {
  await withApi(async (api) => {
    await api.withUsers("rita");
    const logins = await Promise.all(Array.from({ length: 5 }, () => api.login("rita")));
    equal(new Set(logins.map((login) => login.entity_id)).size, 1);
    equal((await api.must("GET", "identity/entity/id?list=true")).keys.length, 1);
  });
});

Deno.test("S18: an evt user's window counts requests on every face, and a cubbyhole holds so much", async () => {
  await withApi(async (api) => {
    const evt = await api.vault.issue("sam");
    const statuses = [];
    for (let i = 0; i < 31; i++) {
      statuses.push((await api.call("GET", "auth/token/lookup-self", { token: evt })).status);
    }
    deepEqual([statuses.filter((one) => one === 200).length, statuses.at(-1)], [30, 429]);
    await api.withUsers("tom");
    const { client_token: token } = await api.login("tom");
    const put = (bytes: number) => api.call("POST", "cubbyhole/a", { token, body: { x: "y".repeat(bytes) } });
    equal((await put(60_000)).status, 204);
    equal((await put(70_000)).status, 429);
    equal((await api.call("GET", "cubbyhole/a", { token })).body.data.x.length, 60_000);
  });
});

Deno.test("S19: nobody initialises, seals or unseals over the network, and no path makes a root token", async () => {
  await withApi(async (api) => {
    match((await api.call("PUT", "sys/init", { body: { secret_shares: 1 } })).body.errors[0], /already initialized/);
    const before = api.vault.vault.state.sequence;
    await api.operator("PUT", "sys/seal");
    await api.call("PUT", "sys/unseal", { body: { key: "00" } });
    equal(api.vault.vault.state.sequence, before);
    equal((await api.call("GET", "sys/seal-status")).body.sealed, false);
    await api.policy("all", `path "*" { capabilities = ["create","read","update","delete","list","sudo"] }`);
    const { auth } = (await api.operator("POST", "auth/token/create", { policies: ["all"] })).body;
    const root = await api.call("POST", "auth/token/create", {
      token: auth.client_token,
      body: { policies: ["root"] },
    });
    equal(root.status, 400);
    for (const path of ["sys/rekey/init", "sys/generate-root/attempt"]) {
      equal((await api.operator("PUT", path)).status, 404);
    }
  });
});

Deno.test("no token, password or key is stored, logged or shown as it is", async () => {
  await withApi(async (api) => {
    await api.withUsers();
    await api.must("POST", "auth/userpass/users/uma", { password: "correct horse 42" });
    const { client_token } = await api.login("uma", "correct horse 42");
    const child = (await api.operator("POST", "auth/token/create", { id: "chosen-token-0001" })).body.auth.client_token;
    equal(child, "chosen-token-0001");
    await api.call("POST", "cubbyhole/note", { token: client_token, body: { note: "my own secret note" } });
    await api.must("POST", "identity/oidc/key/k", { algorithm: "ES256" });
    await api.call("GET", "forbidden", { token: client_token });
    const stored = [...api.vault.disk.records.values()].map((rows) => [...rows.values()].join()).join();
    for (const secret of [client_token, child, "correct horse 42", "my own secret note", "PRIVATE"]) {
      equal(stored.includes(secret), false, secret);
      equal(api.vault.logger.text().includes(secret), false, secret);
    }
    const user = await api.must("GET", "auth/userpass/users/uma");
    equal(JSON.stringify(user).includes("argon2"), false);
  });
});
