/**
 * 200 users who log in and act at once; everything belongs to whom it should.
 */

import { deepEqual, equal } from "node:assert/strict";
import { ServedApi } from "./_served.ts";

const USERS = 200;
const POLICY = `
  path "identity/entity/id/{{identity.entity.id}}" { capabilities = ["read", "update"] }
  path "identity/oidc/token/app" { capabilities = ["read"] }`;

Deno.test("of 200 users at once each gets their own entity, metadata and identity token", async () => {
  await using api = await ServedApi.start();
  const must = async (method: string, path: string, body?: unknown) => {
    const answered = await api.operator(method, path, body);
    equal(answered.status < 300, true, `${method} ${path}: ${JSON.stringify(answered.body)}`);
    return answered.body;
  };
  await must("POST", "sys/auth/userpass", { type: "userpass" });
  await must("PUT", "sys/policies/acl/own", { policy: POLICY });
  await must("POST", "identity/oidc/key/app", { algorithm: "ES256", allowed_client_ids: "*" });
  await must("POST", "identity/oidc/role/app", { key: "app", template: '{"name": {{identity.entity.name}}}' });
  const names = Array.from({ length: USERS }, (_, i) => `user${i}`);
  // An operator makes them in batches: the admin socket has places for a few.
  for (let i = 0; i < USERS; i += 20) {
    await Promise.all(
      names.slice(i, i + 20).map((name) => {
        return must("POST", `auth/userpass/users/${name}`, { password: `password of ${name}`, policies: "own" });
      }),
    );
  }
  const acted = await Promise.all(names.map(async (name) => {
    const login = await api.call("POST", `auth/userpass/login/${name}`, undefined, { password: `password of ${name}` });
    equal(login.status, 200, JSON.stringify(login.body));
    const { client_token: token, entity_id, metadata } = login.body.auth;
    await api.call("POST", `identity/entity/id/${entity_id}`, token, { metadata: { session_id: `of ${name}` } });
    const { body } = await api.call("GET", "identity/oidc/token/app", token);
    const claims = JSON.parse(atob(body.data.token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/")));
    return { name, login: metadata.username, entityId: entity_id as string, sub: claims.sub, claimed: claims.name };
  }));
  equal(new Set(acted.map((one) => one.entityId)).size, USERS);
  for (const { name, login, entityId, sub, claimed } of acted) {
    deepEqual([login, sub, claimed], [name, entityId, name]);
    const { data } = await must("GET", `identity/entity/id/${entityId}`);
    deepEqual([data.name, data.metadata, data.aliases.length], [name, { session_id: `of ${name}` }, 1]);
  }
});
