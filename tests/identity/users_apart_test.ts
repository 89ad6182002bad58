/**
 * Users who, all at once, try what isn't theirs; each keeps what is theirs and gets nothing else.
 */

import { deepEqual, equal } from "node:assert/strict";
import { createRemoteJWKSet, jwtVerify } from "jose";
import { type Answered, ServedApi } from "./_served.ts";

// Fewer than the 24 connections that a port serves at a time: where others wait, one whose answer takes longer than five
// seconds, as on a busy machine that hashes passwords, makes room for them.
const USERS = 20;
const POLICY = `
  path "identity/entity/id/{{identity.entity.id}}" { capabilities = ["read", "update"] }
  path "identity/oidc/token/app" { capabilities = ["read"] }`;

/** Of what users set themselves, a session's id alone is claimed; that they own something is not. */
const TEMPLATE = '{"session": {{identity.entity.metadata.session_id}}, "owner": {{identity.entity.metadata.owner}}}';

interface User {
  readonly name: string;
  readonly token: string;
  readonly entityId: string;
}

Deno.test("users at once are refused each other's entities, and only who logs out is logged out", async () => {
  await using api = await ServedApi.start();
  const users = await loggedIn(api);
  const neighbour = (i: number) => users[(i + 1) % USERS]!;
  const statuses = await Promise.all(users.map(async ({ name, token, entityId }, i) => {
    const own = `identity/entity/id/${entityId}`;
    const other = `identity/entity/id/${neighbour(i).entityId}`;
    const answered = await Promise.all([
      api.call("POST", own, token, { metadata: { session_id: name, owner: neighbour(i).name } }),
      api.call("GET", other, token),
      api.call("POST", other, token, { metadata: { session_id: name } }),
      api.call("POST", own, token, { policies: ["root"] }),
      api.call("GET", "auth/userpass/users/" + neighbour(i).name, token),
    ]);
    return answered.map(({ status }: Answered) => status);
  }));
  for (const each of statuses) deepEqual(each, [204, 403, 403, 403, 403]);
  await assertIdentities(api, users);
  await Promise.all(
    users.filter((_, i) => i % 2 === 0).map(({ token }) => api.call("POST", "auth/token/revoke-self", token)),
  );
  const self = await Promise.all(users.map(({ token }) => api.call("GET", "auth/token/lookup-self", token)));
  for (const [i, { status, body }] of self.entries()) {
    equal(status, i % 2 === 0 ? 403 : 200);
    if (status === 200) equal(body.data.entity_id, users[i]!.entityId);
  }
});

/** The signature is checked, by the published keys, and every claim against the user who asked. */
async function assertIdentities(api: ServedApi, users: readonly User[]): Promise<void> {
  const keys = createRemoteJWKSet(new URL(`${api.address}/v1/identity/oidc/.well-known/keys`));
  await Promise.all(users.map(async ({ name, token, entityId }) => {
    const { data } = (await api.call("GET", "identity/oidc/token/app", token)).body;
    const { payload } = await jwtVerify(data.token, keys, { audience: data.client_id, algorithms: ["ES256"] });
    deepEqual([payload.sub, payload["session"], payload["owner"]], [entityId, name, ""]);
    const { body } = await api.call("GET", `identity/entity/id/${entityId}`, token);
    deepEqual([body.data.name, body.data.metadata.session_id, body.data.policies], [name, name, []]);
  }));
}

async function loggedIn(api: ServedApi): Promise<User[]> {
  const must = async (method: string, path: string, body: unknown) => {
    const answered = await api.operator(method, path, body);
    equal(answered.status < 300, true, `${method} ${path}: ${JSON.stringify(answered.body)}`);
  };
  await must("POST", "sys/auth/userpass", { type: "userpass" });
  await must("PUT", "sys/policies/acl/own", { policy: POLICY });
  await must("POST", "identity/oidc/key/app", { algorithm: "ES256", allowed_client_ids: "*" });
  await must("POST", "identity/oidc/role/app", {
    key: "app",
    template: TEMPLATE,
  });
  const names = Array.from({ length: USERS }, (_, i) => `user${i}`);
  await Promise.all(
    names.map((name) => must("POST", `auth/userpass/users/${name}`, { password: name, policies: "own" })),
  );
  return await Promise.all(names.map(async (name) => {
    const { status, body } = await api.call("POST", `auth/userpass/login/${name}`, undefined, { password: name });
    equal(status, 200, JSON.stringify(body));
    return { name, token: body.auth.client_token, entityId: body.auth.entity_id };
  }));
}
