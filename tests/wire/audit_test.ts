/**
 * The audit trail of a started server: one entry for each request on every face, and no secret in any.
 */

import { deepEqual, equal, match, ok } from "node:assert/strict";
import { Buffer } from "node:buffer";
import { status } from "@grpc/grpc-js";
import { Identity } from "../../proto/gen/runevault/v1/identity_pb.ts";
import { parseLine, type StoredEntry } from "../../vault/audit/entry.ts";
import { trailFiles } from "../../vault/audit/trail_files.ts";
import { verifyTrail } from "../../vault/audit/verify.ts";
import { parseSeriesKey } from "../../vault/audit/series_key.ts";
import { AdminHttp, cli, eventually, VaultClient } from "../clients.ts";
import { ServedApi } from "../identity/_served.ts";
import { findTraces, findTracesBelow } from "../secret_traces.ts";
import { programCommand } from "../started_server.ts";

const TEAM_SECRET = "a team secret that nobody may read";
const PASSWORD = "correct-horse-battery-staple";

async function entriesOf(dataDir: string): Promise<StoredEntry[]> {
  const text = await Deno.readTextFile(`${dataDir}/audit.log`);
  return text.split("\n").slice(0, -1).map(parseLine);
}

async function assertWhole(dataDir: string): Promise<void> {
  const keys = [parseSeriesKey(await Deno.readTextFile(`${dataDir}/audit.k0`))];
  const report = await verifyTrail(await trailFiles(`${dataDir}/audit.log`), { keys });
  equal(report.broken, null);
  equal(report.checkedKeys, report.lines);
}

async function mountUserpass(api: ServedApi, ...names: string[]): Promise<void> {
  equal((await api.operator("POST", "sys/auth/userpass", { type: "userpass" })).status, 204);
  for (const name of names) {
    equal((await api.operator("POST", `auth/userpass/users/${name}`, { password: PASSWORD })).status, 204);
  }
}

