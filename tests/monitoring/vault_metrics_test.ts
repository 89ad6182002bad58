/**
 * What a server tells of itself, against what was done to it.
 */

import { deepEqual, equal, match, ok } from "node:assert/strict";
import { AdminHttp, VaultClient } from "../clients.ts";
import { ServedApi } from "../identity/_served.ts";
import { StartedServer } from "../started_server.ts";

async function metricsOf({ addresses }: StartedServer): Promise<(sample: string) => number | undefined> {
  const text = await (await fetch(`http://${addresses.metrics}/metrics`)).text();
  const samples = new Map(text.split("\n").map((line) => [line.slice(0, line.lastIndexOf(" ")), line] as const));
  return (sample) => {
    const line = samples.get(sample);
    return line === undefined ? undefined : Number(line.slice(line.lastIndexOf(" ") + 1));
  };
}

Deno.test("logins, tokens, cut-offs, revocations, commits and keys are told as they are", async () => {
  await using api = await ServedApi.start();
  using admin = AdminHttp.of(api.server);
  await admin.expect("POST", "/users", { user: "alice", password: "pw" });
  await admin.issue("bob");
  await api.operator("POST", "identity/oidc/key/app", { algorithm: "EdDSA" });
  await api.operator("POST", "identity/oidc/role/app", { key: "app" });
  for (const password of ["pw", "pw", "wrong"]) {
    await api.call("POST", "auth/userpass/login/alice", undefined, { password });
  }
  const { client_token } =
    (await api.call("POST", "auth/userpass/login/alice", undefined, { password: "pw" })).body.auth;
  const wrapped = await fetch(`${api.address}/v1/auth/token/lookup-self`, {
    headers: { "x-vault-token": client_token, "x-vault-wrap-ttl": "60s" },
  });
  equal(wrapped.status, 200, await wrapped.text());
  const before = await metricsOf(api.server);
  deepEqual([before('runevault_logins_total{result="success"}'), before('runevault_logins_total{result="failure"}')], [
    3,
    1,
  ]);
  const tokens = (kind: string) => `runevault_tokens_live{kind="${kind}"}`;
  deepEqual(["evt", "service", "wrapping"].map((kind) => before(tokens(kind))), [1, 3, 1]);
  deepEqual([before("runevault_users"), before("runevault_users_cut_off")], [2, 0]);
  ok(
    before('runevault_key_age_seconds{key="oidc/app"}')! < 600 &&
      before('runevault_key_age_seconds{key="team_secret"}')! < 600,
  );
  const commits = before('runevault_store_commit_duration_seconds_count{status="success"}')!;
  ok(commits >= 8, String(commits));

  await admin.expect("POST", "/users/alice/cutoff", {});
  const after = await metricsOf(api.server);
  deepEqual([after("runevault_users_cut_off"), after("runevault_revocations")], [1, 2]);
  deepEqual(["evt", "service", "wrapping"].map((kind) => after(tokens(kind))), [1, 0, 0]);
  equal(after("runevault_store_sequence")! > before("runevault_store_sequence")!, true);
  await admin.expect("POST", "/users/alice/restore", {});
  equal((await metricsOf(api.server))("runevault_users_cut_off"), 0);
});

Deno.test("an operator may leave users out of the metrics", async () => {
  await using server = await StartedServer.start({ args: ["--metrics-users", "off"] });
  using admin = AdminHttp.of(server);
  using vault = VaultClient.of(server);
  await vault.manifest(await admin.issue("alice-of-accounting"));
  await vault.manifest("evt_00000000000000000000000000000000");
  const text = await (await fetch(`http://${server.addresses.metrics}/metrics`)).text();
  match(text, /vault_requests_total\{[^}]*status="success",user="other"\} 1/);
  match(text, /vault_requests_total\{[^}]*status="error",user="unknown"\} 1/);
  equal(text.includes("alice-of-accounting"), false);
});
