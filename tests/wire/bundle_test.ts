/**
 * Key bundles: which keys leave the vault to whom.
 *
 * @module
 */

import { deepEqual, equal, match, ok } from "node:assert/strict";
import { createHash, hkdfSync } from "node:crypto";
import { Buffer } from "node:buffer";
import type { UserRow } from "../../admin/wire.ts";
import { AdminHttp, type Bundle, VaultClient } from "../clients.ts";
import { StartedServer, temporaryFolder } from "../started_server.ts";
import { sharedServer } from "./_shared_server.ts";

const TEAM_SECRET = "a team secret of some length";
const shared = sharedServer({
  // White space around a secret is not part of it.
  env: {
    RUNEVAULT_TEAM_SECRET: `  ${TEAM_SECRET}\n`,
    RUNEVAULT_INDEX_NAME: "team-index",
    RUNEVAULT_ENVECTOR_ENDPOINT: "envector.example:50050",
    RUNEVAULT_ENVECTOR_API_KEY: "index-key-1",
  },
});

/** What a bundle holds for every role that may fetch one. */
const ALWAYS = ["agent_id", "envector_endpoint", "envelope", "index_name", "key_id", "key_version"];

/** RFC 5869 by Node's own implementation. */
function dek(info: string, salt = ""): string {
  return Buffer.from(hkdfSync("sha256", TEAM_SECRET, salt, info, 32)).toString("base64");
}

function agentIdOf(token: string): string {
  return createHash("sha256").update(token).digest("hex").slice(0, 32);
}

async function bundleFor(scope: readonly string[]): Promise<{ bundle: Bundle; token: string }> {
  const { admin, vault } = shared();
  const name = `bundle.${scope.join(".")}`;
  await admin.createRole(name, scope);
  const token = await admin.issue(name, name);
  return { bundle: await vault.bundle(token), token };
}

Deno.test("get_public_key gives the whole bundle", async () => {
  const { bundle, token } = await bundleFor(["get_public_key"]);
  deepEqual(Object.keys(bundle).sort(), [...ALWAYS, "agent_dek", "deks", "envector_api_key"].sort());
  const agentId = agentIdOf(token);
  deepEqual(bundle, {
    key_id: "vault-key",
    index_name: "team-index",
    envector_endpoint: "envector.example:50050",
    envector_api_key: "index-key-1",
    agent_id: agentId,
    envelope: 2,
    key_version: 1,
    agent_dek: dek(agentId),
    deks: { 1: dek(`dek\n${agentId}`, "runevault/v2") },
  });
});

Deno.test("get_bundle alone gives no key at all", async () => {
  deepEqual(Object.keys((await bundleFor(["get_bundle"])).bundle).sort(), ALWAYS);
});

Deno.test("get_dek adds the data keys, get_index_key the index key, and neither the other's", async () => {
  const withDek = (await bundleFor(["get_bundle", "get_dek"])).bundle;
  deepEqual(Object.keys(withDek).sort(), [...ALWAYS, "agent_dek", "deks"].sort());
  const withIndexKey = (await bundleFor(["get_bundle", "get_index_key"])).bundle;
  deepEqual(Object.keys(withIndexKey).sort(), [...ALWAYS, "envector_api_key"].sort());
});

Deno.test("a role that loses get_dek gets no data key from the next call on", async () => {
  const { admin, vault } = shared();
  const { token } = await bundleFor(["get_bundle", "get_dek", "manage_tokens"]);
  await admin.expect("PUT", "/roles/bundle.get_bundle.get_dek.manage_tokens", { scope: ["get_bundle"] });
  deepEqual(Object.keys(await vault.bundle(token)).sort(), ALWAYS);
});

Deno.test("GetPublicKey and GetAgentManifest say the same while there is no evaluation key", async () => {
  const { vault, admin } = shared();
  const token = await admin.issue("both-methods");
  const { message } = await vault.publicKey(token);
  deepEqual(JSON.parse(message!.keyBundleJson), await vault.bundle(token));
});

Deno.test("two users, and two tokens of one user, have nothing in common but what is configured", async () => {
  const { vault, admin } = shared();
  const first = await vault.bundle(await admin.issue("first"));
  const second = await vault.bundle(await admin.issue("second"));
  const rotated = await vault.bundle(await admin.rotate("first"));
  for (const field of ["agent_id", "agent_dek"] as const) {
    equal(new Set([first[field], second[field], rotated[field]]).size, 3, field);
  }
});

Deno.test("the vault records when a key first left to a user, and only then", async () => {
  const { vault, admin } = shared();
  const show = (user: string) => admin.expect<UserRow>("GET", `/users/${user}`);
  await admin.createRole("bare", ["get_bundle"]);
  await vault.bundle(await admin.issue("keyless", "bare"));
  const { agent_key_left_at, index_key_left_at } = await show("keyless");
  deepEqual([agent_key_left_at, index_key_left_at], [null, null]);
  const token = await admin.issue("keyed");
  equal((await show("keyed")).agent_key_left_at, null);
  await vault.bundle(token);
  const { agent_key_left_at: first, index_key_left_at: indexKey } = await show("keyed");
  match(first!, /^\d{4}-\d\d-\d\dT/);
  ok(indexKey !== null);
  await vault.bundle(token);
  equal((await show("keyed")).agent_key_left_at, first);
});

Deno.test("what is not configured is not in the bundle", async () => {
  await using server = await StartedServer.start();
  using vault = VaultClient.of(server);
  using admin = AdminHttp.of(server);
  const bundle = await vault.bundle(await admin.issue("alice"));
  deepEqual(Object.keys(bundle).sort(), ["agent_dek", "agent_id", "deks", "envelope", "key_id", "key_version"]);
});

Deno.test("the enVector key may come from a file, which others must not read", async () => {
  await using folder = await temporaryFolder();
  const [dataDir, file] = [`${folder.path}/data`, `${folder.path}/key`];
  const args = ["--envector-api-key-file", file];
  await Deno.writeTextFile(file, "index-key-2\n", { mode: 0o644 });
  const refused = await StartedServer.refused({ dataDir, args });
  equal(refused.code, 78);
  match(refused.log, /others may read/);
  await Deno.chmod(file, 0o600);
  await using server = await StartedServer.start({ dataDir, args });
  using vault = VaultClient.of(server);
  const bundle = await vault.bundle(await AdminHttp.of(server).issue("alice"));
  equal(bundle.envector_api_key, "index-key-2");
});
