/**
 * `runevault user cutoff` against a running server: what the operator sees, and what the user can still do.
 */

import { deepEqual, equal, match } from "node:assert/strict";
import { status } from "@grpc/grpc-js";
import type { CutOffBody } from "../../admin/wire.ts";
import { AdminHttp, cli, VaultClient } from "../clients.ts";
import { ServedApi } from "../identity/_served.ts";
import { StartedServer } from "../started_server.ts";

Deno.test("S6: one command ends a user on gRPC and the identity API, calls in flight included, and says what it did", async () => {
  await using api = await ServedApi.start();
  using admin = AdminHttp.of(api.server);
  using vault = VaultClient.of(api.server);
  const [alice, bob] = [await admin.issue("alice"), await admin.issue("bob")];
  await admin.expect("POST", "/users", { user: "alice", password: "pw" });
  await api.operator("POST", "sys/auth/userpass", { type: "userpass" });
  const login = (await api.call("POST", "auth/userpass/login/alice", undefined, { password: "pw" })).body.auth;
  await vault.bundle(alice);

  let refusedOnceCut = true;
  let isCut = false;
  const callers = Array.from({ length: 8 }, async () => {
    for (let i = 0; i < 20; i++) {
      const wasCut = isCut;
      const { code } = await vault.seal(alice, ["a memory"]);
      if (wasCut && code !== status.UNAUTHENTICATED) refusedOnceCut = false;
    }
  });
  const cut = await cli(api.server, ["user", "cutoff", "alice", "--reason", "laptop stolen"]);
  isCut = true;
  await Promise.all(callers);
  equal(refusedOnceCut, true, "from the answer on no call by the user is answered");

  deepEqual([cut.code, cut.stderr], [0, ""]);
  match(cut.stdout, /^Cut off: +alice$/m);
  match(cut.stdout, /^Reason: +laptop stolen$/m);
  match(cut.stdout, /^Ended: +1 user token, 1 login or child token, 0 wrapped answers, 0 leases$/m);
  match(cut.stdout, /^Logins blocked: +auth\/userpass\/login\/alice$/m);
  match(cut.stdout, /^Still pending: +nothing$/m);
  match(cut.stdout, /^still held by alice: data key since \d{4}-\d\d-\d\dT\S+Z$/m);
  match(cut.stdout, /^ {2}data key: .*runevault secret rotate/m);

  for (
    const call of [vault.manifest(alice), vault.publicKey(alice), vault.open(alice, []), vault.scores(alice, "", 1)]
  ) {
    equal((await call).code, status.UNAUTHENTICATED);
  }
  equal((await api.call("GET", "auth/token/lookup-self", login.client_token)).status, 403);
  equal((await api.call("POST", "auth/userpass/login/alice", undefined, { password: "pw" })).status, 403);
  equal((await vault.manifest(bob)).code, status.OK);

  match((await cli(api.server, ["user", "show", "alice"])).stdout, /^State: +cut off$/m);
  match((await cli(api.server, ["user", "list"])).stdout, /^alice +cut off/m);
  const enabled = await cli(api.server, ["user", "enable", "alice"]);
  deepEqual([enabled.code, /runevault user restore alice/.test(enabled.stderr)], [1, true]);
  const restored = await cli(api.server, ["user", "restore", "alice"]);
  deepEqual([restored.code, restored.stdout], [0, 'User "alice" is let in again; what was revoked stays revoked\n']);
  equal((await vault.manifest(alice)).code, status.UNAUTHENTICATED);
  equal((await api.call("POST", "auth/userpass/login/alice", undefined, { password: "pw" })).status, 200);
});

Deno.test("a cut-off that was answered holds after the server was killed at once", async () => {
  await using server = await StartedServer.start();
  using admin = AdminHttp.of(server);
  const alice = await admin.issue("alice");
  const { entity_id } = await admin.expect<CutOffBody>("POST", "/users/alice/cutoff", { reason: "gone" });
  await server.kill();
  await using again = await StartedServer.start({ dataDir: server.dataDir });
  using vault = VaultClient.of(again);
  using after = AdminHttp.of(again);
  equal((await vault.manifest(alice)).code, status.UNAUTHENTICATED);
  const shown = await after.expect<CutOffBody>("GET", "/users/alice/cutoff");
  deepEqual([shown.entity_id, shown.reason], [entity_id, "gone"]);
});

Deno.test("token revoke says that the login is still open, and cutting off closes it", async () => {
  await using server = await StartedServer.start();
  using admin = AdminHttp.of(server);
  await admin.issue("alice");
  await admin.expect("POST", "/users", { user: "alice", password: "pw" });
  const revoked = await cli(server, ["token", "revoke", "--user", "alice"]);
  match(revoked.stdout + revoked.stderr, /login still open/);
  match(revoked.stdout + revoked.stderr, /runevault user cutoff alice/);
});

Deno.test("S16: the trail says who cut whom off and why, and whose envelopes were opened although they were cut off", async () => {
  await using server = await StartedServer.start();
  using admin = AdminHttp.of(server);
  using vault = VaultClient.of(server);
  const [alice, bob] = [await admin.issue("alice"), await admin.issue("bob")];
  const { envelopes } = (await vault.seal(alice, ["a memory"])).message!;
  const own = (await vault.seal(bob, ["mine"])).message!.envelopes;
  const { entity_id } = await admin.expect<CutOffBody>("POST", "/users/alice/cutoff", { reason: "laptop stolen" });
  equal((await vault.open(bob, envelopes)).code, status.OK);
  equal((await vault.open(bob, own)).code, status.OK);
  await admin.expect("PUT", "/roles/member", { cutoff_envelopes: "refuse" });
  equal((await vault.open(bob, envelopes)).code, status.PERMISSION_DENIED);
  equal((await vault.open(bob, own)).code, status.OK);

  const lines = (await Deno.readTextFile(`${server.dataDir}/audit.log`)).trim().split("\n").map((line) =>
    JSON.parse(line)
  );
  const cut = lines.find(({ operation }) => operation === "POST /users/:name/cutoff");
  deepEqual([cut.user, cut.resource], [`local:${Deno.uid()}`, { name: "alice", reason: "laptop stolen" }]);
  const effect = cut.effects.find(({ kind }: { kind: string }) => kind === "user");
  deepEqual([effect.id, effect.epoch, effect.disabled, effect.cut_off], [entity_id, 2, true, true]);
  const opened = lines.filter(({ operation }) => operation === "decrypt_metadata");
  deepEqual(opened.map(({ decision, resource }) => [decision, resource.cut_off_authors]), [
    ["allowed", [entity_id]],
    ["allowed", undefined],
    ["refused", undefined],
    ["allowed", undefined],
  ]);
  match(server.log, /"event":"cut_off_envelopes_opened"/);
});
