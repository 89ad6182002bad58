/**
 * Rune-Vault's gRPC contract: who is let in, in which order that is decided, and what each outcome looks like.
 *
 * @module
 */

import { deepEqual, equal, match, ok } from "node:assert/strict";
import { status } from "@grpc/grpc-js";
import { SCOPES } from "../../vault/roles/scope.ts";
import { type AdminHttp, type Ended, eventually, sleep, type VaultClient } from "../clients.ts";
import { sharedServer } from "./_shared_server.ts";

const shared = sharedServer();

/** Each method with arguments that are right, as far as a vault without an FHE key goes, and with some that are not. */
const METHODS: Readonly<Record<string, (vault: VaultClient, token: string, badArguments: boolean) => Promise<Answer>>> =
  {
    GetPublicKey: (vault, token) => vault.publicKey(token),
    GetAgentManifest: (vault, token) => vault.manifest(token),
    DecryptScores: (vault, token, bad) => vault.scores(token, "AAAA", bad ? 0 : 1),
    DecryptMetadata: (vault, token, bad) => vault.open(token, bad ? ["no envelope"] : []),
    SealMetadata: (vault, token) => vault.seal(token, []),
  };

type Answer = Ended<{ readonly $typeName: string; readonly error?: string }>;

/** The methods whose arguments can be wrong. */
const WITH_ARGUMENTS = ["DecryptScores", "DecryptMetadata"];

/** The scopes each of which alone opens a method. */
const OPENED_BY: Readonly<Record<string, readonly string[]>> = {
  GetPublicKey: ["get_public_key", "get_bundle"],
  GetAgentManifest: ["get_public_key", "get_bundle"],
  DecryptScores: ["decrypt_scores"],
  DecryptMetadata: ["decrypt_metadata", "decrypt_own_metadata"],
  SealMetadata: ["decrypt_metadata", "decrypt_own_metadata"],
};

/** How a call ends once token, window and scope are behind it; a vault without an FHE key has no scores. */
function letIn(method: string): status {
  return method === "DecryptScores" ? status.FAILED_PRECONDITION : status.OK;
}

/** A new user's token under a new role. */
async function tokenWith(admin: AdminHttp, name: string, scope: readonly string[], rateLimit?: string) {
  await admin.createRole(`role-${name}`, scope, rateLimit);
  return await admin.issue(name, `role-${name}`);
}

Deno.test("each scope opens its methods and no other; without a token none opens", async (t) => {
  const { vault, admin } = shared();
  for (const scope of [...SCOPES, "none"]) {
    const token = await tokenWith(admin, `only-${scope}`, scope === "none" ? [] : [scope]);
    for (const [name, call] of Object.entries(METHODS)) {
      const expected = OPENED_BY[name]!.includes(scope) ? letIn(name) : status.PERMISSION_DENIED;
      await t.step(`${name} with ${scope}`, async () => equal((await call(vault, token, false)).code, expected));
    }
  }
  for (const [name, call] of Object.entries(METHODS)) {
    await t.step(`${name} without a token`, async () => {
      equal((await call(vault, "", false)).code, status.UNAUTHENTICATED);
    });
  }
});

Deno.test("the error field stays empty on every method", async () => {
  const { vault, admin } = shared();
  const token = await tokenWith(admin, "errorless", ["get_public_key", "decrypt_metadata"]);
  for (const name of ["GetPublicKey", "GetAgentManifest", "DecryptMetadata"]) {
    equal((await METHODS[name]!(vault, token, false)).message?.error, "", name);
  }
});

Deno.test("every way of not holding a live token ends alike, on every method", async () => {
  const { vault, admin } = shared();
  const revoked = await admin.issue("revoked");
  await admin.revoke("revoked");
  const rotated = await admin.issue("rotated");
  await admin.rotate("rotated");
  const disabled = await admin.issue("disabled");
  await admin.expect("POST", "/users/disabled/disable");
  const live = await admin.issue("live-for-variants", "admin");
  const tokens: Record<string, string> = {
    unknown: `evt_${"0".repeat(32)}`,
    revoked,
    rotated,
    disabled,
    empty: "",
    "in upper case": live.toUpperCase(),
    "with white space": ` ${live}`,
    "with a newline": `${live}\n`,
    "without its prefix": live.slice(4),
    "cut short": live.slice(0, -1),
    "with more behind": `${live}0`,
    "not hex": `evt_${"g".repeat(32)}`,
    "of another kind": "hvs.CAESIJ",
    "not ASCII": "evt_한글🎉",
    "with a NUL": `${live}\u0000`,
    long: "e".repeat(1_000_000),
  };
  const answers = new Set<string>();
  for (const [name, call] of Object.entries(METHODS)) {
    for (const [what, token] of Object.entries(tokens)) {
      if (name === "SealMetadata" && !isHeaderText(token)) continue;
      const { code, details } = await call(vault, token, true);
      equal(code, status.UNAUTHENTICATED, `${name}, ${what}`);
      answers.add(details);
    }
  }
  equal(answers.size, 1, "one text for all of them");
});

/** Whether a token can stand in an HTTP header as it is. */
function isHeaderText(token: string): boolean {
  return /^[!-~]{1,4000}$/.test(token);
}

