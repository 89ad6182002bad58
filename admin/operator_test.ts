/** S21: operators have names, and no more rights than they were given; every attack through a real listener or door. */

import { deepEqual, doesNotMatch, equal } from "node:assert/strict";
import { createHash } from "node:crypto";
import { Operators } from "../vault/operators/operators.ts";
import { withVault } from "../vault/_test_support.ts";
import { FAKE_ISSUER, FAKE_READER } from "../tests/fakes/admin_vault.ts";
import { ADMIN_TOKEN, type AppUnderTest, kindOf, makeApp, serveApp } from "./_test_support.ts";
import { adminTokenId, digestAdminToken, proveAdminToken } from "./admin_token.ts";
import type { AdminDoor } from "./guard.ts";

const PRIVATE: AdminDoor = { kind: "unix" };
const SHARED: AdminDoor = { kind: "unix", isShared: true };

function ask(app: AppUnderTest, door: AdminDoor, route: string, headers: Record<string, string> = {}, body?: unknown) {
  const [method, path] = route.split(" ") as [string, string];
  const sent = body === undefined ? {} : { body: JSON.stringify(body) };
  const all = { "content-type": "application/json", host: "localhost", ...headers };
  return app.handle(new Request(`http://localhost${path}`, { method, headers: all, ...sent }), door);
}

function as(token: string): Record<string, string> {
  return { authorization: `Bearer ${token}` };
}

/** What each scope may at most; everything that is not here needs `all`. */
const READ = ["GET /tokens", "GET /roles", "GET /users", "GET /files", "GET /status", "GET /clock", "GET /operators"];
const TOKENS = [
  "POST /tokens",
  "DELETE /tokens/x",
  "POST /users/x/disable",
  "POST /users/x/cutoff",
  "POST /users/x/restore",
];
const ALL = [
  "GET /secrets",
  "POST /secrets/rotate",
  "POST /secrets/1/retire",
  "GET /keys",
  "POST /keys/generate",
  "POST /keys/x/export",
  "POST /backups",
  "POST /backups/x/fetch",
  "GET /root-tokens",
  "POST /root-tokens",
  "DELETE /root-tokens/x",
  "POST /operators",
  "POST /operators/read/rotate",
  "DELETE /operators/read",
  "POST /roles",
  "PUT /roles/member",
  "DELETE /roles/member",
  "POST /rewrap",
  "POST /files/roles/take",
  "POST /clock/accept",
];

async function isDenied(response: Response): Promise<boolean> {
  return response.status === 403 && await kindOf(response) === "scope_denied";
}

Deno.test("S21: an operator does what their scope says and nothing else, on every route", async () => {
  const app = makeApp();
  const allowed = async (token: string) => {
    const routes = [...READ, ...TOKENS, ...ALL];
    const denied = await Promise.all(routes.map((route) => {
      return ask(app, SHARED, route, as(token), route.startsWith("GET") ? undefined : {}).then(isDenied);
    }));
    return routes.filter((_route, i) => !denied[i]);
  };
  deepEqual(await allowed(FAKE_READER), READ);
  deepEqual(await allowed(FAKE_ISSUER), [...READ, ...TOKENS]);
  deepEqual(await allowed(ADMIN_TOKEN), [...READ, ...TOKENS, ...ALL]);
});

Deno.test("S21: whoever may only issue tokens makes no user with policies, and uses nothing of the identity API", async () => {
  const app = makeApp();
  const user = { user: "alice", password: "pw" };
  equal((await ask(app, SHARED, "POST /users", as(FAKE_ISSUER), user)).status, 201);
  equal(await isDenied(await ask(app, SHARED, "POST /users", as(FAKE_ISSUER), { ...user, policies: ["root"] })), true);
  const issue = { user: "dba", role: "member", force: true };
  equal(await isDenied(await ask(app, SHARED, "POST /tokens", as(FAKE_ISSUER), issue)), true);
  const parts = makeApp({ identityApi: () => new Response("minted") });
  for (const token of [FAKE_READER, FAKE_ISSUER]) {
    equal(await isDenied(await ask(parts, SHARED, "GET /v1/identity/oidc/token/app", as(token))), true);
  }
  equal(await (await ask(parts, SHARED, "GET /v1/sys/mounts", as(ADMIN_TOKEN))).text(), "minted");
});

