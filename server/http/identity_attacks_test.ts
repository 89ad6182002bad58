/**
 * The attacks that the rules about identity answer (S6, S7, S11 to S14, S18, S19), each run against the whole API.
 */

import { deepEqual, equal, match, notEqual, ok, rejects } from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createHmac } from "node:crypto";
import { refused } from "../../vault/_test_support.ts";
import { withApi } from "./_test_support.ts";

const OWN = `path "identity/entity/id/{{identity.entity.id}}" { capabilities = ["read", "update"] }`;
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

Deno.test("S11: where names clash a login makes an entity of its own, with a name of its own", async () => {
  await withApi(async (api) => {
    const evt = await api.vault.issue("erin");
    await api.withUsers("erin");
    const { entity_id } = await api.login("erin");
    const user = api.vault.identify(evt).user.record.entityId;
    notEqual(entity_id, user);
    const names = await Promise.all(
      [entity_id, user].map(async (id) => (await api.must("GET", `identity/entity/id/${id}`)).name),
    );
    equal(names[1], "erin");
    match(names[0]!, /^entity_[0-9a-f]{8}$/);
    // The other way round: a login first, then a user of the same name.
    await api.withUsers("finn");
    const login = await api.login("finn");
    api.vault.clock.advance(1);
    const finn = api.vault.identify(await api.vault.issue("finn")).user.record.entityId;
    const taken = await api.must("GET", `identity/entity/id/${finn}`);
    equal((await api.must("GET", `identity/entity/id/${login.entity_id}`)).name, "finn");
    notEqual(taken.name, "finn", "a policy by name must not mean two");
  });
});

Deno.test("S11: deleting and making a login anew gives a stranger nothing of the old one", async () => {
  await withApi(async (api) => {
    await api.withUsers("gina");
    const before = await api.login("gina");
    await api.must("POST", `identity/entity/id/${before.entity_id}`, { policies: ["secret"], metadata: { team: "x" } });
    await api.must("DELETE", "auth/userpass/users/gina");
    await api.withUsers("gina");
    const after = await api.login("gina");
    notEqual(after.entity_id, before.entity_id);
    deepEqual(after.policies, ["default"]);
  });
});

Deno.test("S12: of themselves users set metadata alone, and none that somebody else set", async () => {
  await withApi(async (api) => {
    await api.policy("own", OWN);
    await api.withUsers("hugo", "ida");
    for (const name of ["hugo", "ida"]) await api.must("POST", `auth/userpass/users/${name}`, { policies: ["own"] });
    const [hugo, ida] = [await api.login("hugo"), await api.login("ida")];
    await api.must("POST", `identity/entity/id/${hugo.entity_id}`, { metadata: { email: "h@x.org", tier: "1" } });
    const write = (body: unknown, id = hugo.entity_id) =>
      api.call("POST", `identity/entity/id/${id}`, { token: hugo.client_token, body });
    for (const body of [{ policies: ["admin"] }, { disabled: false }, { name: "root" }]) {
      equal((await write(body)).status, 403, JSON.stringify(body));
    }
    match((await write({ metadata: { email: "evil@x.org" } })).body.errors[0], /email/);
    equal((await write({ metadata: { session_id: "s1", email: "h@x.org" } })).status, 204);
    equal((await write({ metadata: { session_id: "s1" } }, ida.entity_id)).status, 403);
    const { metadata } = await api.must("GET", `identity/entity/id/${hugo.entity_id}`);
    deepEqual(metadata, { email: "h@x.org", tier: "1", session_id: "s1" });
  });
});

Deno.test("S12: policies see no metadata that the entity set itself, and no value with a slash or wildcard", async () => {
  await withApi(async (api) => {
    await api.policy(
      "team",
      `${OWN}\npath "cubbyhole/x" { capabilities = ["read"] }
      path "sys/{{identity.entity.metadata.team}}" { capabilities = ["read"] }`,
    );
    await api.withUsers("jane");
    await api.must("POST", "auth/userpass/users/jane", { policies: ["team"] });
    const { client_token: token, entity_id } = await api.login("jane");
    const mounts = async () => (await api.call("GET", "sys/mounts", { token })).status;
    const own = (team: string) =>
      api.call("POST", `identity/entity/id/${entity_id}`, { token, body: { metadata: { team } } });
    equal((await own("mounts")).status, 204);
    equal(await mounts(), 403, "its own word");
    await api.must("POST", `identity/entity/id/${entity_id}`, { metadata: { team: "mounts" } });
    equal(await mounts(), 200, "an administrator's word");
    for (const team of ["*", "mounts/*", "+", ""]) {
      await api.must("POST", `identity/entity/id/${entity_id}`, { metadata: { team } });
      equal(await mounts(), 403, team);
    }
  });
});