Deno.test("each request on each face leaves one entry that says who, what, from where and how it ended", async () => {
  await using api = await ServedApi.start();
  const { dataDir } = api.server;
  using admin = AdminHttp.of(api.server);
  using vault = VaultClient.of(api.server);
  const alice = await admin.issue("alice");
  await mountUserpass(api, "bob");
  const before = (await entriesOf(dataDir)).length;

  const { agent_id } = await vault.bundle(alice);
  const { envelopes } = (await vault.seal(alice, ["x", "y"])).message!;
  await vault.open(alice, envelopes);
  await vault.open("evt_00000000000000000000000000000000", envelopes);
  const login = await api.call("POST", "auth/userpass/login/bob", undefined, { password: PASSWORD });
  const { client_token, accessor, entity_id } = login.body.auth;
  await api.call("GET", "auth/token/lookup-self", client_token);
  await api.call("GET", "sys/auth", client_token);
  await api.call("POST", `identity/entity/id/${entity_id}`, client_token, {
    metadata: { session_id: "s-9" },
  });
  await api.call("GET", "auth/token/lookup-self", client_token);
  await api.call("POST", "auth/userpass/login/hunter2-typed-here", undefined, { password: PASSWORD });
  await api.call("GET", `auth/token/lookup-${client_token}`, client_token);
  await admin.ask("DELETE", "/tokens/nobody-of-this-name");
  await admin.revoke("alice");
  await api.operator("GET", "sys/policies/acl/default");

  const all = (await entriesOf(dataDir)).slice(before).filter(({ face }) => face !== "vault");
  equal(new Set(all.map(({ request_id }) => request_id)).size, all.length, "one each");
  const told = all.map(({ face, operation, decision, error }) => [face, operation, decision, error ?? ""]);
  deepEqual(told, [
    ["grpc", "get_agent_manifest", "allowed", ""],
    ["grpc", "seal_metadata", "allowed", ""],
    ["grpc", "decrypt_metadata", "allowed", ""],
    ["grpc", "decrypt_metadata", "refused", "token_invalid"],
    ["api", "write userpass/login/:email.username", "allowed", ""],
    ["api", "read token/lookup-self", "allowed", ""],
    ["api", "read system/auth", "refused", "permission_denied"],
    ["api", "write identity/entity/id/:segment.id", "refused", "permission_denied"],
    ["api", "read token/lookup-self", "allowed", ""],
    ["api", "write userpass/login/:email.username", "refused", "invalid_argument"],
    ["api", "read none", "refused", "permission_denied"],
    ["socket", "DELETE /tokens/:user", "refused", "not_found"],
    ["socket", "DELETE /tokens/:user", "allowed", ""],
    ["socket", "read system/policies/acl/*rest.name", "allowed", ""],
  ]);
  const [bundle, sealed, opened, stranger, loggedIn, looked, , , , unknown, odd, gone, revoked, read] = all;
  deepEqual([bundle!.user, bundle!.agent_id, bundle!.remote_address], ["alice", agent_id, "127.0.0.1"]);
  deepEqual(sealed!.resource, { plaintexts: 2 });
  deepEqual(opened!.resource, { opened: { [agent_id]: 2 } });
  deepEqual([stranger!.user, stranger!.entity_id], [undefined, undefined]);
  deepEqual([loggedIn!.user, loggedIn!.entity_id, loggedIn!.accessor], ["bob", entity_id, accessor]);
  deepEqual(loggedIn!.resource, { path: "auth/userpass/login/bob" });
  deepEqual([looked!.user, looked!.accessor, looked!.resource], ["bob", accessor, { path: "auth/token/lookup-self" }]);
  equal(unknown!.resource!["path"], "auth/userpass/login/:email.username");
  match(String(unknown!.resource!["user"]), /^hmac-sha256:[0-9a-f]{64}$/);
  deepEqual(odd!.resource, {}, "a path with a token in it isn't shown");
  match(String(gone!.resource!["user"]), /^hmac-sha256:/);
  ok(revoked!.effects!.some(({ kind, reason }) => kind === "user_token" && reason === "revoked"));
  match(read!.user!, /^local:/);
  await assertWhole(dataDir);
});

Deno.test("the session of an entry is the token's, else what that very token last wrote to its own entity", async () => {
  await using api = await ServedApi.start();
  await mountUserpass(api, "bob");
  await api.operator("PUT", "sys/policies/acl/own", {
    policy: 'path "identity/entity/id/{{identity.entity.id}}" { capabilities = ["update"] }',
  });
  await api.operator("POST", "auth/userpass/users/bob", { token_policies: "own" });
  const login = async () =>
    (await api.call("POST", "auth/userpass/login/bob", undefined, { password: PASSWORD })).body.auth;
  const [one, two] = [await login(), await login()];
  const sessions = [[one, "s-1"], [two, "s-2"]] as const;
  for (const [{ client_token: token, entity_id }, session] of sessions) {
    const body = { metadata: { session_id: session } };
    equal((await api.call("POST", `identity/entity/id/${entity_id}`, token, body)).status, 204);
  }
  for (const [{ client_token: token }] of sessions) await api.call("GET", "auth/token/lookup-self", token);
  const looked = (await entriesOf(api.server.dataDir)).filter(({ operation }) =>
    operation === "read token/lookup-self"
  );
  deepEqual(looked.map(({ session_id }) => session_id), ["s-1", "s-2"]);
});

Deno.test("a user reads their own trail over HTTP and gRPC, and nobody else's", async () => {
  await using api = await ServedApi.start();
  using admin = AdminHttp.of(api.server);
  using vault = VaultClient.of(api.server);
  const [alice, bob] = [await admin.issue("alice"), await admin.issue("bob")];
  await vault.manifest(alice);
  await vault.manifest(alice);
  await vault.manifest(bob);
  const own = await api.call("GET", "identity/audit/self?operation=get_agent_manifest", alice);
  equal(own.status, 200, JSON.stringify(own.body));
  deepEqual(own.body.data.entries.map(({ user }: StoredEntry) => user), ["alice", "alice"]);
  const headers = { authorization: `Bearer ${bob}` };
  const mine = await vault.call(Identity.method.myActivity, { operation: "get_agent_manifest" }, { headers });
  deepEqual([mine.code, mine.message?.entries.length], [status.OK, 1]);
  equal((await api.call("GET", "identity/audit/self?limit=100000", bob)).status, 400);
  equal((await api.call("GET", "identity/audit/self")).status, 403);
});

