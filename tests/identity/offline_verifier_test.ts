/**
 * A service that never asks the vault about a token (`demo/offline_verifier.ts`), and a user who is cut off meanwhile.
 */

import { doesNotMatch, equal, ok, rejects } from "node:assert/strict";
import { OfflineVerifier } from "../../demo/offline_verifier.ts";
import { AdminHttp, eventually } from "../clients.ts";
import { StartedServer } from "../started_server.ts";
import { ServedApi } from "./_served.ts";

/** Whether a verifier takes a token. */
async function takes(verifier: OfflineVerifier, token: string): Promise<boolean> {
  return await verifier.verify(token).then(() => true, () => false);
}

Deno.test("S14: a service that verifies offline refuses a cut-off user's token within a second, also after a restart", async () => {
  await using api = await ServedApi.start();
  using admin = AdminHttp.of(api.server);
  await api.operator("PUT", "sys/policies/acl/jwt", {
    policy: 'path "identity/oidc/token/app" { capabilities = ["read"] }',
  });
  await api.operator("POST", "identity/oidc/key/k", { algorithm: "ES256", allowed_client_ids: "*" });
  await api.operator("POST", "identity/oidc/role/app", { key: "k", client_id: "memory" });
  await admin.expect("PUT", "/roles/member", { policies: ["jwt"] });
  const jwtOf = async (user: string): Promise<string> =>
    (await api.call("GET", "identity/oidc/token/app", await admin.issue(user))).body.data.token;
  const names = ["alice", "carol", "dave"];
  const ended = await Promise.all(names.map(jwtOf));
  const bob = await jwtOf("bob");
  const { issuer } = await (await fetch(`${api.address}/v1/identity/oidc/.well-known/openid-configuration`)).json();
  const options = { issuer, audience: "memory", address: `${api.address}/v1/identity/oidc` };
  {
    using verifier = await OfflineVerifier.start(options);
    const waits: number[] = [];
    for (const [i, name] of names.entries()) {
      equal(await takes(verifier, ended[i]!), true);
      await admin.expect("POST", `/users/${name}/cutoff`, {});
      const cutOffAt = performance.now();
      await eventually(`the refusal of ${name}'s token`, async () => !await takes(verifier, ended[i]!));
      waits.push(performance.now() - cutOffAt);
    }
    // Other work on the machine only makes it longer.
    ok(Math.min(...waits) < 1000, `refused after ${waits} ms`);
    equal(await takes(verifier, bob), true);
  }
  await api.server.kill();
  const port = api.address.slice(api.address.lastIndexOf(":") + 1);
  const args = ["--api-addr", `127.0.0.1:${port}`];
  const again = await StartedServer.start({ dataDir: api.server.dataDir, args });
  using verifier = await OfflineVerifier.start(options);
  for (const token of ended) equal(await takes(verifier, token), false);
  equal(await takes(verifier, bob), true);
  using impatient = await OfflineVerifier.start({ ...options, maxSilenceMs: 500 });
  // So that it has the keys; whether it takes the token depends on how fast the machine is.
  await takes(impatient, bob);
  await again.stop();
  doesNotMatch(again.log, /"calls_cut"/, "whoever waits for the feed doesn't hold up a stop until its grace is over");
  await new Promise((resolve) => setTimeout(resolve, 1000));
  await rejects(impatient.verify(bob), /out of reach/);
  equal(await takes(verifier, bob), true);
});