Deno.test("S12: identity tokens render what a user says of themselves only where the role lists it", async () => {
  await withApi(async (api) => {
    await api.policy("own", `${OWN}\n${TOKENS}`);
    await api.withUsers("kate");
    await api.must("POST", "auth/userpass/users/kate", { policies: ["own"] });
    await api.must("POST", "identity/oidc/key/k", { algorithm: "EdDSA", allowed_client_ids: "*" });
    const template =
      `{"email":{{identity.entity.metadata.email}},"s":"{{identity.entity.metadata.session_id}}","all":{{identity.entity.metadata}}}`;
    await api.must("POST", "identity/oidc/role/app", { key: "k", template });
    const { client_token: token, entity_id } = await api.login("kate");
    const metadata = { email: "boss@x.org", session_id: `a"}{{identity.entity.id}}` };
    await api.call("POST", `identity/entity/id/${entity_id}`, { token, body: { metadata } });
    const { body } = await api.call("GET", "identity/oidc/token/app", { token });
    const claims = JSON.parse(Buffer.from(body.data.token.split(".")[1], "base64url").toString());
    deepEqual([claims.email, claims.s, claims.all], ["", metadata.session_id, { session_id: metadata.session_id }]);
    equal(claims.sub, entity_id);
  });
});

Deno.test("S12: request claims only by the role's list, short, and never over ours or the template's", async () => {
  await withApi(async (api) => {
    await api.policy("own", `path "identity/oidc/token/app" { capabilities = ["read", "update"] }`);
    await api.withUsers("lara");
    await api.must("POST", "auth/userpass/users/lara", { policies: ["own"] });
    await api.must("POST", "identity/oidc/key/k", { algorithm: "EdDSA", allowed_client_ids: "*" });
    equal((await api.operator("POST", "identity/oidc/role/bad", { key: "k", request_claims: ["sub"] })).status, 400);
    equal((await api.operator("POST", "identity/oidc/role/bad", { key: "k", template: `{"ep": 1}` })).status, 400);
    const role = { key: "k", template: `{"level":"low"}`, request_claims: ["session", "nonce", "level"] };
    await api.must("POST", "identity/oidc/role/app", role);
    const { client_token: token } = await api.login("lara");
    const ask = (claims: unknown) => api.call("POST", "identity/oidc/token/app", { token, body: { claims } });
    const { body } = await ask({ session: "s", nonce: "n", level: "high" });
    const claims = JSON.parse(Buffer.from(body.data.token.split(".")[1], "base64url").toString());
    deepEqual([claims.session, claims.nonce, claims.level], ["s", "n", "low"]);
    equal((await ask({ sub: "me" })).status, 400);
    equal((await ask({ session: "x".repeat(257) })).status, 400);
    equal((await ask({ session: { a: 1 } })).status, 400);
  });
});

Deno.test("S13: of many guesses at once no more are tried than may fail, and the right password waits as well", async () => {
  await withApi(async (api) => {
    await api.withUsers("mona");
    const guess = (name: string, password: string) =>
      api.call("POST", `auth/userpass/login/${name}`, { body: { password }, address: "203.0.113.9" });
    const answers = await Promise.all(Array.from({ length: 40 }, (_, i) => guess("mona", `wrong ${i}`)));
    const counted = (status: number) => answers.filter((answer) => answer.status === status).length;
    deepEqual([counted(400), counted(403)], [5, 35]);
    equal((await guess("mona", "mona")).status, 403, "locked");
    const strangers = await Promise.all(Array.from({ length: 10 }, () => guess("nobody", "x")));
    deepEqual(strangers.filter((answer) => answer.status === 400).length, 5, "a name that nobody has locks alike");
    deepEqual(strangers.find((answer) => answer.status === 400)!.body, answers.find((a) => a.status === 400)!.body);
    const { total, locked_users } = await api.must("GET", "sys/locked-users");
    deepEqual([total, locked_users[0].alias, locked_users[0].seconds_left > 800], [1, "mona", true]);
    api.vault.clock.advance(901_000);
    equal((await guess("mona", "mona")).status, 200);
  });
});

Deno.test("S13: from an address that a user is known by, others' failures lock nobody out", async () => {
  await withApi(async (api) => {
    await api.withUsers("nina");
    await api.login("nina", "nina", "198.51.100.7");
    for (let i = 0; i < 6; i++) {
      await api.call("POST", "auth/userpass/login/nina", { body: { password: "x" }, address: "203.0.113.9" });
    }
    await api.login("nina", "nina", "198.51.100.7");
    const stranger = { body: { password: "nina" }, address: "203.0.113.9" };
    equal((await api.call("POST", "auth/userpass/login/nina", stranger)).status, 403);
  });
});

Deno.test("S13: a wrong address and a wrong password are one answer; a bcrypt hash is replaced at the next login", async () => {
  await withApi(async (api) => {
    await api.withUsers();
    const password_hash = "$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";
    await api.must("POST", "auth/userpass/users/olga", { password_hash, token_bound_cidrs: "10.0.0.0/8" });
    const from = (address: string, password: string) =>
      api.call("POST", "auth/userpass/login/olga", { body: { password }, address });
    const [wrongPlace, wrongWord] = [await from("192.0.2.1", "U*U"), await from("10.1.1.1", "U*X")];
    deepEqual([wrongPlace.status, wrongPlace.body], [400, wrongWord.body]);
    equal((await from("10.1.1.1", "U*U")).status, 200);
    const { engine } = api.vault.vault;
    const mount = engine.mounts.byPath("auth", "userpass/")!;
    match(engine.userpass.get(mount, "olga")!.passwordHash, /^\$argon2id\$/);
    equal((await from("10.1.1.1", "U*U")).status, 200);
    equal((await from("10.1.1.1", `${"U*U"}${"x".repeat(80)}`)).status, 400);
  });
});

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
