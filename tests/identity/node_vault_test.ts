/**
 * The flow of an application by npm's node-vault against a started vault.
 */

import { deepEqual, equal, notEqual, rejects } from "node:assert/strict";
import { createRemoteJWKSet, jwtVerify } from "jose";
import vaultClient from "node-vault";
import { ServedApi } from "./_served.ts";

const POLICY = `
  path "identity/entity/id/{{identity.entity.id}}" { capabilities = ["read", "update"] }
  path "identity/oidc/token/app" { capabilities = ["read"] }`;

Deno.test("node-vault sets up, logs two users in, reads and updates own entities, and is refused the other's", async () => {
  await using api = await ServedApi.start();
  const client = (token?: string) => vaultClient({ endpoint: api.address, ...(token === undefined ? {} : { token }) });
  const admin = client(await api.rootToken());
  deepEqual([(await admin.initialized()).initialized, (await admin.status()).sealed], [true, false]);
  await admin.enableAuth({ mount_point: "userpass", type: "userpass", description: "people" });
  await admin.addPolicy({ name: "own", policy: POLICY });
  equal((await admin.policies()).policies.includes("own"), true);
  await admin.write("identity/oidc/key/app", { algorithm: "EdDSA", allowed_client_ids: "*" });
  await admin.write("identity/oidc/role/app", { key: "app", template: '{"name": {{identity.entity.name}}}' });
  for (const name of ["alice", "bob"]) {
    await admin.write(`auth/userpass/users/${name}`, { password: `${name}-password`, policies: "own" });
  }
  deepEqual((await admin.list("auth/userpass/users")).data.keys, ["alice", "bob"]);
  const logIn = async (username: string) => {
    const user = client();
    const { auth } = await user.userpassLogin({ username, password: `${username}-password` });
    return { user, entityId: auth.entity_id as string };
  };
  const [alice, bob] = [await logIn("alice"), await logIn("bob")];
  notEqual(alice.entityId, bob.entityId);
  await alice.user.write(`identity/entity/id/${alice.entityId}`, { metadata: { session_id: "s-1" } });
  const own = await alice.user.read(`identity/entity/id/${alice.entityId}`);
  deepEqual([own.data.name, own.data.metadata], ["alice", { session_id: "s-1" }]);
  await rejects(alice.user.read(`identity/entity/id/${bob.entityId}`), /permission denied/);
  const { data } = await alice.user.read("identity/oidc/token/app");
  const keys = createRemoteJWKSet(new URL(`${api.address}/v1/identity/oidc/.well-known/keys`));
  const { payload, protectedHeader } = await jwtVerify(data.token, keys, { audience: data.client_id });
  deepEqual([payload.sub, payload["name"], protectedHeader.alg], [alice.entityId, "alice", "EdDSA"]);
  equal((await alice.user.tokenLookupSelf()).data.entity_id, alice.entityId);
  equal((await alice.user.tokenRenewSelf()).auth.renewable, true);
  await alice.user.tokenRevokeSelf();
  await rejects(alice.user.tokenLookupSelf(), /permission denied/);
  equal((await bob.user.tokenLookupSelf()).data.display_name, "userpass-bob");
  await rejects(client().userpassLogin({ username: "bob", password: "wrong" }), /invalid username or password/);
  await rejects(admin.read("identity/entity/name/nobody"), /Status 404/);
});
