/**
 * `runevault.v1.Identity`: an agent's own identity over the connection that it has.
 */

import { deepEqual, equal, match } from "node:assert/strict";
import { status } from "@grpc/grpc-js";
import { createRemoteJWKSet, jwtVerify } from "jose";
import { Identity } from "../../proto/gen/runevault/v1/identity_pb.ts";
import { AdminHttp, VaultClient } from "../clients.ts";
import { ServedApi } from "../identity/_served.ts";

const { issueIdentityToken, lookupSelf, revokeSelf } = Identity.method;

Deno.test("an agent gets its JWT, looks itself up and ends itself over gRPC, as its role's policies allow", async () => {
  await using api = await ServedApi.start();
  using admin = AdminHttp.of(api.server);
  using vault = VaultClient.of(api.server);
  const must = async (method: string, path: string, body: unknown) => {
    const answered = await api.operator(method, path, body);
    equal(answered.status < 300, true, JSON.stringify(answered.body));
  };
  await must("PUT", "sys/policies/acl/agents", {
    policy: 'path "identity/oidc/token/app" { capabilities = ["read"] }',
  });
  await must("POST", "identity/oidc/key/app", { algorithm: "ES256", allowed_client_ids: "*" });
  await must("POST", "identity/oidc/role/app", { key: "app", client_id: "memory", request_claims: ["session"] });
  await admin.expect("PUT", "/roles/member", { policies: ["agents"] });
  const [alice, bob] = [await admin.issue("alice", "member"), await admin.issue("bob", "admin")];
  const as = (token: string) => ({ headers: { authorization: `Bearer ${token}` } });

  const issued = await vault.call(issueIdentityToken, { role: "app", claims: { session: "s-1" } }, as(alice));
  const keys = createRemoteJWKSet(new URL(`${api.address}/v1/identity/oidc/.well-known/keys`));
  const { payload } = await jwtVerify(issued.message!.token, keys, { audience: "memory" });
  const self = (await vault.call(lookupSelf, {}, as(alice))).message!;
  deepEqual([self.user, self.role, self.policies], ["alice", "member", ["agents", "default"]]);
  deepEqual([payload.sub, payload["session"]], [self.entityId, "s-1"]);
  deepEqual([issued.message!.clientId, issued.message!.ttlSeconds], ["memory", 86_400]);

  const denied = await vault.call(issueIdentityToken, { role: "app" }, as(bob));
  equal(denied.code, status.PERMISSION_DENIED, "another role has no such policy");
  const unlisted = await vault.call(issueIdentityToken, { role: "app", claims: { sub: "x" } }, as(alice));
  equal(unlisted.code, status.INVALID_ARGUMENT);
  equal((await vault.call(issueIdentityToken, { role: "" }, as(alice))).code, status.INVALID_ARGUMENT);
  equal((await vault.call(lookupSelf, {}, as("evt_00000000000000000000000000000000"))).code, status.UNAUTHENTICATED);

  equal((await vault.call(revokeSelf, {}, as(alice))).code, status.OK);
  equal((await vault.call(lookupSelf, {}, as(alice))).code, status.UNAUTHENTICATED);
  equal((await vault.manifest(alice)).code, status.UNAUTHENTICATED);
  const inspected = await api.operator("POST", "identity/oidc/introspect", { token: issued.message!.token });
  deepEqual(inspected.body.active, false);
  match(inspected.body.error, /ended/);
});
