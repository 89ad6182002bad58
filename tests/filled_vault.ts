/**
 * A vault with something of everything in it, and what must hold of it wherever its data goes: after a backup and a
 * restore, after an upgrade.
 *
 * @module
 */

import { deepEqual, equal } from "node:assert/strict";
import { status } from "@grpc/grpc-js";
import type { RoleRow, UserRow } from "../admin/wire.ts";
import { AdminHttp, VaultClient } from "./clients.ts";
import { ServedApi } from "./identity/_served.ts";

/** What was put into a vault. The tokens are usable, so this belongs in tests alone. */
export interface FilledFacts {
  readonly tokens: { readonly alice: string; readonly carol: string };
  /** Dead for good: revoked, and rotated away. */
  readonly dead: readonly string[];
  readonly rootToken: string;
  readonly login: { readonly username: string; readonly password: string };
  /** Envelopes of alice, with what they hold. */
  readonly envelopes: readonly { readonly envelope: string; readonly plaintext: string }[];
  readonly roles: readonly RoleRow[];
  readonly aliceEntity: string;
  readonly policy: string;
  readonly oidcKeys: readonly string[];
}

const PASSWORD = "a password of the test";
const POLICY = 'path "identity/oidc/token/app" { capabilities = ["read"] }\n';
/** Nothing in this vault turns by itself while tests look at it. */
const YEARS = "87600h";

/** Puts something of everything into a vault that was just started. */
export async function fillVault(api: ServedApi): Promise<FilledFacts> {
  using admin = AdminHttp.of(api.server);
  using vault = VaultClient.of(api.server);
  await admin.createRole("researcher", ["get_public_key", "decrypt_scores"]);
  const [alice, bob, first] = [await admin.issue("alice"), await admin.issue("bob"), await admin.issue("carol")];
  const envelopes = [...await seal(vault, alice, "a note of before")];
  await admin.expect("POST", "/secrets/rotate", {});
  const aliceNow = await admin.rotate("alice");
  envelopes.push(...await seal(vault, aliceNow, "a note of after"));
  const carol = await admin.rotate("carol");
  await admin.revoke("bob");
  const oidcKeys = await fillIdentity(api);
  return {
    tokens: { alice: aliceNow, carol },
    dead: [alice, bob, first],
    rootToken: await api.rootToken(),
    login: { username: "dana", password: PASSWORD },
    envelopes,
    roles: (await admin.expect<{ roles: RoleRow[] }>("GET", "/roles")).roles,
    aliceEntity: (await admin.expect<UserRow>("GET", "/users/alice")).entity_id,
    policy: POLICY,
    oidcKeys,
  };
}

async function seal(vault: VaultClient, token: string, plaintext: string) {
  const { message } = await vault.seal(token, [plaintext]);
  return message!.envelopes.map((envelope) => ({ envelope, plaintext }));
}

async function fillIdentity(api: ServedApi): Promise<string[]> {
  const must = async (method: string, path: string, body: unknown) => {
    const answered = await api.operator(method, path, body);
    equal(answered.status < 300, true, `${path}: ${JSON.stringify(answered.body)}`);
  };
  await must("POST", "sys/auth/userpass", { type: "userpass" });
  await must("PUT", "sys/policies/acl/agents", { policy: POLICY });
  await must("POST", "auth/userpass/users/dana", { password: PASSWORD, token_policies: "agents" });
  await must("POST", "identity/group", { name: "team", policies: "agents" });
  await must("POST", "identity/oidc/key/app", {
    algorithm: "ES256",
    allowed_client_ids: "*",
    rotation_period: YEARS,
    verification_ttl: YEARS,
  });
  await must("POST", "identity/oidc/role/app", { key: "app", client_id: "memory" });
  return await keyIds(api);
}

async function keyIds(api: ServedApi): Promise<string[]> {
  const { keys } = (await api.call("GET", "identity/oidc/.well-known/keys")).body as { keys: { kid: string }[] };
  return keys.map(({ kid }) => kid).sort();
}

/** What is there whether tokens live or not: roles, entities, keys, policies, logins; and who is dead stays dead. */
export async function assertFilled(api: ServedApi, facts: FilledFacts): Promise<void> {
  using admin = AdminHttp.of(api.server);
  using vault = VaultClient.of(api.server);
  deepEqual((await admin.expect<{ roles: RoleRow[] }>("GET", "/roles")).roles, facts.roles);
  equal((await admin.expect<UserRow>("GET", "/users/alice")).entity_id, facts.aliceEntity);
  for (const token of facts.dead) equal((await vault.manifest(token)).code, status.UNAUTHENTICATED);
  deepEqual(await keyIds(api), facts.oidcKeys);
  equal((await api.operator("GET", "sys/policies/acl/agents")).body.data.policy, facts.policy);
  equal((await api.operator("GET", "identity/group/name/team")).status, 200);
  const { username, password } = facts.login;
  const login = await api.call("POST", `auth/userpass/login/${username}`, undefined, { password });
  equal(login.status, 200, JSON.stringify(login.body));
  const fresh = (await admin.ask("GET", "/tokens/alice")).status === 404
    ? await admin.issue("alice")
    : facts.tokens.alice;
  await assertOpens(vault, fresh, facts);
}

/** Every token of before still works. */
export async function assertTokensLive(api: ServedApi, facts: FilledFacts): Promise<void> {
  using vault = VaultClient.of(api.server);
  for (const token of Object.values(facts.tokens)) equal((await vault.manifest(token)).code, status.OK);
  equal((await api.call("GET", "auth/token/lookup-self", facts.rootToken)).status, 200);
}

/** No token of before works. */
export async function assertTokensDead(api: ServedApi, facts: FilledFacts): Promise<void> {
  using vault = VaultClient.of(api.server);
  for (const token of Object.values(facts.tokens)) equal((await vault.manifest(token)).code, status.UNAUTHENTICATED);
  equal((await api.call("GET", "auth/token/lookup-self", facts.rootToken)).status, 403);
}

async function assertOpens(vault: VaultClient, token: string, { envelopes }: FilledFacts): Promise<void> {
  const { message, details } = await vault.open(token, envelopes.map(({ envelope }) => envelope));
  deepEqual(message?.decryptedMetadata, envelopes.map(({ plaintext }) => plaintext), details);
}