Deno.test("S25: sys/audit-hash needs sudo and gives what stands in the trail; devices can't be changed", async () => {
  await using api = await ServedApi.start();
  using admin = AdminHttp.of(api.server);
  const alice = await admin.issue("alice");
  await mountUserpass(api);
  await api.call("POST", "auth/userpass/login/Typed-Secret", undefined, { password: "x" });
  const { hash } = (await api.operator("POST", "sys/audit-hash/file", { input: "typed-secret" })).body.data;
  const entry = (await entriesOf(api.server.dataDir)).at(-2)!;
  equal(entry.resource!["user"], hash);
  equal((await api.call("POST", "sys/audit-hash/file", alice, { input: "x" })).status, 403);
  deepEqual(Object.keys((await api.operator("GET", "sys/audit", undefined)).body.data), ["file/"]);
  equal((await api.operator("PUT", "sys/audit/other", { type: "file" })).status, 400);
});

Deno.test("SIGHUP reopens the file for who rotates logs, and the chain goes on in the new one", async () => {
  await using api = await ServedApi.start();
  const { dataDir } = api.server;
  using vault = VaultClient.of(api.server);
  await vault.manifest("nobody");
  await Deno.rename(`${dataDir}/audit.log`, `${dataDir}/audit.log.1`);
  api.server.signal("SIGHUP");
  await eventually("the file is there again", async () => {
    await vault.manifest("nobody");
    return await Deno.stat(`${dataDir}/audit.log`).then(() => true, () => false);
  }, 10_000);
  await vault.manifest("nobody");
  await assertWhole(dataDir);
  const { code, stdout, stderr } = await cli(api.server, ["audit", "verify", "--key", `${dataDir}/audit.k0`]);
  equal(code, 0, stderr);
  match(stdout, /Result: +whole/);
  const { stdout: found } = await cli(api.server, [
    "audit",
    "query",
    "--operation",
    "get_agent_manifest",
    "--since",
    "1h",
  ]);
  ok(found.trim().split("\n").length >= 3, found);
});

/** What stands in every plaintext. */
const COMMON_TEXT = "the plaintext that nobody may read, number";
Deno.test("audit tail -f prints what is written from then on", async () => {
  await using api = await ServedApi.start();
  using vault = VaultClient.of(api.server);
  const { command, args } = programCommand(["audit", "tail", "-f", "--data-dir", api.server.dataDir]);
  const child = new Deno.Command(command, { args, stdout: "piped", stderr: "inherit" }).spawn();
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  const until = async (wanted: string) => {
    while (!text.includes(wanted)) text += (await reader.read()).value ?? "";
  };
  await until("GET /audit/tail");
  await vault.manifest("evt_of_nobody");
  await until("get_agent_manifest");
  child.kill("SIGTERM");
  await child.status;
  await reader.cancel();
});

const USERS = 50;
const CALLS = 10_000;