Deno.test("what is wrong first decides: token, window, scope, arguments", async () => {
  const { vault, admin } = shared();
  for (const [name, call] of Object.entries(METHODS)) {
    const user = `order-${name}`;
    const token = await tokenWith(admin, user, OPENED_BY[name]!, "1000/1s");
    const expectIf = async (code: status) => equal((await call(vault, token, true)).code, code, name);
    if (WITH_ARGUMENTS.includes(name)) await expectIf(status.INVALID_ARGUMENT);
    await admin.expect("PUT", `/roles/role-${user}`, { scope: ["manage_tokens"] });
    await expectIf(status.PERMISSION_DENIED);
    await admin.expect("PUT", `/roles/role-${user}`, { rate_limit: "1/3600s" });
    await expectIf(status.RESOURCE_EXHAUSTED);
    await admin.revoke(user);
    await expectIf(status.UNAUTHENTICATED);
  }
});

Deno.test("each call by a live token takes a place, also one that is refused afterwards", async () => {
  const { vault, admin } = shared();
  const token = await tokenWith(admin, "counted", ["decrypt_metadata"], "4/3600s");
  equal((await vault.open(token, [])).code, status.OK);
  equal((await vault.open(token, ["no envelope"])).code, status.INVALID_ARGUMENT);
  equal((await vault.manifest(token)).code, status.PERMISSION_DENIED);
  equal((await vault.seal(token, ["x"])).code, status.OK);
  for (const [name, call] of Object.entries(METHODS)) {
    equal((await call(vault, token, false)).code, status.RESOURCE_EXHAUSTED, name);
  }
});

Deno.test("a call without a live token takes no place from the user whom it nearly named", async () => {
  const { vault, admin } = shared();
  const token = await tokenWith(admin, "spared", ["get_bundle"], "1/3600s");
  const headers = { authorization: `Bearer evt_${"0".repeat(32)}` };
  equal((await vault.manifest(token, { headers })).code, status.UNAUTHENTICATED);
  equal((await vault.manifest(`${token}0`)).code, status.UNAUTHENTICATED);
  equal((await vault.manifest(token)).code, status.OK);
  equal((await vault.manifest(token)).code, status.RESOURCE_EXHAUSTED);
});

Deno.test("a full window tells the seconds until a place is free, and refused calls take none", async () => {
  const { vault, admin } = shared();
  const token = await tokenWith(admin, "windowed", ["get_bundle"], "2/2s");
  const first = performance.now();
  for (let i = 0; i < 2; i++) equal((await vault.manifest(token)).code, status.OK);
  const { code, details, trailers } = await vault.manifest(token);
  equal(code, status.RESOURCE_EXHAUSTED);
  const [seconds] = trailers.get("retry-after");
  match(String(seconds), /^[12]$/);
  match(details, new RegExp(`\\b${seconds} s\\b`));
  // Were a refused call to take a place, this would keep the window full for ever.
  let calls = 0;
  await eventually("a place is free", async () => {
    calls++;
    return (await vault.manifest(token)).code === status.OK;
  });
  ok(calls > 1, `${calls} calls were refused meanwhile`);
  const waited = performance.now() - first;
  ok(waited >= 1950 && waited < 15_000, `free after ${waited} ms`);
  await sleep(Number(seconds) * 1000);
  equal((await vault.manifest(token)).code, status.OK, "who waits as long as told is let in");
});

Deno.test("all tokens of a user share one window, a rotation gives no new one", async () => {
  const { vault, admin } = shared();
  const old = await tokenWith(admin, "one-window", ["get_bundle"], "2/3600s");
  equal((await vault.manifest(old)).code, status.OK);
  const fresh = await admin.rotate("one-window", 60);
  equal((await vault.manifest(fresh)).code, status.OK);
  for (const token of [old, fresh]) equal((await vault.manifest(token)).code, status.RESOURCE_EXHAUSTED);
  await admin.revoke("one-window");
  const again = await admin.issue("one-window", "role-one-window");
  equal((await vault.manifest(again)).code, status.RESOURCE_EXHAUSTED);
});

Deno.test("a change of the role binds the next call", async () => {
  const { vault, admin } = shared();
  const token = await tokenWith(admin, "bound", ["decrypt_scores"]);
  equal((await vault.scores(token, "AAAA", 10)).code, status.FAILED_PRECONDITION);
  await admin.expect("PUT", "/roles/role-bound", { top_k: 9 });
  equal((await vault.scores(token, "AAAA", 10)).code, status.INVALID_ARGUMENT);
  equal((await vault.scores(token, "AAAA", 9)).code, status.FAILED_PRECONDITION);
  await admin.expect("PUT", "/roles/role-bound", { scope: ["get_bundle"] });
  equal((await vault.scores(token, "AAAA", 9)).code, status.PERMISSION_DENIED);
});

Deno.test("top_k must be 1 to the role's limit", async () => {
  const { vault, admin } = shared();
  const token = await tokenWith(admin, "top-k", ["decrypt_scores"]);
  for (const topK of [0, -1, -(2 ** 31), 11, 2 ** 31 - 1]) {
    equal((await vault.scores(token, "AAAA", topK)).code, status.INVALID_ARGUMENT, String(topK));
  }
  for (const topK of [1, 10]) {
    equal((await vault.scores(token, "AAAA", topK)).code, status.FAILED_PRECONDITION, String(topK));
  }
});

Deno.test("manage_tokens grants nothing over the network", async () => {
  const { vault, admin } = shared();
  const token = await tokenWith(admin, "manager", ["manage_tokens"]);
  const codes = await Promise.all(Object.values(METHODS).map(async (call) => (await call(vault, token, false)).code));
  deepEqual([...new Set(codes)], [status.PERMISSION_DENIED]);
});