Deno.test("S21: a socket that is open to a group asks for a token, as TCP does; a private one doesn't", async () => {
  const app = makeApp();
  for (const headers of [{}, as("opr_"), as(`${FAKE_READER}0`), as("evt_00112233445566778899aabbccddeeff")]) {
    equal((await ask(app, SHARED, "GET /tokens", headers)).status, 401);
    equal((await ask(app, SHARED, "GET /nowhere", headers)).status, 401);
  }
  equal((await ask(app, SHARED, "GET /tokens", as(FAKE_READER))).status, 200);
  equal((await ask(app, PRIVATE, "GET /tokens")).status, 200);
  equal((await ask(app, PRIVATE, "GET /secrets", as(FAKE_READER))).status, 403, "who says who they are is held to it");
  equal((await ask(app, PRIVATE, "GET /tokens", as(`${FAKE_READER}0`))).status, 401, "a wrong token is nobody's");
  equal((await ask(app, PRIVATE, "GET /tokens", as("hvs.of-the-identity-api"))).status, 200);
});

Deno.test("S21: the log names the operator; SUDO_USER is marked as unverified, and can't forge a line", async () => {
  const app = makeApp();
  const sudo = (user: string) => ({ "x-runevault-sudo-user": user });
  const issue = (door: AdminDoor, headers: Record<string, string>) =>
    ask(app, door, "DELETE /roles/x", headers).then(() => ask(app, door, "POST /secrets/rotate", headers, {}));
  await issue(PRIVATE, {});
  await issue(PRIVATE, sudo("carol"));
  await issue(PRIVATE, sudo('x" operator="root'));
  await issue(SHARED, { ...as(ADMIN_TOKEN), ...sudo("carol") });
  const lines = app.logger.events.filter(({ event, fields }) =>
    event === "admin_change" && fields["route"] === "POST /secrets/rotate"
  );
  deepEqual(lines.map(({ fields }) => [fields["operator"], fields["sudo_user_unverified"]]), [
    ["local:1000", undefined],
    ["local:1000", "carol"],
    ["local:1000", undefined],
    ["root", undefined],
  ]);
  doesNotMatch(JSON.stringify(app.logger.events), /adm_|opr_/);
});

Deno.test("S21: over TCP the server proves each operator's token by its id, and unknown ids are answered alike", async () => {
  await withVault({}, async (it) => {
    const { token } = await it.vault.operators.add("carol", "read");
    const operators: Operators = it.vault.operators;
    await using app = await serveApp({ operators });
    const nonce = "0123456789abcdef".repeat(2);
    const proof = async (id: string) =>
      (await (await fetch(`${app.url}/proof?nonce=${nonce}&id=${id}`)).json() as { proof: string }).proof;
    for (const known of [token, ADMIN_TOKEN]) {
      const digest = digestAdminToken(known);
      equal(await proof(adminTokenId(digest)), proveAdminToken(digest, nonce, app.port));
    }
    const unknown = createHash("sha256").update("nobody's").digest();
    const answered = await proof(adminTokenId(unknown));
    equal(answered.length, 64);
    equal(answered === proveAdminToken(unknown, nonce, app.port), false);
    const status = async (headers: Record<string, string>) => {
      const answer = await fetch(`${app.url}/tokens`, { headers });
      await answer.body?.cancel();
      return answer.status;
    };
    deepEqual([await status(as(token)), await status({})], [200, 401]);
    await it.vault.operators.remove("carol");
    equal(await status(as(token)), 401, "removed");
  });
});
