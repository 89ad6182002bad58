/**
 * The identity API of the compiled binary: threads that hash, native code that signs, the clients that exist.
 *
 * @module
 */

import { equal } from "node:assert/strict";
import { createRemoteJWKSet, jwtVerify } from "jose";
import { ServedApi } from "../identity/_served.ts";
import { binaryPath } from "./_binary.ts";
import "../identity/node_vault_test.ts";
import "../identity/recorded_cli_test.ts";

Deno.test.beforeAll(() => void binaryPath());

Deno.test("the binary hashes passwords in its threads and signs natively what jose verifies", async () => {
  await using api = await ServedApi.start();
  const must = async (method: string, path: string, body: unknown) => {
    const answered = await api.operator(method, path, body);
    equal(answered.status < 300, true, JSON.stringify(answered.body));
  };
  await must("POST", "sys/auth/userpass", { type: "userpass" });
  await must("PUT", "sys/policies/acl/own", { policy: 'path "identity/oidc/token/app" { capabilities = ["read"] }' });
  await must("POST", "auth/userpass/users/alice", { password: "correct horse", policies: "own" });
  await must("POST", "identity/oidc/role/app", { key: "default", client_id: "app" });
  const login = await api.call("POST", "auth/userpass/login/alice", undefined, { password: "correct horse" });
  const { client_token: token, entity_id } = login.body.auth;
  const { body } = await api.call("GET", "identity/oidc/token/app", token);
  const keys = createRemoteJWKSet(new URL(`${api.address}/v1/identity/oidc/.well-known/keys`));
  const { payload, protectedHeader } = await jwtVerify(body.data.token, keys, { audience: "app" });
  equal(payload.sub, entity_id);
  equal(protectedHeader.alg, "RS256");
  equal(api.server.log.includes("native_library_off"), false, api.server.log);
});
