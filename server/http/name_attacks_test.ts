/**
 * Attacks by names and by what users say of themselves (S11, S12), each run against the whole API.
 */

import { deepEqual, equal, match, notEqual } from "node:assert/strict";
import { Buffer } from "node:buffer";
import { withApi } from "./_test_support.ts";

const OWN = `path "identity/entity/id/{{identity.entity.id}}" { capabilities = ["read", "update"] }`;
const TOKENS = `path "identity/oidc/token/app" { capabilities = ["read"] }`;

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

Deno.test("S12: who may write aliases and logins gives neither the policies of an entity that they haven't", async () => {
  await withApi(async (api) => {
    await api.withUsers("helper");
    await api.policy("desk", `path "identity/entity-alias" { capabilities = ["create", "update"] }`);
    await api.must("POST", "auth/userpass/users/helper", { policies: ["desk"] });
    const { client_token: token } = await api.login("helper");
    const made = async (name: string, policies: string[]) =>
      (await api.must("POST", "identity/entity", { name, policies })).id as string;
    const [chief, peer, grouped] = [await made("chief", ["power"]), await made("peer", ["desk"]), await made("g", [])];
    await api.must("POST", "identity/group", { name: "powerful", policies: ["power"], member_entity_ids: [grouped] });
    const give = async (name: string, canonical_id: string) => {
      const body = { name, canonical_id, mount_accessor: "userpass_auth" };
      return (await api.call("POST", "identity/entity-alias", { token, body })).status;
    };
    deepEqual([await give("a", chief), await give("b", grouped), await give("c", peer)], [403, 403, 200]);
    equal(
      (await api.operator("LIST", "identity/entity-alias/id")).body.data.keys.length,
      2,
      "helper's own and the peer's",
    );
  });
});

Deno.test("S12: an alias that goes while it is written is a new one: whoever writes both gains no entity by it", async () => {
  await withApi(async (api) => {
    await api.withUsers("helper");
    const paths = ["identity/entity-alias", "identity/entity-alias/id/*"];
    await api.policy(
      "desk",
      paths.map((path) => `path "${path}" { capabilities = ["create", "update", "delete"] }`).join("\n"),
    );
    await api.must("POST", "auth/userpass/users/helper", { policies: ["desk"] });
    const { client_token: token, entity_id } = await api.login("helper");
    const chief = (await api.must("POST", "identity/entity", { name: "chief", policies: ["power"] })).id;
    const alias = (await api.must("GET", `identity/entity/id/${entity_id}`)).aliases[0].id;
    const body = { name: "helper", canonical_id: chief, mount_accessor: "userpass_auth" };
    const release = api.vault.store.hold();
    const deleted = api.call("DELETE", `identity/entity-alias/id/${alias}`, { token });
    const written = api.call("POST", "identity/entity-alias", { token, body });
    await new Promise((resolve) => setTimeout(resolve, 50));
    release();
    deepEqual([(await deleted).status, (await written).status], [204, 403]);
    equal((await api.login("helper")).entity_id === chief, false);
  });
});

Deno.test("S11: a login of somebody who may do more isn't moved by deleting its alias and making it anew", async () => {
  await withApi(async (api) => {
    await api.withUsers("helper", "chief", "clerk");
    await api.policy("desk", `path "identity/*" { capabilities = ["create", "update", "delete"] }`);
    await api.must("POST", "auth/userpass/users/helper", { policies: ["desk"] });
    await api.must("POST", "auth/userpass/users/chief", { policies: ["power"] });
    const { client_token: token } = await api.login("helper");
    const move = async (name: string, canonical_id?: string) => {
      const { entity_id } = await api.login(name.toLowerCase());
      const { aliases } = await api.must("GET", `identity/entity/id/${entity_id}`);
      equal((await api.call("DELETE", `identity/entity-alias/id/${aliases[0].id}`, { token })).status, 204);
      const body = { name, mount_accessor: "userpass_auth", ...(canonical_id === undefined ? {} : { canonical_id }) };
      return (await api.call("POST", "identity/entity-alias", { token, body })).status;
    };
    const { id } = (await api.call("POST", "identity/entity", { token, body: { name: "trap" } })).body.data;
    deepEqual([await move("chief"), await move("chief", id), await move("CHIEF", id)], [403, 403, 403]);
    equal((await api.login("chief")).entity_id === id, false);
    equal(await move("clerk", id), 200, "who may do no more");
  });
});
