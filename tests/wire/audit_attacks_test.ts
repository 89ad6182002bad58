/**
 * What callers send to spoil the audit trail: texts that no line has room for, and tokens where a name belongs.
 */

import { deepEqual, equal } from "node:assert/strict";
import { Identity } from "../../proto/gen/runevault/v1/identity_pb.ts";
import { parseLine } from "../../vault/audit/entry.ts";
import { parseSeriesKey } from "../../vault/audit/series_key.ts";
import { trailFiles } from "../../vault/audit/trail_files.ts";
import { verifyTrail } from "../../vault/audit/verify.ts";
import { AdminHttp, VaultClient } from "../clients.ts";
import { ServedApi } from "../identity/_served.ts";
import { findTracesBelow } from "../secret_traces.ts";
import { temporaryFolder } from "../started_server.ts";

const MIB = 1024 * 1024;

function issueToken(vault: VaultClient, token: string, role: string) {
  return vault.call(Identity.method.issueIdentityToken, { role }, { headers: { authorization: `Bearer ${token}` } });
}

Deno.test("no name is so long that its line spoils the trail: it verifies, and the vault starts again", async () => {
  await using place = await temporaryFolder();
  const dataDir = `${place.path}/data`;
  const api = await ServedApi.start({ dataDir });
  using admin = AdminHttp.of(api.server);
  using vault = VaultClient.of(api.server);
  const alice = await admin.issue("alice");
  const bob = await admin.issue("bob");
  await issueToken(vault, bob, "é".repeat(MIB));
  const long = "x".repeat(MIB - 100);
  equal((await admin.ask("POST", "/tokens", { user: long, role: "member" })).status, 400);
  equal((await admin.ask("POST", "/users/alice/cutoff", { reason: long })).status, 400);
  await issueToken(vault, alice, "x".repeat(2 * MIB));
  await api[Symbol.asyncDispose]();
  const keys = [parseSeriesKey(await Deno.readTextFile(`${dataDir}/audit.k0`))];
  const { broken, lines, checkedKeys } = await verifyTrail(await trailFiles(`${dataDir}/audit.log`), { keys });
  deepEqual([broken, checkedKeys], [null, lines]);
  await using again = await ServedApi.start({ dataDir });
  equal(again.server.log.includes("audit_lines_missing"), false);
});

Deno.test("S25: a token in the place of a name is in no entry, on the admin API and over gRPC", async () => {
  await using api = await ServedApi.start();
  const { dataDir } = api.server;
  using admin = AdminHttp.of(api.server);
  using vault = VaultClient.of(api.server);
  const alice = await admin.issue("alice");
  const bob = await admin.issue("bob");
  await issueToken(vault, alice, bob);
  equal((await admin.ask("POST", "/operators", { name: bob, scope: "none" })).status, 400);
  equal((await admin.ask("POST", "/tokens", { user: "carol", role: bob })).status, 404);
  equal((await admin.ask("POST", "/users/alice/cutoff", { reason: `it was ${bob} that leaked` })).status, 400);
  deepEqual(await findTracesBelow(dataDir, { bob }), []);
  const text = await Deno.readTextFile(`${dataDir}/audit.log`);
  const asked = text.split("\n").slice(0, -1).map(parseLine).find(({ operation }) =>
    operation === "issue_identity_token"
  );
  deepEqual(asked!.resource, { path: "identity/oidc/token/:name" });
});