Deno.test("10,000 mixed calls by 50 users at once: an entry for each with the right user, and no secret anywhere", async () => {
  await using api = await ServedApi.start({ env: { RUNEVAULT_TEAM_SECRET: TEAM_SECRET } });
  const { dataDir } = api.server;
  using admin = AdminHttp.of(api.server);
  using vault = VaultClient.of(api.server);
  await admin.expect("PUT", "/roles/member", { rate_limit: "1000000/1s" });
  await mountUserpass(api);
  const secrets: Record<string, string | Uint8Array> = { "the team secret": TEAM_SECRET, "a plaintext": COMMON_TEXT };
  const made: { user: string; operation: string }[] = [];
  const person = async (i: number) => {
    const user = `user-${i}`;
    const token = secrets[`${user}'s token`] = await admin.issue(user);
    const password = secrets[`${user}'s password`] = `${crypto.randomUUID()}+/=`;
    equal((await api.operator("POST", `auth/userpass/users/login-${i}`, { password })).status, 204);
    const { deks, agent_dek } = await vault.bundle(token);
    for (const [k, dek] of Object.entries({ ...deks, 1: agent_dek! })) {
      secrets[`${user}'s key ${k}`] = Buffer.from(dek, "base64");
    }
    return { user, token, login: `login-${i}`, password };
  };
  const people: Awaited<ReturnType<typeof person>>[] = [];
  for (let i = 0; i < USERS; i++) people.push(await person(i));
  const before = (await entriesOf(dataDir)).length;

  const plaintext = (i: number) => `${COMMON_TEXT} ${i}`;
  const session = async (person: typeof people[number], count: number, first: number) => {
    const headers = { authorization: `Bearer ${person.token}` };
    const note = (operation: string, user: string = person.user) => made.push({ user, operation });
    let envelopes: string[] = [];
    let login = "";
    for (let n = 0; n < count; n++) {
      const text = plaintext(first + n);
      switch (n % 8) {
        case 0:
          envelopes = (await vault.seal(person.token, [text])).message!.envelopes;
          note("seal_metadata");
          break;
        case 1:
          equal((await vault.open(person.token, envelopes)).code, status.OK);
          note("decrypt_metadata");
          break;
        case 2:
          await vault.manifest(person.token);
          note("get_agent_manifest");
          break;
        case 3:
          await api.call("GET", "auth/token/lookup-self", person.token);
          note("read token/lookup-self");
          break;
        case 4: {
          if (n % 80 === 4) {
            const body = { password: person.password };
            const answered = await api.call("POST", `auth/userpass/login/${person.login}`, undefined, body);
            login = answered.body.auth.client_token;
            secrets[`a login token of ${person.user}, ${n}`] = login;
            note("write userpass/login/:email.username", person.login);
          } else {
            await api.call("PUT", "cubbyhole/mine", login, { value: text });
            note("write cubbyhole/*rest.path", person.login);
          }
          break;
        }
        case 5:
          await api.call("GET", "sys/mounts", person.token);
          note("read system/mounts");
          break;
        case 6:
          await vault.call(Identity.method.lookupSelf, {}, { headers });
          note("lookup_self");
          break;
        default:
          await api.call("GET", `auth/token/lookup/${person.token}`, person.token);
          note("read none");
      }
    }
  };
  const each = CALLS / USERS;
  await Promise.all(people.map((person, i) => session(person, each, i * each)));

  const entries = (await entriesOf(dataDir)).slice(before).filter(({ face }) => face !== "vault");
  equal(made.length, CALLS);
  const told = (all: readonly { user?: string | undefined; operation: string }[]) =>
    all.map(({ user, operation }) => `${user} ${operation}`).sort();
  deepEqual(told(entries.map((entry) => ({ ...entry, operation: namedAlike(entry.operation) }))), told(made));
  equal(new Set(entries.map(({ request_id }) => request_id)).size, CALLS);
  await assertWhole(dataDir);

  const metrics = await (await fetch(`http://${api.server.addresses.metrics}/metrics`)).text();
  // The seal key's file and TLS aside, nothing in the folder holds a secret; the admin's own token is none of these.
  deepEqual(await findTracesBelow(dataDir, secrets, ["native"]), []);
  deepEqual(findTraces("the log", api.server.log, secrets), []);
  deepEqual(findTraces("the metrics", metrics, secrets), []);
});

function namedAlike(operation: string): string {
  return operation.startsWith("write cubbyhole/") ? "write cubbyhole/*rest.path" : operation;
}
